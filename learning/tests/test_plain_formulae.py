"""What an indicator is when nothing is said of lengths, and its plain formula where no library is asked."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from learning import indicators as of
from learning.indicators.flow import vwap_of_all
from learning.tests.series import flat, walk

NAN = float("nan")
SERIES = walk(80, tokens=2)
BARS = SERIES.high, SERIES.low, SERIES.close


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


USUAL: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "bollinger": (lambda: of.bollinger(SERIES.close), lambda: of.bollinger(SERIES.close, 20, 2.0)),
    "keltner": (lambda: of.keltner(*BARS), lambda: of.keltner(*BARS, 20, 2.0, 10)),
    "donchian": (lambda: of.donchian(*BARS[:2]), lambda: of.donchian(*BARS[:2], 20)),
    "vwap": (lambda: of.vwap(*BARS, SERIES.volume), lambda: of.vwap(*BARS, SERIES.volume, 30)),
    "vwap bands": (lambda: of.vwap_bands(*BARS, SERIES.volume), lambda: of.vwap_bands(*BARS, SERIES.volume, 30, 1.0)),
    "returns": (lambda: of.returns(SERIES.close), lambda: of.returns(SERIES.close, 1)),
    "log returns": (lambda: of.log_returns(SERIES.close), lambda: of.log_returns(SERIES.close, 1)),
    "atr": (lambda: of.atr(*BARS), lambda: of.atr(*BARS, 14)),
    "adx": (lambda: of.adx(*BARS), lambda: of.adx(*BARS, 14)),
    "directional": (lambda: of.directional(*BARS), lambda: of.directional(*BARS, 14)),
    "movement": (lambda: of.movement(*BARS), lambda: of.movement(*BARS, 14)),
    "macd": (lambda: of.macd(SERIES.close), lambda: of.macd(SERIES.close, 12, 26, 9)),
    "cci": (lambda: of.cci(*BARS), lambda: of.cci(*BARS, 20)),
    "aroon": (lambda: of.aroon(*BARS[:2]), lambda: of.aroon(*BARS[:2], 14)),
    "mfi": (lambda: of.mfi(*BARS, SERIES.volume), lambda: of.mfi(*BARS, SERIES.volume, 14)),
}


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_lengths_are_those_that_traders_know(name: str) -> None:
    usual, told = USUAL[name]
    np.testing.assert_array_equal(usual(), told())


def test_keltner_lies_two_ranges_around_the_average() -> None:
    below, centre, above = of.keltner(*BARS)
    np.testing.assert_array_equal(centre, of.ema(SERIES.close, 20))
    for reach in (above - centre, centre - below):
        np.testing.assert_allclose(reach[19:], 2 * of.atr(*BARS, 10)[19:], rtol=1e-9)


def test_donchian_is_the_lowest_the_highest_and_the_middle_of_both() -> None:
    below, centre, above = of.donchian(*BARS[:2])
    np.testing.assert_array_equal(below, of.rolling_min(SERIES.low, 20))
    np.testing.assert_array_equal(above, of.rolling_max(SERIES.high, 20))
    np.testing.assert_allclose(centre, (below + above) / 2, rtol=1e-12)


def test_the_bands_of_a_vwap_lie_as_far_below_as_above() -> None:
    below, centre, above = of.vwap_bands(*BARS, SERIES.volume, 20, 1.5)
    np.testing.assert_allclose(centre - below, above - centre, rtol=1e-6)
    assert (below[19:] < above[19:]).all()


def test_a_little_volume_is_volume_and_none_is_none() -> None:
    price = column(1.0, 2.0, 3.0)
    both = np.repeat(price, 2, axis=1)
    found = of.vwap(both, both, both, np.array([[0.1, 0.0], [0.1, 0.0], [0.2, 0.0]]), 3)[-1]
    assert found[0] == pytest.approx((0.1 + 0.2 + 0.6) / 0.4)
    assert np.isnan(found[1])
    assert np.isnan(vwap_of_all(price, price, price, column(0.0, 0.0, 0.0), 1)).all()
    nothing = np.empty((0, 2))
    assert of.vwap(nothing, nothing, nothing, nothing, 3).shape == (0, 2)


def test_an_anchored_vwap_is_of_numbers_even_where_nothing_is_known() -> None:
    price = column(NAN, NAN)
    for found in of.anchored_vwap(price, price, price, price, np.array([True, False])):
        assert found.dtype == np.float64


def test_mfi_is_first_known_after_so_many_changes_and_knows_none_over_a_gap() -> None:
    price = column(1.0, 2.0, 3.0, 2.0, 3.0, NAN, 2.0, 3.0, 4.0, 5.0)
    assert (~np.isnan(of.mfi(price, price, price, np.ones((10, 1)), 3)[:, 0])).tolist() == [False] * 3 + [True] * 2 + [False] * 4 + [True]


def test_wilders_average_gives_the_newest_one_part_in_its_length() -> None:
    values = SERIES.close[:, 0]
    expected = [values[:5].mean()]
    for value in values[5:]:
        expected.append(expected[-1] + (value - expected[-1]) / 5)
    np.testing.assert_allclose(of.wilder(SERIES.close, 5)[4:, 0], expected, rtol=1e-12)


def test_returns_are_those_since_so_many_rows() -> None:
    close = column(1.0, 2.0, 3.0, 0.0, 4.0, -1.0, 2.0)
    np.testing.assert_array_equal(of.returns(close)[:, 0], [NAN, 1.0, 0.5, -1.0, NAN, -1.25, NAN])
    np.testing.assert_array_equal(of.returns(close, 2)[:, 0], [NAN, NAN, 2.0, -1.0, 4 / 3 - 1, NAN, -0.5])
    np.testing.assert_allclose(of.log_returns(close, 2)[:, 0], [NAN, NAN, math.log(3), NAN, math.log(4 / 3), NAN, math.log(0.5)])
    np.testing.assert_allclose(of.log_returns(close)[:, 0], [NAN, math.log(2), math.log(1.5), NAN, NAN, NAN, NAN])


def test_volatility_is_the_root_of_the_squared_returns_of_the_rows_that_have_one() -> None:
    close = column(1.0, 2.0, NAN, 2.0, 4.0, 1.0)
    np.testing.assert_allclose(of.realised_volatility(close, 2)[:, 0], [NAN] * 5 + [math.hypot(math.log(2), math.log(4))])
    once = [NAN, math.log(2), math.log(2), NAN, math.log(2), math.hypot(math.log(2), math.log(4))]
    np.testing.assert_allclose(of.realised_volatility(close, 2, 1)[:, 0], once)


def test_a_rate_of_change_is_unknown_from_nothing_and_known_from_one() -> None:
    np.testing.assert_array_equal(of.roc(column(1.0, 3.0, 0.0, 2.0), 1)[:, 0], [NAN, 200.0, -100.0, NAN])


def test_aroon_needs_highs_and_lows() -> None:
    low, high = np.arange(6.0)[:, None] + 1, np.arange(6.0)[:, None] + 2
    assert of.aroon(high, low, 2)[0][:, 0].tolist()[2:] == [100.0] * 4
    high[3] = NAN
    for side in of.aroon(high, low, 2):
        assert np.isnan(side[:, 0]).tolist() == [True, True, False, True, True, True]


def test_cci_of_a_price_of_nothing_is_unknown() -> None:
    assert np.isnan(of.cci(*[np.zeros((30, 1))] * 3, 5)).all()


@pytest.mark.parametrize("price", [0.1, 1e-9 / 3, -0.1])
@pytest.mark.parametrize("tokens", [2, 1000])
def test_the_averages_of_a_price_that_stands_still_do_not_differ_by_rounding(price: float, tokens: int) -> None:
    still = np.repeat(price * np.linspace(1, 7, tokens)[None], 300, axis=0)
    line, signal, gap = of.macd(still)
    assert (line[25:] == 0).all()
    assert (signal[33:] == 0).all()
    assert (gap[33:] == 0).all()
    assert np.isnan(line[:25]).all()
    assert (of.trix(still, 5)[13:] == 0).all()


def test_a_token_that_moves_hides_no_other_that_stands_still() -> None:
    beside = np.hstack([walk(300, seed=4).close, flat(300, 0.1).close, -walk(300, seed=5).close])
    assert (of.macd(beside)[0][25:, 1] == 0).all()
    for column_at in (0, 2):
        np.testing.assert_allclose(of.macd(beside)[0][:, column_at], of.macd(beside[:, [column_at]])[0][:, 0], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("lengths", [(0, 26, 9), (12, 26, 0), (0, 0, 9)])
def test_an_average_of_no_bars_is_refused(lengths: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="a window of 0 bars"):
        of.macd(SERIES.close, *lengths)


def test_two_averages_of_one_length_do_not_differ() -> None:
    assert (of.macd(SERIES.close, 12, 12, 9)[0][11:] == 0).all()


@pytest.mark.parametrize("bars", [1, 4, 5, 6, 9, 10, 11, 30])
def test_a_direction_is_first_known_at_the_bar_of_twice_its_length(bars: int) -> None:
    some = walk(bars)
    assert (~np.isnan(of.adx(some.high, some.low, some.close, 5))).sum() == max(0, bars - 9)
    assert (~np.isnan(of.directional(some.high, some.low, some.close, 5)[0])).sum() == max(0, bars - 5)


def test_a_price_that_stood_still_has_a_direction_as_soon_as_it_moves() -> None:
    """Bars without a direction count as none of it: nine rising ones take the average of five from 0 to 100 · (1 − 0.8⁹)."""
    close = np.concatenate([np.full(30, 1.0), 1.0 + 0.1 * np.arange(1, 10)])[:, None]
    found = of.adx(close, close, close, 5)[:, 0]
    assert np.isnan(found[:30]).all()
    assert found[-1] == pytest.approx(100 * (1 - 0.8**9))


@pytest.mark.parametrize("indicator", [of.movement, of.adx, of.directional])
def test_a_direction_needs_two_bars_at_least(indicator) -> None:
    with pytest.raises(ValueError, match="a window of 0 bars"):
        indicator(*BARS, 1)
    assert np.shape(indicator(*BARS, 2))[-2:] == (80, 2)
