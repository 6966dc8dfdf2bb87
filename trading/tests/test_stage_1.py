"""What holds for all of Stage 1: it knows no future, no scale and no neighbour, and a live window sees what a back-test sees."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokens.bar_grid import AMOUNTS, PRICES, Grid
from trading.market_state import StateRule, states_of
from trading.names import Trigger
from trading.reasons import AlertRule, CoFiring, alert
from trading.tests.stage_1 import market
from trading.thresholds import Thresholds
from trading.tiles import ROWS, WARM_UP, tiles
from trading.triggers import Fired, fire

few = settings(max_examples=settings().max_examples // 5)
READY = CoFiring.nothing_seen()


def watched(grid: Grid) -> tuple[np.ndarray, Fired, np.ndarray]:
    states = states_of(grid, StateRule())
    fired = fire(grid, Thresholds(), states)
    return states.code, fired, alert(fired, READY, AlertRule()).on


def same(one: tuple[np.ndarray, Fired, np.ndarray], other: tuple[np.ndarray, Fired, np.ndarray], chosen=np.s_[:]) -> None:
    np.testing.assert_array_equal(one[0], other[0][chosen])
    np.testing.assert_array_equal(one[2], other[2][chosen])
    for name in Trigger:
        np.testing.assert_array_equal(one[1].on[name], other[1].on[name][chosen], err_msg=name)
        np.testing.assert_array_equal(one[1].direction[name], other[1].direction[name][chosen])
        np.testing.assert_allclose(one[1].strength[name], other[1].strength[name][chosen], rtol=1e-5)


def with_other_future(grid: Grid, cut: int, seed: int) -> Grid:
    order = np.concatenate([np.arange(cut), cut + np.random.default_rng(seed).permutation(len(grid) - cut)])
    return replace(grid, **{name: getattr(grid, name)[order] for name in (*PRICES, *AMOUNTS)})


@few
@given(st.integers(0, 10_000), st.integers(1, 299))
def test_what_comes_later_changes_nothing(seed: int, cut: int) -> None:
    grid = market(seed)
    early = watched(grid.rows(slice(0, cut)))
    same(early, watched(grid), np.s_[:cut])
    same(early, watched(with_other_future(grid, cut, seed)), np.s_[:cut])


@pytest.mark.parametrize("cut", [WARM_UP + 3, ROWS - 1, 2 * ROWS + 300])
def test_nor_does_it_over_the_edges_of_tiles(cut: int) -> None:
    grid = market(11, bars=3 * ROWS, tokens=26)
    same(watched(grid.rows(slice(0, cut))), watched(grid), np.s_[:cut])


@few
@given(st.integers(0, 10_000), st.sampled_from([1e-9, 1e-3, 7.0, 1e5]))
def test_the_scale_of_the_price_plays_no_part(seed: int, scale: float) -> None:
    same(watched(market(seed, scale=scale)), watched(market(seed)))


@few
@given(st.integers(0, 10_000), st.permutations(range(5)))
def test_an_asset_knows_no_neighbour(seed: int, order: list[int]) -> None:
    grid = market(seed, tokens=5)
    same(watched(grid.columns(np.array(order))), watched(grid), np.s_[:, order])


def test_a_live_window_sees_what_a_back_test_sees() -> None:
    grid = market(5, bars=3000, tokens=3, gaps=0.005)
    whole = watched(grid)
    for row in range(700, 3000, 37):
        live = watched(grid.rows(slice(row + 1 - WARM_UP, row + 1)))
        for name in Trigger:
            np.testing.assert_array_equal(live[1].on[name][-1], whole[1].on[name][row], err_msg=f"{name} at {row}")
        np.testing.assert_array_equal(live[0][-1], whole[0][row])


def test_nothing_fires_at_a_missing_bar() -> None:
    grid = market(6, gaps=0.2)
    _, fired, alerts = watched(grid)
    missing = np.isnan(grid.close)
    assert not any(fired.on[name][missing].any() for name in Trigger)
    assert not alerts[missing].any()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (3, 2)])
def test_a_market_that_has_hardly_begun_is_watched_in_silence(shape: tuple[int, int]) -> None:
    code, fired, alerts = watched(market(1, bars=shape[0], tokens=shape[1]))
    assert code.shape == alerts.shape == shape
    assert not any(fired.on[name].any() for name in Trigger)


def test_the_newest_bars_can_be_cut_out() -> None:
    fired = watched(market(8))[1]
    last = fired.rows(slice(-1, None))
    assert last.seen.shape == (1, 3)
    assert all((last.on[name][0] == fired.on[name][-1]).all() for name in Trigger)


LONG = [
    {},
    {"volume_window": 240, "breakout_window": 240, "breakout_confirm": 5, "breakout_retest_bars": 120},
    {"divergence_span": 400, "divergence_reach": 12, "divergence_rsi_high": 50},
    {"near_level_reach": 60, "volatility_window": 240, "vwap_window": 240},
]


@pytest.mark.parametrize("first_row", [1, 520, 900])
@pytest.mark.parametrize("longer", LONG, ids=str)
def test_asked_for_its_newest_bars_only_stage_1_says_the_same_of_them(first_row: int, longer: dict[str, int]) -> None:
    grid, thresholds = market(9, bars=1000, tokens=8), replace(Thresholds(), **longer)
    states = states_of(grid, StateRule())
    whole, newest = fire(grid, thresholds, states), fire(grid, thresholds, states, first_row)
    for name in Trigger:
        np.testing.assert_array_equal(newest.on[name][first_row:], whole.on[name][first_row:], err_msg=name)
        np.testing.assert_array_equal(newest.measure[name][first_row:], whole.measure[name][first_row:])
        assert not newest.on[name][:first_row].any()


@given(st.integers(0, 9000), st.integers(0, 3000), st.integers(0, 500))
def test_tiles_cover_every_place_once(bars: int, tokens: int, first_row: int) -> None:
    bars, tokens = (bars, tokens % 40) if bars > 1000 else (bars, tokens)
    seen = np.zeros((bars, tokens), dtype=np.int8)
    for tile in tiles(bars, tokens, first_row):
        seen[tile.own] += 1
        assert tile.first == min(WARM_UP, tile.own[0].start)
    assert (seen[first_row:] == 1).all()
    assert not seen[:first_row].any()
