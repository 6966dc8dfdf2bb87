"""What would flip a token: the change that is named does it, and less does not."""

from datetime import timedelta

import pytest

from scoring.history import History
from scoring.near_misses import near_activation, near_archive
from scoring.run import score_tokens
from scoring.settings_in_force import active_settings
from scoring.tests.rows import make_token, see
from scoring.whatif import ACTIVE, ARCHIVED, INITIAL, draft_of, replay
from tokens.models import Status, Token

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


@pytest.mark.parametrize("liquidity", [430.7, 499.999, 400.0])
def test_the_liquidity_that_is_named_lets_it_in_and_a_dollar_less_does_not(now, liquidity):
    token = make_token(now, status=Status.INITIAL)
    see(token, now, tx_count_5m=3, liquidity=liquidity)
    (miss,) = near_activation(*looked(now))
    named = int(miss.metric.removeprefix("+$").removesuffix(" liquidity"))
    later = now + timedelta(seconds=30)
    see(token, later, tx_count_5m=3, liquidity=liquidity + named - 1)
    assert looked(later)[2].status.tolist() == [INITIAL]
    see(token, later + timedelta(seconds=30), tx_count_5m=3, liquidity=liquidity + named)
    assert looked(later + timedelta(seconds=30))[2].status.tolist() == [ACTIVE]


LOW_AT_ONCE = {"weight_tx_accel": 1, "weight_vol_momentum": 0, "weight_holder_growth": 0, "weight_orderflow_imbalance": 0}
LOW_AT_ONCE |= {"min_score_keep_active": 0.5, "min_tx_count": 5, "degrade_checks": 1}


def paces(now, *hundredths, name="A"):
    """An Active token whose transactions come at so many hundredths of their hourly pace, one look after the other."""
    token, revision = make_token(now, name), draft_of(active_settings(), LOW_AT_ONCE)
    for tick, pace in enumerate(hundredths):
        see(token, now + timedelta(seconds=30 * tick), tx_count_5m=pace, tx_count_1h=1200)
    return looked(now + timedelta(seconds=30 * len(hundredths)), revision)


@pytest.mark.parametrize("pace", [51, 55, 60])
def test_the_pace_that_is_named_makes_the_next_check_low_and_a_hundredth_more_does_not(now, pace):
    (miss,) = near_archive(*paces(now, pace))
    named = round(100 * float(miss.metric.split(" at ")[1].split()[0]))
    assert paces(now, pace, named + 1, name="B")[2].status.tolist() == [ACTIVE, ACTIVE]  # the longer course stands first
    Token.objects.get(symbol="B").delete()
    assert paces(now, pace, named, name="C")[2].status.tolist() == [ARCHIVED, ACTIVE]


def test_the_lowest_score_that_is_named_makes_the_check_low_and_a_thousandth_less_does_not(now):
    (miss,) = near_archive(*paces(now, 60))
    assert miss.setting == "min_score_keep_active 0.5 → 0.601"
    at = now + timedelta(seconds=30)
    flipped, less = (looked(at, draft_of(active_settings(), LOW_AT_ONCE | {"min_score_keep_active": keep})) for keep in (0.601, 0.6))
    assert (flipped[2].status.tolist(), less[2].status.tolist()) == ([ARCHIVED], [ACTIVE])


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
