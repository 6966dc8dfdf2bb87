"""Three machines, one PostgreSQL: one is killed and one is cut off while they have tokens in hand. Real processes, real sockets."""

import os
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tothemoon.tests.soak.machines import cluster, within

TOKENS, SHARE = int(os.environ.get("CLUSTER_TOKENS", "420")), 60
SLOW_START_SEC = 150  # four processes that start on two cores which others may want too
RECOVERY_SEC = 30

pytestmark = [
    pytest.mark.measured,  # against the clock, though not a ratio: nothing else may run beside four processes and a PostgreSQL
    pytest.mark.postgres,
    pytest.mark.skipif(settings.ON_SQLITE, reason="several machines meet in PostgreSQL"),
]


def test_of_three_machines_one_is_killed_and_one_cut_off_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    with cluster(tmp_path, late_sec=0.05, share=SHARE) as market:
        source = market.source
        for name in ("killed", "cut-off", "left"):
            source.hold(name)
            market.start_machine(name)
        within(SLOW_START_SEC, lambda: market.one("SELECT count(*) FROM procrastinate_workers") == 3, market.said)
        market.add_tokens(TOKENS)
        market.start_leader()
        within(SLOW_START_SEC, lambda: all(waiting.is_set() for waiting in source.waiting.values()), market.said)

        market.machines["killed"].kill()
        market.wires["cut-off"].cut()
        for held in source.held.values():  # who was cut off has its answers too, and nobody hears of them
            held.set()
        recovery = within(2 * RECOVERY_SEC, lambda: market.polled() >= TOKENS, market.said)
        assert recovery <= RECOVERY_SEC + (TOKENS - 420) / 20  # what was not begun yet is to be polled too
        assert market.faults(TOKENS) == []

        market.wires["cut-off"].mend()  # whatever it still has to say is heard now
        within(SLOW_START_SEC, lambda: market.one("SELECT count(*) FROM token_scores") == TOKENS, market.said)
        for name in ("cut-off", "left", "leader"):
            market.machines[name].stop()
        assert market.faults(TOKENS) == []
        sys.stdout.write(
            f"{TOKENS} tokens, none lost or doubled, {recovery:.1f} s after the cut; {market.apart} of 3 in a network of their own\n"
        )
        assert sum(times > 1 for times in source.asked.values()) <= 3 * SHARE  # nobody beyond those that were in hand was asked again
