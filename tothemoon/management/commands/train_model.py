"""A model from the stored evidence, from a terminal: trained, examined, and registered or refused."""

import json as json_module
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from learning import training_run
from learning.model_file import NoExtra
from learning.registry import NotNow
from learning.training.plan import HORIZONS, LEAST_FOLDS, Plan
from learning.training_run import NothingToLearn, Report

REFUSED = 3
WIDTH = 24
NO_EXTRA = "scikit-learn and skops are not installed: .venv/bin/python -m pip install --require-hashes -r requirements-ml.lock"


class Command(BaseCommand):
    help = (
        "Train a model from stored vectors and their outcomes: walk-forward, embargo = horizon. It becomes a challenger "
        "where it beats the common rates, momentum and the score with confidence; else it is refused, and the exit is 3."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", type=_name, default="boosted", help="small letters, digits and dashes")
        parser.add_argument("--from", dest="begin", type=_moment, metavar="WHEN", help="2026-11-01 or 2026-11-01T12:00, UTC")
        parser.add_argument("--to", dest="end", type=_moment, metavar="WHEN", help="default: now")
        parser.add_argument("--days", type=_between(0.1, 3650, float), default=30.0, metavar="N", help="where --from is not given: 30")
        parser.add_argument("--horizons", type=int, nargs="+", choices=HORIZONS, default=list(HORIZONS), metavar="MIN")
        parser.add_argument("--folds", type=_between(LEAST_FOLDS, 50), default=LEAST_FOLDS, metavar="N", help="windows that examine")
        parser.add_argument("--seed", type=_between(0, 2**31 - 1), default=1, metavar="N")
        parser.add_argument("--trees", type=_between(1, 1000), default=Plan.trees, metavar="N", help="of each head")
        parser.add_argument("--most-rows", type=_between(1000, 5_000_000), default=100_000, metavar="N", help="thinned evenly beyond these")
        parser.add_argument("--stale-after-days", type=_between(1, 365, float), default=Plan.stale_after_days, metavar="N")
        parser.add_argument("--json", action="store_true", help="print the registry row and nothing else")

    def handle(self, *_: Any, name: str, json: bool, most_rows: int, **asked: Any) -> None:
        plan = Plan(
            horizons=tuple(sorted(set(asked["horizons"]))),
            folds=asked["folds"],
            seed=asked["seed"],
            trees=asked["trees"],
            stale_after_days=asked["stale_after_days"],
        )
        now = timezone.now()
        since, until = _span(asked["begin"], asked["end"], asked["days"], now)
        self._done, self._steps = 0, 1 + len(plan.horizons) * (plan.folds + 2)
        try:
            report = training_run.run(name, since, until, most_rows, plan, now, self._say)
        except NoExtra:
            raise CommandError(NO_EXTRA) from None
        except (NothingToLearn, NotNow, OSError) as error:
            raise CommandError(str(error)) from error
        finally:
            self._wipe()
        self.stdout.write(json_module.dumps(_as_plain(report)) if json else _told(report))
        if report.refused:
            sys.exit(REFUSED)

    def _say(self, step: str) -> None:
        self._done += 1
        if self.stderr.isatty():
            done = WIDTH * min(self._done, self._steps) // self._steps
            self.stderr.write(f"\r\033[K[{'#' * done}{'-' * (WIDTH - done)}] {step}", ending="")

    def _wipe(self) -> None:
        if self.stderr.isatty():
            self.stderr.write("\r\033[K", ending="")


def _told(report: Report) -> str:
    row = report.row
    lines = [f"{report.rows:,} vectors from {row.trained_from:%Y-%m-%d %H:%M} to {row.trained_to:%Y-%m-%d %H:%M}, {report.seconds:.1f} s"]
    for minutes, told in row.metrics.items():
        verdict = f"does not pass: {told['why_not']}" if told.get("why_not") else "passes"
        lines.append(f"{minutes} min: {_figures(told)}{verdict}")
    if report.refused:
        return "\n".join([*lines, f"refused: {row} is in the registry without a file"])
    return "\n".join([*lines, f"registered: {row}, a challenger at place {row.place}, in {row.file}; promote it in the admin"])


def _figures(told: dict[str, Any]) -> str:
    if "direction" not in told:
        return ""
    loss, hardest = told["direction"]["loss"]["model"], told["hardest"]
    against = told["direction"]["against"][hardest]
    return (
        f"{told['rows']:,} rows asked in {told['windows']} windows, log loss {loss['value']:.4f}, against {hardest} "
        f"{against['value']:+.4f} ({against['low']:+.4f} … {against['high']:+.4f}); "
    )


def _as_plain(report: Report) -> dict[str, Any]:
    row = report.row
    names = ("name", "number", "role", "place", "horizons", "file", "file_hash", "settings", "metrics", "importances", "stopped_why")
    found: dict[str, Any] = {name: getattr(row, name) for name in names}
    moments = {name: getattr(row, name).isoformat() for name in ("trained_from", "trained_to", "made_at")}
    return found | moments | {"refused": report.refused, "seconds": round(report.seconds, 2), "schema": row.schema_id}


def _span(begin: datetime | None, end: datetime | None, days: float, now: datetime) -> tuple[datetime, datetime]:
    until = end or now
    since = begin or until - timedelta(days=days)
    if since >= until:
        raise CommandError("--from must lie before --to")
    return since, until


def _name(text: str) -> str:
    if not training_run.NAME.match(text):
        raise ArgumentTypeError("small letters, digits and dashes, at most 40, a letter first")
    return text


def _between(least: float, most: float, kind: Any = int) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not least <= value <= most:
            raise ArgumentTypeError(f"between {least:g} and {most:g}")
        return value

    return number


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        day = parse_date(text)
        if day is None:
            raise ValueError(text)
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
