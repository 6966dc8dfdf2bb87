"""What holds for every indicator: it knows no scale, no future and no neighbour, and says nothing where nothing is defined."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning import indicators as of
from learning.tests.series import Series, flat, steps, walk

Numbers = np.ndarray

# How each grows when prices are multiplied by k: with k, or not at all.
ALL: dict[str, tuple[Callable[[Series], Numbers], bool]] = {
    "rsi": (lambda s: of.rsi(s.close), False),
    "true range": (lambda s: of.true_range(s.high, s.low, s.close), True),
    "atr": (lambda s: of.atr(s.high, s.low, s.close), True),
    "adx": (lambda s: of.adx(s.high, s.low, s.close), False),
    "+di": (lambda s: of.directional(s.high, s.low, s.close)[0], False),
    "-di": (lambda s: of.directional(s.high, s.low, s.close)[1], False),
    "ema": (lambda s: of.ema(s.close, 9), True),
    "wilder": (lambda s: of.wilder(s.close, 9), True),
    "macd": (lambda s: of.macd(s.close)[0], True),
    "macd signal": (lambda s: of.macd(s.close)[1], True),
    "macd gap": (lambda s: of.macd(s.close)[2], True),
    "trix": (lambda s: of.trix(s.close, 5), False),
    "sma": (lambda s: of.sma(s.close, 9), True),
    "sum": (lambda s: of.rolling_sum(s.close, 9, 3), True),
    "max": (lambda s: of.rolling_max(s.close, 9, 3), True),
    "min": (lambda s: of.rolling_min(s.close, 9, 3), True),
    "median": (lambda s: of.rolling_median(s.close, 9, 3), True),
    "mad": (lambda s: of.mad(s.close, 9, 3), True),
    "deviation": (lambda s: of.rolling_std(s.close, 9, 3), True),
    "slope": (lambda s: of.slope(s.close, 9), True),
    "z": (lambda s: of.z_score(s.close, 9, 3), False),
    "robust z": (lambda s: of.robust_z(s.close, 9, 3), False),
    "vwap": (lambda s: of.vwap(s.high, s.low, s.close, s.volume, 9, 3), True),
    "vwap band": (lambda s: of.vwap_bands(s.high, s.low, s.close, s.volume, 9, 2.0, 3)[2], True),
    "anchored vwap": (lambda s: of.anchored_vwap(s.high, s.low, s.close, s.volume, np.arange(len(s.close)) % 20 == 5)[0], True),
    "bollinger": (lambda s: of.bollinger(s.close)[0], True),
    "keltner": (lambda s: of.keltner(s.high, s.low, s.close)[2], True),
    "donchian": (lambda s: of.donchian(s.high, s.low)[1], True),
    "cci": (lambda s: of.cci(s.high, s.low, s.close), False),
    "stochastic": (lambda s: of.stochastic(s.high, s.low, s.close)[1], False),
    "williams": (lambda s: of.williams_r(s.high, s.low, s.close), False),
    "roc": (lambda s: of.roc(s.close), False),
    "aroon": (lambda s: of.aroon(s.high, s.low)[0], False),
    "mfi": (lambda s: of.mfi(s.high, s.low, s.close, s.volume), False),
    "obv": (lambda s: of.obv(s.close, s.volume, 9), False),
    "returns": (lambda s: of.returns(s.close), False),
    "log returns": (lambda s: of.log_returns(s.close, 3), False),
    "volatility": (lambda s: of.realised_volatility(s.close, 9, 3), False),
    "swing highs": (lambda s: of.swing_highs(s.high, 3).astype(float), False),
    "swing lows": (lambda s: of.swing_lows(s.low, 3).astype(float), False),
    "rsi together": (lambda s: of.movement(s.high, s.low, s.close).rsi, False),
    "adx together": (lambda s: of.movement(s.high, s.low, s.close).adx, False),
    "atr together": (lambda s: of.movement(s.high, s.low, s.close).atr, True),
}
NOTHING_MOVED = {"rsi", "adx", "+di", "-di", "z", "robust z", "cci", "stochastic", "williams", "mfi", "rsi together", "adx together"}
each = pytest.mark.parametrize("name", ALL)
few = settings(max_examples=settings().max_examples // 5)  # of each of some forty


def gappy(seed: int, tokens: int = 3, bars: int = 90, share: float = 0.1) -> Series:
    """Some tokens' bars, with gaps; each token begins at its own row."""
    series, random = walk(bars, seed=seed, tokens=tokens), np.random.default_rng(seed)
    missing = (random.random((bars, tokens)) < share) | (np.arange(bars)[:, None] < random.integers(0, 30, tokens))
    return Series(*(np.where(missing, np.nan, side) for side in (series.high, series.low, series.close, series.volume)))


def changed(series: Series, change: Callable[[Numbers], Numbers]) -> Series:
    return Series(*(change(side) for side in (series.high, series.low, series.close, series.volume)))


@each
@few
@given(seed=st.integers(0, 1000), cut=st.integers(1, 89), share=st.sampled_from([0.0, 0.1, 0.5]))
def test_what_comes_later_changes_nothing(name: str, seed: int, cut: int, share: float) -> None:
    series = gappy(seed, share=share)
    other = changed(series, lambda side: np.vstack([side[:cut], side[:cut:-1] * 3.0, side[:2]]))
    found, early = ALL[name][0](other)[:cut], ALL[name][0](changed(series, lambda side: side[:cut]))
    np.testing.assert_array_equal(found, early)


@each
@few
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-9, 1e-4, 3.0, 1e5]))
def test_it_knows_no_scale(name: str, seed: int, scale: float) -> None:
    series, (indicator, grows) = gappy(seed), ALL[name]
    scaled = Series(series.high * scale, series.low * scale, series.close * scale, series.volume)
    expected = indicator(series) * (scale if grows else 1.0)
    np.testing.assert_allclose(indicator(scaled), expected, rtol=1e-7, atol=1e-9 * (scale if grows else 1.0))


@each
@few
@given(seed=st.integers(0, 1000), data=st.data())
def test_a_token_knows_no_neighbour(name: str, seed: int, data: st.DataObject) -> None:
    series, order = gappy(seed, tokens=5), data.draw(st.permutations(range(5)))
    together = ALL[name][0](changed(series, lambda side: side[:, order]))
    np.testing.assert_allclose(together, ALL[name][0](series)[:, order], rtol=1e-12, atol=1e-13)
    alone = ALL[name][0](changed(series, lambda side: side[:, [2]]))
    np.testing.assert_allclose(alone, ALL[name][0](series)[:, [2]], rtol=1e-9, atol=1e-12)


@each
def test_of_many_tokens_each_is_worked_out_as_if_there_were_few(name: str) -> None:
    """From some hundreds of columns on, averages are worked through one by one, where they are to lie."""
    series, few_of_them = gappy(3, tokens=1100), [0, 550, 1099]
    alone = ALL[name][0](changed(series, lambda side: side[:, few_of_them]))
    np.testing.assert_allclose(ALL[name][0](series)[:, few_of_them], alone, rtol=1e-9, atol=1e-12)


@each
@pytest.mark.parametrize("tokens", [2, 400])
def test_what_it_is_given_stays_as_it_was(name: str, tokens: int) -> None:
    series = walk(60, tokens=tokens)
    for side in (series.high, series.low, series.close, series.volume):
        side.setflags(write=False)
    assert not np.shares_memory(ALL[name][0](series), series.close)


@each
def test_a_bar_that_is_missing_has_no_figure_of_a_moment(name: str) -> None:
    series = gappy(7, share=0.3)
    if name not in ("sum", "max", "min", "median", "mad", "deviation", "vwap", "vwap band", "volatility", "swing highs", "swing lows"):
        assert np.isnan(ALL[name][0](series)[np.isnan(series.close)]).all()


@each
@pytest.mark.parametrize("series", [flat(100), flat(100, 1e-9), steps(160), walk(1), walk(3), flat(2)], ids=str)
def test_nothing_breaks_it(name: str, series: Series) -> None:
    """Floating point errors are raised, not warned of: see conftest."""
    found = ALL[name][0](series)
    assert found.shape == series.close.shape
    assert not np.isinf(found).any()


@pytest.mark.parametrize("name", sorted(NOTHING_MOVED))
def test_of_a_price_that_stands_still_it_says_nothing(name: str) -> None:
    assert np.isnan(ALL[name][0](flat(100))).all()


def test_a_move_that_has_faded_from_the_averages_is_no_move() -> None:
    close = np.concatenate([[1.0] * 20, [1.1] * 2000])[:, None]
    found = of.rsi(close)[:, 0]
    assert found[30] == 100.0
    assert np.isnan(found[-1])


def test_years_of_standing_still_stay_quick_and_quiet() -> None:
    close = np.concatenate([[1.0, 1.2, 1.1] * 6, [1.1] * 20_000])[:, None]
    assert np.isnan(of.rsi(close)[-1, 0])
    assert of.atr(close, close, close)[-1, 0] == 0.0


@pytest.mark.parametrize("tokens", [1, 300, 1000])
def test_an_average_with_a_memory_is_the_plain_recursion(tokens: int) -> None:
    values = walk(100, tokens=tokens).close
    expected = [np.mean(values[:5], axis=0)]
    for row in values[5:]:
        expected.append(expected[-1] + (row - expected[-1]) / 3)
    np.testing.assert_allclose(of.ema(values, 5)[4:], expected, rtol=1e-12)


def test_a_crash_leaves_the_average_its_digits() -> None:
    close = np.concatenate([np.full(30, 1.0), np.full(2000, 1e-9)])[:, None]
    assert of.ema(close, 9)[-1, 0] == pytest.approx(1e-9, rel=1e-9)


def test_together_they_say_what_each_says_alone() -> None:
    series = gappy(3)
    together = of.movement(series.high, series.low, series.close)
    for name, alone in (
        ("rsi", of.rsi(series.close)),
        ("atr", of.atr(series.high, series.low, series.close)),
        ("adx", of.adx(series.high, series.low, series.close)),
    ):
        np.testing.assert_array_equal(getattr(together, name), alone)


def test_a_swing_is_known_only_when_the_bars_after_it_are_seen() -> None:
    high = np.array([1.0, 2, 3, 9, 3, 2, 1, 1, 1])[:, None]
    assert np.nonzero(of.swing_highs(high, 3)[:, 0])[0].tolist() == [6]
    assert not of.swing_highs(high[:6], 3).any()


def test_a_swing_low_is_a_swing_high_upside_down_and_a_yes_or_no() -> None:
    low = np.array([9.0, 8, 7, 1, 7, 8, 9, 9, 9])[:, None]
    assert of.swing_lows(low, 3).dtype == np.bool_
    assert np.nonzero(of.swing_lows(low, 3)[:, 0])[0].tolist() == [6]
    assert not of.swing_highs(low, 3).any()


@pytest.mark.parametrize("bars", range(9))
def test_of_few_bars_there_is_no_swing(bars: int) -> None:
    assert of.swing_highs(walk(9).high[:bars], 4).tolist() == [[False]] * bars


def test_of_a_flat_top_the_first_bar_is_the_swing() -> None:
    high = np.array([1.0, 2, 5, 5, 5, 2, 1])[:, None]
    assert np.nonzero(of.swing_highs(high, 2)[:, 0])[0].tolist() == [4]


def test_a_gap_confirms_no_swing() -> None:
    high = np.array([1.0, 2, 3, 9, 3, np.nan, 1, 1, 1])[:, None]
    assert not of.swing_highs(high, 3).any()


def test_a_fast_average_longer_than_the_slow_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fast average \(30 bars\) is longer"):
        of.macd(np.ones((50, 1)), fast=30)
