"""What would flip a token: the change that is named does it, and less does not."""

from datetime import timedelta

import pytest

from scoring.history import History
from scoring.near_misses import near_activation, near_archive
from scoring.run import score_tokens
from scoring.settings_in_force import active_settings
from scoring.tests.rows import make_token, see
from scoring.whatif import ACTIVE, ARCHIVED, INITIAL, draft_of, replay
from tokens.models import Status

pytestmark = pytest.mark.django_db


def looked(now, revision=None):
    revision = revision or active_settings()
    stretch = History(hours=2).present(now)
    return stretch, revision, replay(stretch, revision)


def test_an_initial_token_names_what_it_lacks_and_the_setting_that_would_let_it_in(now):
    token = make_token(now, status=Status.INITIAL)
    see(token, now, tx_count_5m=21, liquidity=10.0)
    (miss,) = near_activation(*looked(now))
    assert (miss.metric, miss.setting) == ("+4 transactions in 5 min", "min_tx_count 25 → 21")


@pytest.mark.parametrize("figures", [{"tx_count_5m": 21, "liquidity": 10.0}, {"tx_count_5m": 3, "liquidity": 430.5}])
def test_the_named_setting_flips_the_token_and_one_step_less_does_not(now, figures):
    see(make_token(now, status=Status.INITIAL), now, **figures)
    (miss,) = near_activation(*looked(now))
    flipped = looked(now, draft_of(active_settings(), {miss.setting_name: miss.setting_value}))[2]
    less = looked(now, draft_of(active_settings(), {miss.setting_name: miss.setting_value + 1}))[2]
    assert (flipped.status.tolist(), less.status.tolist()) == ([ACTIVE], [INITIAL])


def test_an_active_token_names_the_transactions_it_may_still_lose(now):
    see(make_token(now), now, tx_count_5m=27)
    score_tokens(now)
    (miss,) = near_archive(*looked(now))
    assert miss.metric == "−3 transactions in 5 min"
    low = looked(now, draft_of(active_settings(), {miss.setting_name: miss.setting_value, "degrade_checks": 1}))
    assert near_archive(*looked(now))[0].closeness < 1
    assert low[2].status.tolist() != [ACTIVE]


def test_a_token_in_a_run_of_low_checks_names_how_many_fewer_would_archive_it(now):
    token = make_token(now - timedelta(minutes=2), status=Status.ACTIVE)
    for tick in range(3):
        see(token, now + timedelta(seconds=30 * tick), tx_count_5m=7)
    at = now + timedelta(seconds=60)
    (miss,) = near_archive(*looked(at))
    assert (miss.metric[:22], miss.setting) == ("low on 3 of 10 checks:", "degrade_checks 10 → 3")
    flipped, less = (looked(at, draft_of(active_settings(), {"degrade_checks": checks}))[2] for checks in (3, 4))
    assert (flipped.status.tolist(), less.status.tolist()) == ([ARCHIVED], [ACTIVE])


def test_far_from_every_threshold_nobody_is_named(now):
    see(make_token(now, "B", Status.INITIAL), now, tx_count_5m=2, liquidity=3.0)
    see(make_token(now), now, tx_count_5m=400, liquidity=9e4)
    assert near_activation(*looked(now)) == []
