from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tokens.freshness import is_fresh

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(("ago_sec", "fresh"), [(180, True), (181, False), (0, True), (-60, True), (-61, False)])
def test_figures_are_fresh_within_their_limit_and_what_clocks_may_differ(ago_sec, fresh):
    token = SimpleNamespace(freshness_limit_sec=None, last_snapshot_at=NOON - timedelta(seconds=ago_sec))
    assert is_fresh(token, NOON) is fresh


def test_what_was_never_seen_is_not_fresh():
    assert not is_fresh(SimpleNamespace(freshness_limit_sec=180, last_snapshot_at=None), NOON)
