"""After a clock that was ahead has been put right."""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tokens.freshness import CLOCKS_DIFFER
from tothemoon import worker
from tothemoon.wrong_clock import witnesses
from tothemoon.wrong_clock.forget import forget
from tothemoon.wrong_clock.found import Fate, Found, look
from tothemoon.wrong_clock.paper import traded, waits_until

PAUSE_SEC = 0.02  # between two bites, in which others may write
TELL = """Say what is dated in the time to come, and with --yes take it out.

For a machine whose clock was ahead and has been put right: no row is written before one that is there, so tokens known by then are not
asked about again until the clock has caught up. Without --yes nothing is changed. Workers go on meanwhile. Make a backup first.

Goes: snapshots, scores, bars, open interest, and the evidence of that time (vectors, predictions, signals, outcomes; a judgement that was
traded stays, without its link to them). Tokens are put back to the newest rows that are left, and are asked about at the next tick.
Stays, dated now: tokens and pools that were found, changes of status (with the date they bore), alerts, gaps, signs of life, what was
spent. A running duel ends. Paper trades stay as they are: where there are any, the stages wait until the clock has caught up.
Left alone: what people saved (settings, duels, models). What was written while the clock was ahead, but is dated before now, cannot be told
from what is right; and what a cleanup deleted by the wrong clock is in the backup.
"""


class Command(BaseCommand):
    help = TELL

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="take it out; --it-is belongs to it")
        parser.add_argument("--it-is", metavar="MOMENT", help='what time it is by another clock, in UTC: "2026-11-22 12:30"')
        parser.add_argument(
            "--up-to", metavar="MOMENT", help="the newest moment that may go; needed where that is more than half of all snapshots"
        )

    def handle(self, *_: Any, yes: bool, it_is: str | None, up_to: str | None, **__: Any) -> None:
        now = timezone.now()
        limit = now + CLOCKS_DIFFER
        heard, found = witnesses.heard(), look(limit)
        self._tell(found, heard, limit)
        if not yes or not found:
            return
        self._surely(now, limit, heard, it_is)
        self._not_too_much(limit, found, up_to)
        with worker.StopFlag() as stop:
            gone, changed = forget(now, limit, lambda: not stop.wait(PAUSE_SEC))
        self.stdout.write(f"{gone} rows are gone, {changed} are put right.")
        stays = traded(limit)
        if left := [each.name for each in look(limit) if not (stays and each.fate == Fate.PAPER)]:
            raise CommandError(f"not all of it: {', '.join(left)}. Begin it again.")

    def _tell(self, found: Sequence[Found], heard: Sequence[witnesses.Witness], limit: datetime) -> None:
        for witness in heard:
            if witness.behind_sec is None:
                self.stdout.write(f"{witness.name} could not be asked.")
            else:
                self.stdout.write(f"By {witness.name} this machine's is {-witness.behind_sec:+.0f} s off.")
        if not found:
            self.stdout.write("Nothing is dated in the time to come.")
        for each in found:
            of = f" of {each.tokens} token{'s' * (each.tokens != 1)}" if each.tokens else ""
            span = f"from {each.first:%Y-%m-%d %H:%M:%S} to {each.last:%Y-%m-%d %H:%M:%S}"
            self.stdout.write(f"{each.name}: {each.rows} rows{of}, {span} ({each.fate})")
        if (until := waits_until(limit)) is not None:
            self.stdout.write(
                f"Paper money changed hands in that time: the paper account stays, and the stages wait until {until:%F %T} UTC."
            )

    def _surely(self, now: datetime, limit: datetime, heard: Sequence[witnesses.Witness], it_is: str | None) -> None:
        """Not while it is the present clock that is wrong: then what looks as if it were yet to come is true."""
        if against := [witness.name for witness in heard if witness.against]:
            raise CommandError(f"{' and '.join(against)} says otherwise: put this machine's clock right first. Nothing was changed.")
        if it_is is None:
            raise CommandError(
                "what looks as if it were yet to come is true if this machine's clock is behind. Look at another clock, and say what "
                'time it is by that, in UTC: --it-is "YYYY-MM-DD HH:MM". Nothing was changed.'
            )
        if abs(_moment("--it-is", it_is) - now) > witnesses.TYPED_WITHIN:
            raise CommandError("by that clock this machine's is wrong: put it right first. Nothing was changed.")

    def _not_too_much(self, limit: datetime, found: Sequence[Found], up_to: str | None) -> None:
        share, newest = witnesses.share_ahead(limit), max(each.last for each in found)
        if up_to is None and share > witnesses.MOST_SHARE:
            raise CommandError(
                f"{share:.0%} of all snapshots would go. If that is right, name the newest moment that may: --up-to. Nothing was changed."
            )
        if up_to is not None and newest > _moment("--up-to", up_to):
            raise CommandError(f"there is something later than that, of {newest:%Y-%m-%d %H:%M:%S}. Nothing was changed.")


def _moment(name: str, typed: str) -> datetime:
    try:
        return witnesses.by_hand(typed)
    except ValueError:
        raise CommandError(f'{name}: a moment in UTC as "2026-11-22 12:30"') from None
