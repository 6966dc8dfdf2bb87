"""The stages over past bars, from a terminal."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from scoring.models import ScoringSettings
from scoring.settings_in_force import active_settings
from trading.backtest import Material
from trading.backtest_run import MalformedBars, NothingToTest, Report, from_csv, from_table, run

STEPS = ("bars", "indicators, triggers, judgement", "paper trades", "what the gates kept out", "report")
WIDTH = 24


class Command(BaseCommand):
    help = (
        "Run the three stages over past bars, by the functions of the live cycle, and write a report and the trades. "
        "Paper only: no orders are sent."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="begin", type=_moment, metavar="WHEN", help="2026-11-01 or 2026-11-01T12:00, UTC")
        parser.add_argument(
            "--to", dest="end", type=_moment, metavar="WHEN", help="default, and for stored bars at most: now; or the end of the file"
        )
        parser.add_argument("--revision", type=int, metavar="N", help="a settings revision; default: the active one")
        parser.add_argument("--symbols", nargs="+", default=[], metavar="S", help="symbols or addresses; default: all that have bars")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="bars from a file instead of the table")
        parser.add_argument("--exchange", action="store_true", help="the file's bars are of an exchange: its costs, and short trades")
        parser.add_argument("--late", action="store_true", help="use bars too that were stored too late for a live cycle to see them")
        parser.add_argument("--out", type=Path, default=settings.BASE_DIR / "var" / "backtests", metavar="FOLDER")

    def handle(self, *_: Any, revision: int | None, out: Path, **asked: Any) -> None:
        chosen = _revision(revision)
        self._say(STEPS[0])
        try:
            report = run(_material(**asked), chosen, out, timezone.now(), self._say)
        except (NothingToTest, MalformedBars, OSError) as error:
            raise CommandError(str(error)) from error
        self._close(report)

    def _say(self, step: str) -> None:
        if not self.stderr.isatty():
            return
        done = WIDTH * STEPS.index(step) // len(STEPS)
        self.stderr.write(f"\r\033[K[{'#' * done}{'-' * (WIDTH - done)}] {step}", ending="")

    def _close(self, report: Report) -> None:
        if self.stderr.isatty():
            self.stderr.write("\r\033[K", ending="")
        told, result = report.result.summary, report.result
        say = self.stdout.write
        say(f"{result.tokens} assets, {result.bars:,} bars in {report.seconds:.2f} s; {result.signals} signals, {told.trades} trades")
        say(f"equity {result.capital:,.2f} → {result.equity:,.2f} $, deepest drawdown {result.drawdown.depth:.2%}; paper only")
        say(f"report: {report.html}")
        say(f"trades: {report.trades}")


def _material(
    begin: datetime | None, end: datetime | None, symbols: list[str], csv: Path | None, exchange: bool, late: bool, **_: Any
) -> Material:
    if begin and end and begin >= end:
        raise CommandError("--from must lie before --to")
    if csv:
        return from_csv(csv, begin, end, symbols, exchange)
    if exchange:
        raise CommandError("--exchange: of stored bars it is known where they are traded; it is for --csv")
    if begin is None:
        raise CommandError("--from: say from when on (or give a file of bars with --csv)")
    now = timezone.now()
    if begin >= now:
        raise CommandError("--from lies in the future")
    return from_table(begin, min(end or now, now), symbols, late)  # time yet to come would count as time below the last high


def _revision(number: int | None) -> ScoringSettings:
    if number is None:
        return active_settings()
    found: ScoringSettings | None = ScoringSettings.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(f"--revision: there is no revision {number}")
    return found


def _moment(text: str) -> datetime:
    try:
        moment, day = parse_datetime(text), parse_date(text)
    except ValueError:  # written like a moment, but of the 31st of February
        moment = day = None
    if moment is None:
        if day is None:
            raise ArgumentTypeError(f"{text!r} is no moment: write 2026-11-01 or 2026-11-01T12:00")
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
