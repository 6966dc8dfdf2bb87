"""The whole judgement: of what it may depend, and what it says."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.bar_grid import AMOUNTS, PRICES, joined
from trading import context as contexts
from trading.judgement import BASES, RECOMMENDATIONS, RISKS, judge
from trading.names import Basis, Recommendation, RiskClass
from trading.tests.points import MIDNIGHT, NAN, RULE, arrays, assert_alike, assert_same, bars_of, market, newest, only, times
from trading.windows import day_bars

IN_DOLLARS = ("price", "entry", "stop", "targets")


@given(seed=st.integers(0, 500), factor=st.floats(1e-9, 1e5), gaps=st.sampled_from([0.0, 0.2]))
def test_in_another_unit_of_money_the_judgement_is_the_same(seed, factor, gaps):
    grid = market(seed, width=2, gaps=gaps)
    one, other = newest(grid), newest(times(grid, factor))
    assert_alike(one, other, leave_out=IN_DOLLARS)
    np.testing.assert_allclose(other.targets, one.targets * factor, rtol=1e-9)


@pytest.mark.parametrize("factor", [1.2e-12, 1.2e-6, 1.0, 1e5])
def test_a_coin_of_a_millionth_and_bitcoin_are_judged_by_the_same_code(factor):
    grid = market(8, width=6)
    assert_alike(newest(grid), newest(times(grid, factor)), leave_out=IN_DOLLARS)


@given(seed=st.integers(0, 500), cut=st.integers(1, 560))
def test_the_future_appended_and_shuffled_changes_nothing(seed, cut):
    grid = market(seed, bars=560, width=3, gaps=0.1)
    past = grid.rows(slice(0, cut))
    later = grid.rows(slice(cut, None))
    order = np.random.default_rng(seed).permutation(len(later))
    for name in (*PRICES, *AMOUNTS):
        getattr(later, name)[:] = 7.0 * getattr(later, name)[order]
    rows, columns = np.array([cut - 1, cut // 2, cut - 1]), np.array([0, 1, 2])
    assert_same(judge(past, rows, columns), judge(joined(past, later), rows, columns))


def test_more_than_a_window_of_past_changes_nothing_but_rounding():
    grid = market(5, bars=1300, width=4)
    live = grid.rows(slice(len(grid) - 480, None))
    assert_alike(newest(grid), newest(live, days=day_bars(grid)), leave_out=(".rows",))


@given(seed=st.integers(0, 500))
def test_points_are_judged_alone(seed):
    grid = market(seed, width=4, gaps=0.1)
    rows, columns = np.array([499, 320, 77, 499]), np.array([2, 0, 3, 1])
    together = judge(grid, rows, columns)
    for place in range(4):
        assert_alike(judge(grid, rows[place : place + 1], columns[place : place + 1]), only(together, place), leave_out=())


def test_many_points_are_judged_in_pieces_that_nobody_sees():
    grid = market(2, width=600)
    whole = newest(grid)
    for place in (0, 499, 500, 599):
        assert_alike(judge(grid, np.array([499]), np.array([place]), rule=RULE), only(whole, place), leave_out=())


def test_no_points_are_no_judgements():
    none = np.array([], dtype=np.int64)
    assert len(judge(market(1), none, none)) == 0


WICK = [1.0] * 200 + [9.0] + [1.0] * 60


@pytest.mark.parametrize(
    ("grid", "basis"),
    [
        (bars_of([NAN] * 50), Basis.NOTHING_KNOWN),
        (bars_of([1.0, 1.1, 1.2], reach=0.01), None),
        (bars_of([1.0] * 300), None),
        (bars_of([1.0, NAN, NAN, NAN] * 60, reach=0.01), None),
        (bars_of(WICK, reach=0.01), None),
        (bars_of([1.0 + 0.01 * (place % 7) for place in range(300)], reach=0.01, volume=0.0), None),
        (bars_of([1.0 + 0.01 * (place % 7) for place in range(300)], reach=0.01, volume=NAN), None),
        (bars_of([1e-9 * 1.1**place for place in range(300)], reach=0.01), None),
    ],
    ids=["nothing", "three bars", "flat", "gaps", "one wick", "no volume", "unknown volume", "ever up"],
)
def test_degenerate_bars_are_judged_without_inventing_anything(grid, basis):
    found = newest(grid)
    assert basis is None or BASES[found.basis[0]] is basis
    for path in (".score", ".confidence"):
        assert not (arrays(found)[path] > 1).any()
    assert not any(np.isinf(values).any() for path, values in arrays(found).items() if values.dtype == float and path != ".impact")


def test_a_flat_price_has_no_plan_and_an_unknown_trend():
    found = newest(bars_of([1.0] * 300))
    assert found.context.atr[0] == 0
    assert np.isnan([found.context.trend_fives[0], found.context.shock[0], found.entry[0], found.stop[0]]).all()
    assert RECOMMENDATIONS[found.recommendation[0]] is Recommendation.WAIT


def test_an_atr_below_a_ten_thousandth_is_used_as_it_is():
    grid = market(4, width=8, noise=2e-6)
    found = newest(grid)
    assert ((found.context.atr > 0) & (found.context.atr < 1e-4)).all()
    np.testing.assert_allclose(found.context.band, found.context.band_atr * found.context.atr, rtol=1e-6)


@given(seed=st.integers(0, 2000))
def test_a_plan_is_on_the_right_sides_of_its_entry_whatever_the_scenario(seed):
    rule = type(RULE)(short=True, round_trip_cost=0.0)
    grid = market(seed, width=30)
    facts = contexts.Facts.unknown(30)
    facts.may_be_short[:] = True
    found = newest(grid, rule=rule, facts=facts)
    there = found.side != 0
    side, entry, targets = found.side[there], found.entry[there], found.targets[:, there]
    assert (side * (entry - found.stop[there]) > 0).all()
    assert (np.diff(np.vstack([side * entry, side * targets]), axis=0) > 0).all()
    assert np.isnan(found.stop[~there]).all()


def test_a_pump_token_is_never_planned_to_fall():
    found = newest(market(1, width=400), rule=type(RULE)(short=True))
    sells = np.isin(found.recommendation, [RECOMMENDATIONS.index(one) for one in (Recommendation.SELL, Recommendation.SELL_ON_RALLIES)])
    assert sells.any()
    assert (found.side[sells] == 0).all()


def test_an_exchange_symbol_falls_on_paper_only_where_the_operator_says_so():
    grid = market(1, width=400)
    facts = contexts.Facts.unknown(400)
    facts.may_be_short[:] = True
    assert not (newest(grid, facts=facts).side < 0).any()
    assert (newest(grid, facts=facts, rule=type(RULE)(short=True)).side < 0).any()


def test_confidences_of_different_markets_differ():
    found = newest(market(7, width=200))
    known = found.confidence[~np.isnan(found.confidence)]
    assert len(np.unique(known)) > 100
    assert known.std() > 0.05


def test_an_unknown_pool_is_no_low_risk():
    grid = market(7, width=50, noise=0.002)
    known = contexts.Facts.unknown(50)
    known.liquidity[:] = 1e7
    assert not (newest(grid).risk_class == RISKS.index(RiskClass.LOW)).any()
    assert (newest(grid, facts=known).risk_class == RISKS.index(RiskClass.LOW)).any()


def test_the_newest_day_moves_no_judgement_of_the_bar_before_midnight():
    grid = market(3, bars=1500, width=3, start=MIDNIGHT)
    rows, columns = np.full(3, 1438), np.arange(3)
    found = judge(grid, rows, columns)
    assert np.isnan(found.context.day_age_sec).all()
    assert (judge(grid, rows + 1, columns).context.day_age_sec == 0).sum() >= 1


@given(seed=st.integers(0, 50), cut=st.integers(1441, 2990))
@hypothesis.settings(max_examples=15)
def test_a_day_that_is_not_over_is_not_known(seed, cut):
    grid = market(seed, bars=3000, width=2)
    later = grid.rows(slice(cut, None))
    for name in PRICES:
        getattr(later, name)[:] *= 9.0
    rows, columns = np.array([cut - 1, 1500]), np.array([0, 1])
    rows = np.minimum(rows, cut - 1)
    past, whole = judge(grid.rows(slice(0, cut)), rows, columns), judge(joined(grid.rows(slice(0, cut)), later), rows, columns)
    assert_same(past, whole)


def test_a_live_window_with_its_days_is_judged_as_the_whole_past():
    grid = market(6, bars=3000, width=4)
    live = grid.rows(slice(len(grid) - 480, None))
    assert_alike(newest(grid), newest(live, days=day_bars(grid)), leave_out=(".rows",))
    assert not np.isnan(newest(live, days=day_bars(grid)).context.day_age_sec).all()
