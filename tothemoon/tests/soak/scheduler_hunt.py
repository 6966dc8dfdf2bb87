"""The real run_scheduler, killed while it runs the stages among all its other jobs: process after process, each at its turn of the market.

Started by `tothemoon.tests.soak.stages` with DATABASE_URL set to an empty database. First the same minutes are lived through in peace, one
cycle after another; what the killed schedulers leave behind must be the same to the last bit. Prints one line of JSON.
"""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import django

from tothemoon.tests.migrated import migrate
from tothemoon.tests.soak.victims import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS = 9
LIVELY = timedelta(hours=9, minutes=10)  # of the simulated market: a quarter of an hour with entries, stops and targets
A_LIFE = 2  # minutes of market; signals of both are fresh enough to be entered
LIFE_SEC = 30.0  # by then the clock of a life would have reached the minute after its own
NOWHERE = "http://127.0.0.1:1"
SERVICES = ("BIRDEYE_BASE_URL", "DEXSCREENER_BASE_URL", "BINANCE_BASE_URL", "BINANCE_FUTURES_BASE_URL")


def main(kills: int, seed: int) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    django.setup()
    from scoring.models import ScoringSettings
    from tothemoon.tests.soak.stage_hunt import _told, _wipe
    from trading.tests.test_run import BEGIN, EAGER, market, trail

    migrate(os.environ["DATABASE_URL"])
    minutes = A_LIFE * (kills + 2)
    since = BEGIN + LIVELY
    ScoringSettings.objects.revise({**EAGER, "retention_hours": 72}, None, "trades a lot, forgets nothing")
    market((LIVELY + timedelta(minutes=minutes + 4)) / timedelta(hours=1), TOKENS)
    in_peace, cycle_ms = _in_peace(since, minutes)
    _wipe()
    done, faults = _hunt(since, kills, random.Random(seed))
    differing = [name for name, rows in _told(trail()).items() if rows != in_peace[done["minutes"]][name]]
    faults += [f"{name} differ from those of a run in peace" for name in differing]
    print(json.dumps({**done, "cycle_ms": cycle_ms, "faults": faults}))
    return 0


def _turn(since: datetime, reached: int) -> datetime:
    """When the next cycle looks: so that it finds A_LIFE minutes more than were looked at."""
    return since + timedelta(minutes=reached + A_LIFE - 1, seconds=25)


def _in_peace(since: datetime, minutes: int) -> tuple[dict[int, dict[str, str]], float]:
    """What the tables say after each cycle, by the minutes that are behind the account then; and how long a cycle takes."""
    from tothemoon.tests.soak.stage_hunt import _reached, _told
    from trading.run import step
    from trading.tests.test_run import trail

    told, took = {}, []
    while (reached := _reached(since)) < minutes:
        began = time.monotonic()
        step(_turn(since, reached))
        took.append(time.monotonic() - began)
        told[_reached(since)] = _told(trail())
    return told, round(1000 * sum(took) / len(took), 1)


def _hunt(since: datetime, kills: int, chance: random.Random) -> tuple[dict[str, int], list[str]]:
    """Every third life is killed after its cycle, so that there is something to lose; the others somewhere in it, or before. The last one
    ends as it is asked to."""
    from tothemoon.tests.soak.stage_hunt import _reached

    faults: list[str] = []
    reached, usual, unfinished, seen = 0, 0.0, 0, _Seen()
    for number in range(kills + 1):
        life = _Life(_turn(since, reached))
        if number % 3 == 0 or number == kills:
            usual = life.until(functools.partial(_is_past, since, reached))
        else:
            time.sleep(chance.uniform(0.4, 1.0) * usual)
        life.end(politely=number == kills)
        now = _reached(since)
        unfinished += now == reached
        if not reached <= now <= reached + A_LIFE + (reached == 0):
            faults.append(f"the account went from minute {reached} to {now} in one life")
        faults += [*life.faults, *seen.look()]
        reached = now
        if faults:
            break
    return {"kills": kills, "unfinished": unfinished, "minutes": reached}, faults


def _is_past(since: datetime, minute: int) -> bool:
    from tothemoon.tests.soak.stage_hunt import _reached

    return _reached(since) > minute


class _Life:
    """One run_scheduler, from its start to its end."""

    def __init__(self, at: datetime) -> None:
        environment = {**os.environ, **dict.fromkeys(SERVICES, NOWHERE), "BIRDEYE_API_KEY": "", "LOG_LEVEL": "CRITICAL"}
        line = [sys.executable, "-m", "tothemoon.tests.soak.at_clock", at.isoformat(), "run_scheduler"]
        self._process = subprocess.Popen(line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._began = time.monotonic()
        self.faults: list[str] = []

    def until(self, done: Callable[[], bool]) -> float:
        """How long it took until its cycle was in the tables."""
        while not done():
            if time.monotonic() - self._began > LIFE_SEC or self._process.poll() is not None:
                self.faults.append(f"a scheduler did nothing within {LIFE_SEC:.0f} s")
                break
            time.sleep(0.02)
        return time.monotonic() - self._began

    def end(self, politely: bool) -> None:
        if (ended := self._process.poll()) is not None:
            self.faults.append(f"a scheduler ended by itself with {ended}")
        self._process.send_signal(signal.SIGTERM if politely else signal.SIGKILL)
        try:
            said = self._process.communicate(timeout=40)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            said = f"{self._process.communicate()[1]}\nhad to be killed"
        if politely and self._process.returncode:
            self.faults.append(f"a scheduler that was asked to end ended with {self._process.returncode}:\n{said[-1500:]}")


class _Seen:
    """What stood in the tables once stands there ever after: fills as they were, positions never fewer."""

    def __init__(self) -> None:
        self._fills: set[Any] = set()
        self._positions: set[int] = set()

    def look(self) -> list[str]:
        from trading.models import PaperFill, PaperPosition

        fills = set(PaperFill.objects.values_list("position", "time", "deal", "price", "quantity", "usd", "fee"))
        positions = set(PaperPosition.objects.values_list("pk", flat=True))
        faults = [f"{len(gone)} {what} that stood there are gone" for what, gone in (
            ("fills", self._fills - fills), ("positions", self._positions - positions)) if gone]  # fmt: skip
        self._fills, self._positions = fills, positions
        return faults


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
