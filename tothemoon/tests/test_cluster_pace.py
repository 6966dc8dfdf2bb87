"""Where the work waits for the network, two machines do nearly twice as much as one. Real processes; the source answers after 100 ms."""

import os
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tothemoon.tests.soak.machines import cluster, within
from tothemoon.tests.soak.pace import FLOOR, SLACK, compared

pytestmark = [
    pytest.mark.measured,
    pytest.mark.postgres,
    pytest.mark.skipif(settings.ON_SQLITE, reason="several machines meet in PostgreSQL"),
]


def test_two_machines_poll_nearly_twice_as_much_as_one(tmp_path: Path) -> None:
    with cluster(tmp_path, late_sec=0.1, share=240, lease_sec=20.0) as market:
        rates = compared(market, int(os.environ.get("CLUSTER_TOKENS", "1920")))
        within(60, lambda: market.one("SELECT count(*) FROM tokens WHERE lease IS NOT NULL") == 0, market.said)
    sys.stdout.write(f"one machine {rates.one:.0f} tokens a second, two {rates.two:.0f}: {rates.ratio:.2f} times as many\n")
    assert rates.ratio >= FLOOR * SLACK, rates
