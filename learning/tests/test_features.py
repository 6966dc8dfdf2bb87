"""The 240 slots: they vary, none is another's copy, none hears what stands beside or before its window, and each says why it is silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from learning.features import FEATURES, FeatureInputs, Features, Working, compute
from learning.features.inputs import LATE, ROWS, WINDOW, Market
from learning.features.slots import TOKEN, Group
from learning.features.surroundings import middle
from learning.missing import WORDS, Reason
from learning.schema import NAMES, PLACES, SIZE, SLOTS
from learning.tests import features_checked as checked
from learning.tests.lively import World, moment_of
from tokens.bar_grid import PRICES


@pytest.fixture(scope="module")
def lively() -> np.ndarray:
    """Vectors of some dozen tokens at some dozen moments of two days and a half; nearly all is known."""
    world = World(5, tokens=40, minutes=60 * 60, gaps=0.003, young=0.0)
    world.tells_holders[:] = True
    world.pools_of[:] = world.chance.integers(2, 4, world.tokens)
    moments = [compute(world.inputs(at, late=at % 3)) for at in range(60 * 26, 60 * 60, 67)]
    return np.concatenate([moment.values for moment in moments]).astype(np.float64)


@pytest.fixture
def moment() -> FeatureInputs:
    """One moment with young tokens, gaps and tokens nobody tells the holders of."""
    return World(1, tokens=30, minutes=60 * 27).inputs(60 * 26)


def value(found: Features, name: str, token: int = 0) -> float:
    return float(found.values[token, PLACES[name]])


def reason(found: Features, name: str, token: int = 0) -> Reason:
    return Reason(int(found.reasons[token, PLACES[name]]))


def test_there_are_240_slots_each_with_a_name_of_its_own_a_unit_and_a_meaning() -> None:
    assert len(SLOTS) == len(set(NAMES)) == SIZE == 240
    assert all(slot.name.isidentifier() and slot.unit and slot.text.endswith(".") for slot in SLOTS)
    assert len({slot.text for slot in SLOTS}) > 220


def test_no_slot_is_a_constant(lively: np.ndarray) -> None:
    assert checked.constants(lively, NAMES) == []


def test_no_slot_is_a_copy_of_another(lively: np.ndarray) -> None:
    assert checked.copies(lively, NAMES) == []


def test_the_checker_finds_a_planted_constant_and_planted_copies(lively: np.ndarray) -> None:
    own = lively[:, PLACES["rsi_14m"]]
    planted = np.column_stack([lively, np.full(len(lively), 3.0), own, 100.0 - own, np.exp(own / 10)])
    names = [*NAMES, "constant", "same", "mirrored", "bent"]
    assert checked.constants(planted, names) == ["constant"]
    found = checked.copies(np.delete(planted, len(NAMES), axis=1), [*NAMES, "same", "mirrored", "bent"])
    assert {pair for pair in found if "rsi_14m" in pair} == {("rsi_14m", name) for name in ("same", "mirrored", "bent")}


def test_a_value_is_unknown_exactly_where_there_is_a_reason(moment: FeatureInputs) -> None:
    found = compute(moment)
    np.testing.assert_array_equal(np.isnan(found.values), found.reasons != Reason.OK)
    assert found.values.dtype == np.float32
    assert len(set(np.unique(found.reasons).tolist())) >= 6


def test_a_token_has_the_same_bits_alone_in_any_order_and_among_any_others(moment: FeatureInputs) -> None:
    whole = compute(moment)
    for chosen in ([4], [9, 2], [5, 4, 3], list(range(29, -1, -1)), list(range(17)) * 60):
        some = compute(moment.columns(chosen))
        assert some.values.tobytes() == whole.values[chosen].tobytes()
        assert some.reasons.tobytes() == whole.reasons[chosen].tobytes()


def test_what_lies_before_the_window_is_not_heard(moment: FeatureInputs) -> None:
    first, market = ROWS - WINDOW - 1, moment.market
    shorter = replace(
        moment,
        minutes=moment.minutes.rows(slice(first, None)),
        sol=moment.sol[first:],
        market=Market(market.close[first:], market.volume[first:], market.born),
    )
    near = compute(moment).values[:, PLACES["bar_age"]] < 2.0
    assert near.sum() > 10
    assert compute(shorter).values[near].tobytes() == compute(moment).values[near].tobytes()


def test_another_unit_of_money_changes_no_slot_that_is_not_named_after_it(moment: FeatureInputs) -> None:
    """Prices a million times as high: nothing. (Only powers of two keep every bit.)"""
    for name in PRICES:
        getattr(moment.minutes, name)[:] *= 2.0**20
        getattr(moment.hours, name)[:] *= 2.0**20
    before = compute(World(1, tokens=30, minutes=60 * 27).inputs(60 * 26))
    scaled = replace(
        moment,
        market=Market(moment.market.close * 2.0**20, moment.market.volume, moment.market.born),
        looks=moment.looks | {"price": moment.looks["price"] * 2.0**20},
    )
    found = compute(scaled)
    np.testing.assert_allclose(found.values, before.values, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.reasons, before.reasons)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e5])
def test_prices_of_any_size_are_understood(scale: float) -> None:
    found = compute(moment_of(np.tile(scale * np.exp(np.sin(np.arange(ROWS) / 5.0))[:, None], 6)))
    assert not found.reasons[:, [PLACES[name] for name in ("return_5m", "rsi_14m", "bollinger_place_20m", "hurst_90m", "beta_60m")]].any()


def test_a_price_that_stands_still_has_no_oscillators_and_says_so() -> None:
    found = compute(moment_of(np.full((ROWS, 6), 1e-7)))
    silent = (
        "rsi_14m",
        "stochastic_14m",
        "cci_20m",
        "adx_14m",
        "bollinger_place_20m",
        "line_fit_60m",
        "hurst_90m",
        "skew_60m",
        "macd_line",
    )
    told = {name: reason(found, name) for name in silent}
    assert told.pop("macd_line") == Reason.OK
    assert set(told.values()) == {Reason.FLAT}
    assert [value(found, name) for name in ("return_5m", "volatility_60m", "slope_60m", "macd_line", "streak")] == [0.0] * 5


def test_three_bars_of_a_token_just_born_are_told_as_young() -> None:
    close = np.full((ROWS, 6), np.nan)
    close[-3:] = [[1.0], [1.1], [1.05]]
    found = compute(moment_of(close, born_ago=200.0))
    assert value(found, "return_2m") == pytest.approx(np.log(1.05))
    assert {reason(found, name) for name in ("return_5m", "rsi_14m", "sma_gap_20m", "slope_60m", "hurst_90m", "return_4h")} == {
        Reason.YOUNG
    }


def test_the_same_three_bars_of_an_old_token_are_a_gap_of_ours() -> None:
    close = np.full((ROWS, 6), np.nan)
    close[-3:] = [[1.0], [1.1], [1.05]]
    found = compute(moment_of(close))
    assert {reason(found, name) for name in ("return_5m", "rsi_14m", "sma_gap_20m", "slope_60m", "hurst_90m", "return_4h")} == {Reason.GAP}


def test_a_missing_minute_silences_what_needs_it_and_no_average_over_many() -> None:
    close = np.tile(np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, ROWS)))[:, None], 6)
    close[-6] = np.nan
    found = compute(moment_of(close))
    assert reason(found, "return_5m") == Reason.GAP
    assert {reason(found, name) for name in ("return_10m", "sma_gap_20m", "volatility_60m", "rsi_14m")} == {Reason.OK}


def test_a_token_whose_newest_bar_is_old_says_nothing_of_now() -> None:
    close = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, (ROWS, 6)), axis=0))
    close[-LATE - 1 :, 0] = np.nan
    close[-LATE:, 1] = np.nan
    found = compute(moment_of(close))
    assert reason(found, "return_1m", 0) == Reason.STALE
    assert reason(found, "return_1m", 1) == Reason.OK
    assert value(found, "bar_age", 1) - value(found, "bar_age", 2) == LATE


def test_unknown_amounts_have_no_source_and_nothing_traded_is_not_unknown() -> None:
    close = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, (ROWS, 6)), axis=0))
    inputs = moment_of(close)
    inputs.minutes.volume[:, 0], inputs.minutes.volume[:, 1], inputs.minutes.buy_volume[:, 2] = np.nan, 0.0, np.nan
    found = compute(inputs)
    assert [reason(found, "vwap_gap_30m", token) for token in range(3)] == [Reason.NO_SOURCE, Reason.NO_TRADES, Reason.OK]
    assert reason(found, "buy_share_15m", 2) == Reason.NO_SOURCE
    assert value(found, "volume_usd_60m", 1) == 0.0


def test_nobody_told_is_not_nobody_holds(moment: FeatureInputs) -> None:
    looks = {name: np.array(values) for name, values in moment.looks.items()}
    looks["holders"][:, 0], looks["unique_wallets_5m"][:, 0], looks["buys_volume_5m"][:, 0] = np.nan, np.nan, np.nan
    looks["tx_count_1h"][:, 1] = 0.0
    for values in looks.values():
        values[:, 2] = np.nan
    found = compute(replace(moment, looks=looks))
    told = [reason(found, name, 0) for name in ("holders", "holder_growth_60m", "wallets_per_trade", "imbalance_volume")]
    assert told == [Reason.NO_HOLDERS, Reason.NO_HOLDERS, Reason.NO_WALLETS, Reason.NO_FLOW]
    assert reason(found, "trades_acceleration", 1) == Reason.NO_TRADES
    assert reason(found, "trades_acceleration", 2) == Reason.NO_SNAPSHOT


def test_a_market_of_four_is_none_and_an_unwatched_sol_has_no_source() -> None:
    found = compute(moment_of(np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, (ROWS, 4)), axis=0))))
    names = ("market_return_15m", "excess_return_15m", "return_rank_15m", "volume_rank_60m")
    assert {reason(found, name) for name in names} == {Reason.FEW_TOKENS}
    assert reason(found, "sol_return_15m") == reason(found, "sol_correlation_60m") == Reason.NO_SOURCE


@pytest.mark.parametrize("tokens", [0, 1, 2])
@pytest.mark.parametrize("rows", [0, 1, 5, ROWS])
def test_few_tokens_few_rows_and_nothing_at_all_are_no_trouble(tokens: int, rows: int) -> None:
    found = compute(moment_of(np.full((rows, tokens), np.nan)))
    known = {name for name, place in PLACES.items() if not found.reasons[:, place].any()}
    assert found.values.shape == (tokens, 240)
    assert tokens == 0 or known == {slot.name for slot in SLOTS if slot.group == "age and calendar"} - {"bar_age"}


def test_prices_that_are_none_are_gaps() -> None:
    close = np.full((ROWS, 6), 1.0)
    close[:, 0], close[:, 1] = 0.0, -1.0
    found = compute(moment_of(close))
    assert [reason(found, "return_5m", token) for token in range(3)] == [Reason.NO_BARS, Reason.NO_BARS, Reason.OK]


def test_a_number_beyond_four_bytes_says_so(moment: FeatureInputs) -> None:
    planted = Group("planted")("huge", "USD", "Too much.", TOKEN, lambda s: np.full(s.count, 1e300))
    found = compute(moment, [planted])
    assert set(found.reasons.ravel().tolist()) == {Reason.OUT_OF_RANGE}


def test_every_reason_has_words_and_fits_into_half_a_byte() -> None:
    assert set(WORDS) == set(Reason)
    assert max(Reason) < 16


def test_a_part_of_the_slots_is_the_same_as_in_the_whole(moment: FeatureInputs) -> None:
    chosen = [*range(3, 240, 11)]
    some = compute(moment, [FEATURES[place] for place in chosen])
    assert some.values.tobytes() == np.ascontiguousarray(compute(moment).values[:, chosen]).tobytes()


def test_a_few_slots_at_a_time_come_to_the_whole(moment: FeatureInputs) -> None:
    working, whole, times = Working(moment), compute(moment), 0
    while not working.done:
        working.go_on(7)
        times += 1
    assert times == 35  # sevens in 240
    assert working.found().values.tobytes() == whole.values.tobytes()
    assert working.found().reasons.tobytes() == whole.reasons.tobytes()


def test_an_exchange_symbol_has_no_age_and_nobody_could_tell_it(moment: FeatureInputs) -> None:
    born = moment.born.copy()
    born[3] = np.nan
    found = compute(replace(moment, born=born), [FEATURES[PLACES["age"]]])
    assert np.flatnonzero(np.isnan(found.values[:, 0])).tolist() == [3]
    assert Reason(int(found.reasons[3, 0])) == Reason.NO_SOURCE


def test_shapes_that_do_not_fit_each_other_are_refused(moment: FeatureInputs) -> None:
    with pytest.raises(ValueError, match=r"holders is \(4, 29\), not \(4, 30\)"):
        replace(moment, looks=moment.looks | {"holders": moment.looks["holders"][:, 1:]})
    for changed in ({"sol": moment.sol[1:]}, {"market": Market(moment.market.close[1:], moment.market.volume[1:], moment.market.born)}):
        with pytest.raises(ValueError, match="over the same rows"):
            replace(moment, **changed)


def test_some_of_the_tokens_are_those_that_were_chosen(moment: FeatureInputs) -> None:
    assert moment.columns([4, 9]).tokens.tolist() == moment.minutes.tokens[[4, 9]].tolist()


def test_the_middle_of_a_row_is_the_median_of_what_is_known_and_of_nothing_unknown() -> None:
    rows = np.array([[3.0, 1.0, np.nan, 2.0], [4.0, 1.0, 2.0, 3.0], [np.nan] * 4])
    np.testing.assert_array_equal(middle(rows), [[2.0], [2.5], [np.nan]])
    np.testing.assert_array_equal(middle(np.zeros((2, 0))), [[np.nan], [np.nan]])
