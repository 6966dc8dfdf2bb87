"""Where a market may turn."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning import indicators
from tokens.bar_grid import PRICES, empty
from trading import level_sources, levels, windows
from trading.judge_rule import JudgeRule
from trading.levels import EACH_SIDE, KINDS, NO_KIND
from trading.names import LevelKind
from trading.tests.points import MIDNIGHT, NAN, RULE, bars_of, market, newest

ONE = np.array([0])


def cut(grid, days=None):
    return windows.cut(grid, np.full(len(grid.tokens), len(grid) - 1), np.arange(len(grid.tokens)), days)


def found_in(grid, days=None, atr=0.01):
    window = cut(grid, days)
    return levels.find(window, np.full(len(window), atr), RULE, level_sources.volume_by_price(window, RULE.profile_bars))


def candidates(grid, kind, days=None):
    window = cut(grid, days)
    profile = level_sources.volume_by_price(window, RULE.profile_bars)
    return [
        one.price[0] * window.last[0] for one in level_sources.all_of(window, profile) if one.kind is kind and not np.isnan(one.price[0])
    ]


def merged(prices, weights, width):
    made = [
        level_sources.Candidate(LevelKind.SWING_MICRO, np.array([price]), np.array([weight]))
        for price, weight in zip(prices, weights, strict=True)
    ]
    return levels._merged(made, np.array([width]))


@given(
    pairs=st.lists(st.tuples(st.one_of(st.just(NAN), st.floats(0.5, 2)), st.floats(0.1, 2)), min_size=1, max_size=20),
    width=st.floats(0, 0.3),
)
def test_merged_levels_rise_and_lie_apart_and_keep_all_weight(pairs, width):
    _, price, weight = merged(*zip(*pairs, strict=True), width)
    known = price[~np.isnan(price)]
    assert (np.diff(known) > 0).all()
    assert weight.sum() == pytest.approx(sum(one for level, one in pairs if not np.isnan(level)))
    assert known.size == 0 or (known >= np.nanmin([p for p, _ in pairs]) - 1e-12).all()


def test_near_levels_are_one_at_their_mean_by_weight():
    kind, price, weight = merged([1.0, 1.01, 1.2], [1.0, 3.0, 1.0], width=0.02)
    assert price[:2, 0] == pytest.approx([1.0075, 1.2])
    assert (weight[0, 0], KINDS[kind[0, 0]]) == (4.0, LevelKind.SWING_MICRO)


def test_a_chain_of_near_levels_does_not_swallow_the_scale():
    _, price, _ = merged([1.0, 1.04, 1.08, 1.12], [1.0] * 4, width=0.05)
    assert np.isfinite(price[:, 0]).sum() == 2


@given(seed=st.integers(0, 500))
def test_supports_lie_below_and_resistances_above_the_nearest_first(seed):
    found = newest(market(seed, width=5, gaps=0.1)).levels
    below, above = found.price[:EACH_SIDE] - 1, found.price[EACH_SIDE:] - 1
    assert not (below > 0).any()
    assert not (above <= 0).any()
    assert not (np.diff(below, axis=0) > 0).any()
    assert not (np.diff(above, axis=0) < 0).any()
    known = ~np.isnan(found.strength)
    assert ((found.strength[known] >= 0) & (found.strength[known] < 1)).all()
    assert (known == (found.kind != NO_KIND)).all()


def test_pivots_of_the_day_are_the_textbooks():
    days = empty(windows.DAY_SEC, MIDNIGHT - windows.DAY_SEC, 1, np.array([1]))
    for name, value in zip(PRICES, (9.0, 12.0, 9.0, 12.0), strict=True):
        getattr(days, name)[:] = value
    assert sorted(candidates(bars_of([10.0] * 30), LevelKind.DAY_PIVOT, days)) == pytest.approx([8, 10, 11, 13, 14])
    assert sorted(candidates(bars_of([10.0] * 30), LevelKind.DAY_RANGE, days)) == pytest.approx([9, 12])


def test_an_unknown_day_has_neither_pivots_nor_a_range():
    grid = market(1, bars=480, width=1)
    assert candidates(grid, LevelKind.DAY_PIVOT) == candidates(grid, LevelKind.DAY_RANGE) == []


def test_the_busiest_price_is_a_level():
    closes = [1.0 + 0.002 * (place % 100) for place in range(400)]
    grid = bars_of(closes)
    grid.volume[np.abs(grid.close[:, 0] - 1.1) < 0.005, 0] *= 50
    assert any(abs(price - 1.1) < 0.006 for price in candidates(grid, LevelKind.VOLUME_PROFILE))


def test_a_profile_needs_bars_that_tell_their_volume():
    closes = [1.0 + 0.002 * (place % 100) for place in range(400)]
    few, silent = bars_of(closes[: RULE.profile_bars - 1]), bars_of(closes, volume=NAN)
    assert candidates(few, LevelKind.VOLUME_PROFILE) == candidates(silent, LevelKind.VOLUME_PROFILE) == []
    assert candidates(bars_of(closes, volume=0.0), LevelKind.VOLUME_PROFILE) == []


def test_all_traded_dollars_are_in_the_profile():
    window = cut(market(3, width=3))
    traded, _, _ = level_sources.volume_by_price(window, 1)
    np.testing.assert_allclose(traded.sum(axis=0), np.nansum(window.volume, axis=0))


def test_vwap_is_anchored_at_midnight_and_the_first_bar():
    grid = bars_of([1.0] * 30 + [2.0] * 30, start=MIDNIGHT - 1800)
    assert candidates(grid, LevelKind.VWAP_FIRST) == pytest.approx([np.mean(cut_typical(grid))])
    assert candidates(grid, LevelKind.VWAP_SESSION) == pytest.approx([np.mean(cut_typical(grid)[30:])])


def cut_typical(grid):
    return ((grid.high + grid.low + grid.close) / 3)[:, 0]


def test_a_token_that_is_older_than_the_window_has_no_first_bar():
    assert candidates(bars_of([1.0] * 600), LevelKind.VWAP_FIRST) == []


def test_the_band_around_vwap_is_one_standard_deviation():
    grid = bars_of([1.0, 2.0] * 20, start=MIDNIGHT)
    typical = cut_typical(grid)
    band = candidates(grid, LevelKind.VWAP_BAND)
    assert band[:2] == pytest.approx([typical.mean() + typical.std(), typical.mean() - typical.std()])


def test_without_any_level_there_is_a_fallback_that_says_so():
    found = found_in(bars_of([1.0]), atr=0.02)
    assert [KINDS[code] for code in found.kind[[0, EACH_SIDE], 0]] == [LevelKind.FALLBACK] * 2
    assert found.price[[0, EACH_SIDE], 0] == pytest.approx([0.97, 1.03])
    assert not found.real(found.support)[0]
    assert np.isnan(found.away(found.support)[0])


def test_without_levels_and_without_atr_there_is_nothing():
    found = found_in(bars_of([1.0]), atr=NAN)
    assert (found.support[0], found.resistance[0]) == (-1, -1)
    assert (found.kind == NO_KIND).all()


def test_levels_that_were_visited_often_are_stronger():
    often = ([1.0] * 10 + [1.1] * 10) * 15
    price = np.full((1, 1), 1.0 / 1.1)
    visits = [levels._visits(cut(bars_of(closes)), price, np.array([0.001]))[0, 0] for closes in (often, often[:10] + [1.1] * 290)]
    assert (visits[0], visits[1]) == (15, 1)


def test_the_nearest_level_is_nearest_by_distance_and_strength():
    price, strength = np.array([[0.99], [0.985]]), np.array([[0.0], [0.9]])
    assert levels._nearest(price, strength, slice(0, 2))[0] == 1


@given(seed=st.integers(0, 200))
@hypothesis.settings(max_examples=20)
def test_levels_move_with_the_scale_of_merging_only(seed):
    grid = market(seed, width=3)
    wide = newest(grid, rule=JudgeRule(merge_atr=3.0)).levels
    near = newest(grid, rule=JudgeRule(merge_atr=0.1)).levels
    assert (np.isnan(wide.price).sum(axis=0) >= np.isnan(near.price).sum(axis=0)).all()


def test_a_huge_price_before_an_anchor_leaves_no_trace_in_its_vwap():
    grid = bars_of([1e7] * 20 + [1.0, 1.002] * 60, start=MIDNIGHT - 1200)
    grid.open[20] = grid.high[20] = 1.0  # the fall lies between the bars
    typical = cut_typical(grid)[20:]
    session = candidates(grid, LevelKind.VWAP_SESSION)
    assert session == pytest.approx([typical.mean()], rel=1e-12)
    assert any(abs(price - typical.mean() - typical.std()) < 1e-12 for price in candidates(grid, LevelKind.VWAP_BAND))


@given(seed=st.integers(0, 200))
def test_vwap_since_midnight_is_that_of_the_indicators(seed):
    grid = market(seed, bars=300, width=1, gaps=0.1)
    anchors = np.arange(300) == 0
    mean, _ = indicators.anchored_vwap(grid.high, grid.low, grid.close, grid.volume, anchors)
    newest_known = np.flatnonzero(~np.isnan(mean[:, 0]))[-1]
    for price in candidates(grid, LevelKind.VWAP_SESSION):
        assert price == pytest.approx(mean[newest_known, 0])
