"""The stages killed in mid-cycle: first they run through some hours of market in peace, then through the same hours under kill -9.

A process of its own, started by `tothemoon.tests.soak.stages` with DATABASE_URL set to an empty database. Its children are killed; each
goes on from what the tables say, as a scheduler does that was started again. Prints one line of JSON.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import django

from tothemoon.tests.migrated import migrate

MINUTES_A_KILL = 2
LEAST_MINUTES, MOST_MINUTES = 20, 1000
TOKENS = 5


def main(kills: int, seed: int) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    django.setup()
    from scoring.models import ScoringSettings
    from trading.tests.test_run import BEGIN, EAGER, market, trail

    migrate(os.environ["DATABASE_URL"])
    minutes = min(MOST_MINUTES, max(LEAST_MINUTES, MINUTES_A_KILL * kills))
    since = BEGIN + timedelta(hours=9)
    ScoringSettings.objects.revise(EAGER, None, "trades a lot")
    market(9 + (minutes + 2) / 60, TOKENS)
    began = time.monotonic()
    _live(since, minutes)
    a_cycle = (time.monotonic() - began) / minutes
    in_peace = _told(trail())
    _wipe()
    done, faults = _hunt(since, minutes, kills, random.Random(seed), longest=4 * a_cycle)
    faults += [] if done["left"] == 0 else ["the last child did not reach the end"]
    faults += [f"{name} differ from those of a run in peace" for name, rows in _told(trail()).items() if rows != in_peace[name]]
    print(json.dumps({**done, "minutes": minutes, "cycle_ms": round(a_cycle * 1000, 1), "faults": faults}))
    return 0


def _told(trail: dict[str, list[tuple[Any, ...]]]) -> dict[str, str]:
    """Moments of writing are no part of a trail; everything else is, to the last bit."""
    return {name: repr(rows) for name, rows in trail.items()}


def _wipe() -> None:
    from trading import models

    for name in ("PaperFill", "SkippedSignal", "PaperOrder", "PaperPosition", "AssetState", "Judgement", "EquityPoint", "PaperAccount"):
        getattr(models, name).objects.all().delete()


def _live(since: datetime, minutes: int) -> None:
    """From where the account stands to the end."""
    from tokens.recent_bars import RecentBars
    from trading.run import step

    recent = RecentBars()
    while (minute := _reached(since)) < minutes:
        step(since + timedelta(minutes=minute, seconds=25), read=recent.grid)


def _reached(since: datetime) -> int:
    """How many minutes are behind the account."""
    from trading.models import PaperAccount

    until = PaperAccount.objects.filter(until__gte=0).values_list("until", flat=True).first()
    return 0 if until is None else int((datetime.fromtimestamp(until, UTC) - since).total_seconds()) // 60 + 2


def _hunt(since: datetime, minutes: int, kills: int, chance: random.Random, longest: float) -> tuple[dict[str, int], list[str]]:
    killed, reached = 0, 0
    faults: list[str] = []
    while killed < kills and not faults:
        child = _child(since, minutes)
        time.sleep(chance.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):  # it was through, or fell, before
            if os.waitstatus_to_exitcode(status):
                faults.append("a child ended by itself")
            break
        killed += 1
        now = _reached(since)
        if now < reached:
            faults.append(f"the account went back from minute {reached} to {now}")
        reached = now
    _, status = os.waitpid(_child(since, minutes), 0)
    if os.waitstatus_to_exitcode(status):
        faults.append("the last child ended with an error")
    return {"kills": killed, "left": minutes - _reached(since)}, faults


def _child(since: datetime, minutes: int) -> int:
    from django.db import connection

    connection.close()  # a connection is not for two processes
    child = os.fork()
    if child:
        return child
    try:
        _live(since, minutes)
        connection.close()
    except BaseException:  # noqa: BLE001 - told to whoever waits, by the exit code
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
