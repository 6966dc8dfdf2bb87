"""What surrounds a judged point, beside its plain formula; and what is not known."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import context as contexts
from trading import level_sources, windows
from trading.context import OLDEST, Context, Facts
from trading.names import Session
from trading.tests.points import MIDNIGHT, NAN, RULE, bars_of, market

# Known although no bar is near: they speak of the data themselves, or of the day.
OF_THE_DATA = {"age", "bars", "missing", "token_age_sec", "hour", "day_age_sec", "wallet_share", "turnover"}


def seen(grid, **facts):
    rows, columns = np.array([len(grid) - 1]), np.array([0])
    cut = windows.cut(grid, rows, columns)
    known = replace(Facts.unknown(1), **{name: np.array([value]) for name, value in facts.items()})
    profile = level_sources.volume_by_price(cut, RULE.profile_bars)
    return contexts.describe(cut, known, contexts.measure(grid), rows, columns, profile)


def column(grid, name):
    return getattr(grid, name)[:, 0]


ONE = market(11, bars=480, width=1)


def test_the_volume_is_held_against_the_bars_before_it():
    volume = column(ONE, "volume")
    assert seen(ONE).volume_z[0] == pytest.approx((volume[-1] - volume[-51:-1].mean()) / volume[-51:-1].std())


def test_the_deviation_from_vwap_is_that_of_its_definition():
    typical = (column(ONE, "high") + column(ONE, "low") + column(ONE, "close"))[-30:] / 3
    vwap = np.average(typical, weights=column(ONE, "volume")[-30:])
    assert seen(ONE).vwap_deviation[0] == pytest.approx(column(ONE, "close")[-1] / vwap - 1)


def test_moves_are_told_in_atr():
    close, atr, found = column(ONE, "close"), contexts.measure(ONE).atr[-1, 0], seen(ONE)
    assert found.atr[0] == pytest.approx(atr / close[-1])
    assert found.shock[0] == pytest.approx((close[-1] - close[-2]) / atr)
    assert found.over_high[0] == pytest.approx((close[-1] - column(ONE, "high")[-61:-1].max()) / atr)
    assert found.under_low[0] == pytest.approx((column(ONE, "low")[-61:-1].min() - close[-1]) / atr)


def test_the_range_of_the_last_hour_and_the_place_in_it():
    high, low, close = (column(ONE, name)[-60:] for name in ("high", "low", "close"))
    found = seen(ONE)
    assert found.band[0] == pytest.approx((high.max() - low.min()) / close[-1])
    assert found.band_place[0] == pytest.approx((close[-1] - low.min()) / (high.max() - low.min()))


def test_a_trend_is_way_made_over_way_gone():
    steps = np.diff(np.log(column(ONE, "close")[-16:]))
    assert seen(ONE).trend_minutes[0] == pytest.approx(steps.sum() / np.abs(steps).sum())
    fives = np.diff(np.log(column(ONE, "close")[4::5][-25:]))
    assert seen(ONE).trend_fives[0] == pytest.approx(fives.sum() / np.abs(fives).sum())
    hours = np.diff(np.log(column(ONE, "close")[59::60]))
    assert seen(ONE).trend_hours[0] == pytest.approx(hours.sum() / np.abs(hours).sum())


def test_volatility_is_the_range_of_five_bars_over_the_usual_one():
    ranges = column(ONE, "high") - column(ONE, "low")
    assert seen(ONE).volatility[0] == pytest.approx(ranges[-5:].mean() / ranges[-245:-5].mean())


def test_a_random_walk_keeps_its_moves_and_a_saw_takes_them_back():
    walk = np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 480)))
    saw = [1.0 + 0.01 * (place % 2) for place in range(480)]
    assert 0.6 < seen(bars_of(list(walk))).variance_ratio[0] < 1.6
    assert seen(bars_of(saw)).variance_ratio[0] < 0.3


def test_an_even_rise_has_a_slope_an_hour():
    found = seen(bars_of([1.001**place for place in range(300)]))
    assert found.slope_fives[0] == pytest.approx(60 * np.log(1.001))
    assert (found.trend_minutes[0], found.trend_fives[0]) == (1, 1)


def test_buyers_share_is_in_dollars():
    grid = bars_of([1.0] * 60)
    grid.buy_volume[-15:] = 250.0
    assert seen(grid).buy_share[0] == 0.25


def test_nothing_traded_has_no_buyers_share():
    assert np.isnan(seen(bars_of([1.0] * 60, volume=0.0)).buy_share[0])


def test_half_of_the_volume_below_the_price_is_the_middle_of_value():
    closes = [1.0 + 0.002 * (place % 100) for place in range(400)] + [1.0991]
    assert seen(bars_of(closes)).value_place[0] == pytest.approx(0.5, abs=0.03)


def test_a_spread_that_trades_bounce_over_is_seen():
    chance = np.random.default_rng(5)
    middle = np.exp(np.cumsum(chance.normal(0, 1e-4, 480)))
    grid = bars_of(list(middle))
    grid.high[:, 0], grid.low[:, 0] = middle * 1.01, middle * 0.99
    grid.close[:, 0] = middle * np.where(chance.random(480) < 0.5, 1.01, 0.99)
    assert seen(grid).spread[0] == pytest.approx(0.02, rel=0.35)


def test_a_gap_at_the_end_makes_figures_older_and_then_unknown():
    young, old = (seen(bars_of([1.0, 1.1] * 100 + [NAN] * gap, reach=0.01)) for gap in (OLDEST, OLDEST + 1))
    assert (young.age[0], old.age[0]) == (OLDEST, OLDEST + 1)
    assert young.rsi[0] == pytest.approx(seen(bars_of([1.0, 1.1] * 100, reach=0.01)).rsi[0])
    for field in fields(Context):
        if field.name not in OF_THE_DATA:
            assert np.isnan(getattr(old, field.name)[0]), field.name


def test_missing_bars_are_counted_from_the_first_one_on():
    assert seen(bars_of([1.0] * 10)).missing[0] == 0
    assert seen(bars_of([1.0, NAN, NAN, 1.0])).missing[0] == 0.5
    assert seen(bars_of([1.0] * 100 + [NAN] * 15 + [1.0] * 45)).missing[0] == 0.25


def test_the_age_of_a_token_is_that_of_its_birth_or_of_its_first_bar():
    grid = bars_of([1.0] * 30)
    assert seen(grid, born=float(MIDNIGHT - 60)).token_age_sec[0] == 31 * 60
    assert seen(grid).token_age_sec[0] == 30 * 60
    assert np.isnan(seen(bars_of([1.0] * 600)).token_age_sec[0])


def test_the_figures_against_wash_trades():
    found = seen(bars_of([1.0] * 30), wallets=50.0, trades=1000.0, volume_24h=1e5, liquidity=2e4)
    assert (found.wallet_share[0], found.turnover[0]) == (0.05, 5.0)


@pytest.mark.parametrize(
    "facts",
    [
        {"wallets": 5.0, "trades": 0.0},
        {"wallets": 1.0, "trades": 19.0},
        {"wallets": 50.0, "trades": 40.0},
        {"volume_24h": 5.0, "liquidity": 0.0},
        {"volume_24h": -1.0, "liquidity": 1.0},
    ],
)
def test_a_share_of_nothing_is_unknown(facts):
    found = seen(bars_of([1.0] * 30), **facts)
    assert np.isnan([found.wallet_share[0], found.turnover[0]]).all()


@pytest.mark.parametrize(
    ("hour", "where"),
    [(0.0, Session.ASIA), (6.99, Session.ASIA), (7.0, Session.EUROPE), (15.5, Session.AMERICA), (24.0, Session.ASIA)],
)
def test_it_is_always_day_somewhere(hour, where):
    assert contexts.session(hour) is where


def test_the_impact_is_that_of_a_constant_product():
    known, unknown, empty = (replace(Facts.unknown(1), liquidity=np.array([value])) for value in (10_000.0, NAN, 0.0))
    dollars, coins = 5000.0, 1000.0
    after = (dollars + 200) / (dollars * coins / (dollars + 200))
    assert contexts.impact(known, 200, 5000)[0] == pytest.approx(after / (dollars / coins) - 1)
    assert contexts.impact(unknown, 200, 10_000)[0] == pytest.approx(after / (dollars / coins) - 1)
    assert contexts.impact(empty, 200, 5000)[0] == np.inf


@given(seed=st.integers(0, 300), gaps=st.sampled_from([0.0, 0.3, 0.9]))
def test_no_figure_is_ever_infinite(seed, gaps):
    found = seen(market(seed, width=1, gaps=gaps))
    assert not any(np.isinf(getattr(found, field.name)).any() for field in fields(Context))


@given(seed=st.integers(0, 300))
def test_shares_lie_between_0_and_1_and_trends_between_minus_1_and_1(seed):
    found = seen(market(seed, width=1, gaps=0.1))
    for name in ("missing", "band_place", "wick_low", "wick_high", "buy_share", "busiest_share", "value_place"):
        assert not (getattr(found, name) < -1e-9).any(), name
        assert not (getattr(found, name) > 1 + 1e-9).any(), name
    for name in ("trend_minutes", "trend_fives", "trend_hours"):
        assert not (np.abs(getattr(found, name)) > 1 + 1e-9).any(), name
