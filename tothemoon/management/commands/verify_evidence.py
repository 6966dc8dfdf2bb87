"""Is the evidence whole?"""

import json as as_json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from learning.verify import HOURS, verify
from learning.verifying import Check, sentences


class Command(BaseCommand):
    help = "Check the stored evidence: is it complete, linked, of the right shape, settled in time? The exit is 1 when something is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hours", type=float, default=HOURS, metavar="H", help="how far back; default: 24")
        parser.add_argument(
            "--json", action="store_true", help='print {"ok", "checks": [{"name", "value", "floor", "holds"}]} and nothing else'
        )

    def handle(self, *_: Any, hours: float, json: bool, **__: Any) -> None:
        if not 0 < hours <= 87_600:
            raise CommandError("--hours: a number above 0, at most 87600")
        checks = verify(timezone.now(), hours)
        wrong = [check for check in checks if not check.holds]
        self._print_json(checks, not wrong) if json else self._print(checks)
        if wrong:
            raise SystemExit(1)

    def _print_json(self, checks: Sequence[Check], ok: bool) -> None:
        self.stdout.write(as_json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}, allow_nan=False))

    def _print(self, checks: Sequence[Check]) -> None:
        for line in sentences(checks):
            self.stdout.write(line)
