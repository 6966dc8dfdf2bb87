"""Everything in one command: the simulated market (or with --live the real one), listener, scheduler and web site."""

import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tothemoon.children import Died
from tothemoon.demonstration import CannotStart, Demonstration, Wishes, demo_environment
from tothemoon.worker import StopFlag

MARK = "TOTHEMOON_DEMO_STARTED"  # says that the environment is the demo's already, and since when


class Command(BaseCommand):
    help = (
        "Run the whole product: a simulated market, the listener, the scheduler and the web site, each a process of its own and each "
        "through the same code as in production. With --live: the real services and the configured database instead. Stops on Ctrl-C. "
        "At a market speed of 10 the windows of 5 minutes and 1 hour are market time and pass in 30 seconds and 6 minutes; ages, "
        "time-outs and the hour of holder growth are ours and pass as always."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, help="stop after so long; default: run until Ctrl-C or SIGTERM")
        parser.add_argument("--port", type=int, default=8000, help="of the web site, on 127.0.0.1; 0 picks a free one (default 8000)")
        parser.add_argument("--speed", type=float, default=10.0, help="market seconds a second (default 10)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same market (default 1)")
        parser.add_argument("--keep", action="store_true", help="go on with the last demo's database instead of a fresh one")
        parser.add_argument("--folder", type=Path, help="for the logs; the demo's database lies beside it (default var/demo or var/live)")
        parser.add_argument("--live", action="store_true", help="the real services and DATABASE_URL; no simulation")

    def handle(self, *_: Any, folder: Path | None, **options: Any) -> None:
        mark = os.environ.pop(MARK, "")
        started = float(mark or time.monotonic())
        live = options["live"]
        if not 0.1 <= options["speed"] <= 1000 or options["seed"] < 0:
            raise CommandError("--speed must lie between 0.1 and 1000, and --seed must not be negative.")
        folder = (folder or settings.VAR_DIR / ("live" if live else "demo")).resolve()
        if not live and not mark:
            self._become(demo_environment(options["speed"], folder) | {MARK: str(started)})
        wishes = Wishes(folder, *(options[name] for name in ("port", "seconds", "speed", "seed", "keep", "live")))
        with StopFlag() as stop:
            try:
                shown = Demonstration(wishes, self._say, started).run(stop)
            except (CannotStart, Died) as error:
                raise CommandError(str(error)) from None
        if wishes.seconds and not live and not shown:
            raise CommandError(f"no scored Active token was to be seen within {wishes.seconds:g} s.")

    def _become(self, environment: dict[str, str]) -> None:
        """The demo's database and settings must be there before Django reads them: start over as the same command in that environment."""
        self.stdout.flush()
        os.execve(sys.executable, [sys.executable, str(settings.BASE_DIR / "manage.py"), *sys.argv[1:]], environment)  # noqa: S606

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()
