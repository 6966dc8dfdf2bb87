"""Where the work waits for the network, two machines do nearly twice as much as one. Real processes; the source answers after 100 ms."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tothemoon.tests.soak.machines import cluster
from tothemoon.tests.soak.pace import FLOOR, SLACK, compared
from trading.tests import real_redis

LONG = "CLUSTER_TOKENS" in os.environ
INTERVAL_SEC = 10.0
TOKENS = 12_000 if LONG else 6_000  # more than all machines together poll in an interval
MACHINES, ROUNDS, SECONDS = ((1, 2, 4), 7, 5.0) if LONG else ((1, 2), 3, 2.0)

pytestmark = [
    pytest.mark.measured,
    pytest.mark.postgres,
    pytest.mark.skipif(settings.ON_SQLITE, reason="several machines meet in PostgreSQL"),
]


def test_two_machines_poll_nearly_twice_as_much_as_one(tmp_path: Path) -> None:
    with (
        real_redis.running() as redis,
        cluster(tmp_path, late_sec=0.1, share=240, lease_sec=20.0, interval_sec=INTERVAL_SEC, redis_port=urlsplit(redis).port) as market,
    ):
        pace = compared(market, TOKENS, MACHINES, ROUNDS, SECONDS)
        stored = market.polled()
    sys.stdout.write(f"{pace.told()}; {market.apart} of {max(MACHINES)} in a network of their own\n")
    assert stored >= 0.8 * market.source.answered.total()  # what was asked is polled when it is stored; some is under way
    assert pace.times(2) >= FLOOR * (1 if LONG else SLACK), pace
