"""Every indicator that TA-Lib has too, beside TA-Lib: on series that look real, and on those that break indicators."""

from collections.abc import Callable

import numpy as np
import pytest

from learning import indicators
from learning.tests.series import SERIES, Series, walk

talib = pytest.importorskip("talib")
Numbers = np.ndarray

# Ours, theirs; each of a Series. What they answer is compared where both are defined.
PAIRS: dict[str, tuple[Callable[[Series], Numbers], Callable[[Series], Numbers]]] = {
    "rsi": (lambda s: indicators.rsi(s.close), lambda s: talib.RSI(s.close[:, 0], 14)),
    "rsi of 5": (lambda s: indicators.rsi(s.close, 5), lambda s: talib.RSI(s.close[:, 0], 5)),
    "true range": (
        lambda s: indicators.true_range(s.high, s.low, s.close),
        lambda s: talib.TRANGE(s.high[:, 0], s.low[:, 0], s.close[:, 0]),
    ),
    "atr": (lambda s: indicators.atr(s.high, s.low, s.close), lambda s: talib.ATR(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14)),
    "adx": (lambda s: indicators.adx(s.high, s.low, s.close), lambda s: talib.ADX(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14)),
    "+di": (
        lambda s: indicators.directional(s.high, s.low, s.close)[0],
        lambda s: talib.PLUS_DI(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14),
    ),
    "-di": (
        lambda s: indicators.directional(s.high, s.low, s.close)[1],
        lambda s: talib.MINUS_DI(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14),
    ),
    "ema": (lambda s: indicators.ema(s.close, 20), lambda s: talib.EMA(s.close[:, 0], 20)),
    "macd": (lambda s: indicators.macd(s.close)[0], lambda s: talib.MACD(s.close[:, 0])[0]),
    "macd signal": (lambda s: indicators.macd(s.close)[1], lambda s: talib.MACD(s.close[:, 0])[1]),
    "trix": (lambda s: indicators.trix(s.close, 9), lambda s: talib.TRIX(s.close[:, 0], 9)),
    "sma": (lambda s: indicators.sma(s.close, 20), lambda s: talib.SMA(s.close[:, 0], 20)),
    "sum": (lambda s: indicators.rolling_sum(s.volume, 20), lambda s: talib.SUM(s.volume[:, 0], 20)),
    "max": (lambda s: indicators.rolling_max(s.high, 20), lambda s: talib.MAX(s.high[:, 0], 20)),
    "min": (lambda s: indicators.rolling_min(s.low, 20), lambda s: talib.MIN(s.low[:, 0], 20)),
    "deviation": (lambda s: indicators.rolling_std(s.close, 20), lambda s: talib.STDDEV(s.close[:, 0], 20)),
    "slope": (lambda s: indicators.slope(s.close, 20), lambda s: talib.LINEARREG_SLOPE(s.close[:, 0], 20)),
    "bollinger above": (lambda s: indicators.bollinger(s.close)[2], lambda s: talib.BBANDS(s.close[:, 0], 20, 2, 2)[0]),
    "bollinger below": (lambda s: indicators.bollinger(s.close)[0], lambda s: talib.BBANDS(s.close[:, 0], 20, 2, 2)[2]),
    "cci": (lambda s: indicators.cci(s.high, s.low, s.close), lambda s: talib.CCI(s.high[:, 0], s.low[:, 0], s.close[:, 0], 20)),
    "stochastic k": (
        lambda s: indicators.stochastic(s.high, s.low, s.close)[0],
        lambda s: talib.STOCH(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14, 3, 0, 3, 0)[0],
    ),
    "stochastic d": (
        lambda s: indicators.stochastic(s.high, s.low, s.close)[1],
        lambda s: talib.STOCH(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14, 3, 0, 3, 0)[1],
    ),
    "fast stochastic": (
        lambda s: indicators.stochastic(s.high, s.low, s.close, smooth=1)[0],
        lambda s: talib.STOCHF(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14, 3, 0)[0],
    ),
    "williams": (
        lambda s: indicators.williams_r(s.high, s.low, s.close),
        lambda s: talib.WILLR(s.high[:, 0], s.low[:, 0], s.close[:, 0], 14),
    ),
    "roc": (lambda s: indicators.roc(s.close), lambda s: talib.ROC(s.close[:, 0], 10)),
    "aroon up": (lambda s: indicators.aroon(s.high, s.low)[0], lambda s: talib.AROON(s.high[:, 0], s.low[:, 0], 14)[1]),
    "aroon down": (lambda s: indicators.aroon(s.high, s.low)[1], lambda s: talib.AROON(s.high[:, 0], s.low[:, 0], 14)[0]),
    "obv": (lambda s: indicators.obv(s.close, s.volume), lambda s: talib.OBV(s.close[:, 0], s.volume[:, 0])),
    "mfi": (
        lambda s: indicators.mfi(s.high, s.low, s.close, s.volume),
        # TA-Lib answers 0 where less than one unit of money moved: at prices of 1e-9 that is everywhere, so it is given more of it
        lambda s: talib.MFI(s.high[:, 0], s.low[:, 0], s.close[:, 0], s.volume[:, 0] * 1e15, 14),
    ),
}
# Differences of nearly equal numbers: what is left of their digits is measured against what was subtracted, the price.
OF_THE_PRICE = {
    "macd",
    "macd signal",
    "slope",
    "deviation",
    "trix",
    "cci",
    "stochastic k",
    "stochastic d",
    "fast stochastic",
    "williams",
    "roc",
}
FIRST_KNOWN_EARLIER = {"macd", "stochastic k", "fast stochastic"}  # TA-Lib holds a line back until its signal is known
MEMORIES = {"rsi", "rsi of 5", "true range", "atr", "adx", "+di", "-di", "ema", "macd", "macd signal", "trix", "obv"}


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize("name", PAIRS)
def test_it_says_what_talib_says(name: str, kind: str) -> None:
    series = SERIES[kind]
    ours, theirs = (side(series) for side in PAIRS[name])
    assert_same(name, ours[:, 0], theirs, series.close[:, 0])


@pytest.mark.parametrize("name", sorted(MEMORIES))
def test_over_gaps_it_says_what_talib_says_of_the_bars_that_exist(name: str) -> None:
    series, present = SERIES["real"], np.random.default_rng(5).random(len(SERIES["real"].close)) > 0.1
    ours, theirs = PAIRS[name][0](series.only(present)), PAIRS[name][1](series.rows(present))
    assert np.isnan(ours[~present]).all()
    assert (~np.isnan(ours)).sum() >= (~np.isnan(theirs)).sum() > 300
    assert_same(name, ours[present, 0], theirs, series.close[present, 0])


@pytest.mark.parametrize("name", sorted(MEMORIES))
def test_of_a_thousand_tokens_at_once_it_says_what_talib_says_of_each(name: str) -> None:
    series = walk(96, tokens=1000)
    ours = PAIRS[name][0](series)
    for token in (0, 499, 999):
        theirs = PAIRS[name][1](Series(*(side[:, [token]] for side in (series.high, series.low, series.close, series.volume))))
        assert_same(name, ours[:, token], theirs, series.close[:, token])


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in FIRST_KNOWN_EARLIER | {"mfi"}])
def test_it_is_first_known_at_the_same_bar(name: str) -> None:
    ours, theirs = (side(SERIES["real"]) for side in PAIRS[name])
    assert np.isnan(ours[:, 0]).sum() == np.isnan(theirs).sum()


def assert_same(name: str, ours: Numbers, theirs: Numbers, price: Numbers) -> None:
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    scale = {"macd": price, "macd signal": price, "slope": price, "deviation": price}.get(name, np.full(len(price), 100.0))
    least = 1e-11 * scale if name in OF_THE_PRICE else 0.0 * scale
    difference = np.abs(ours - theirs)[both]
    assert (difference <= 1e-9 * np.abs(theirs[both]) + least[both]).all()
