"""RSI divergence: of confirmed peaks only, recent ones, and once."""

import numpy as np
import pytest

from trading.names import Trigger
from trading.tests.stage_1 import fired_on, firings, grid_of

REACH = 3


def two_peaks(second: float, apart: int = 12) -> list[float]:
    """A fast rise to 110, a dip, and a slow crawl to a second peak."""
    start = [100 + 0.05 * (bar % 3) for bar in range(30)]
    first = list(np.linspace(100.5, 110, 6))
    dip = list(np.linspace(109, 105, apart // 2))
    crawl = [105 + (second - 105) * (bar + 1) / (apart - apart // 2) - 0.4 * (bar % 2) for bar in range(apart - apart // 2)]
    return [*start, *first, *dip, *crawl[:-1], second, *(second - 0.6 * bar for bar in range(1, 12))]


def test_a_higher_peak_with_a_weaker_rsi_is_bearish() -> None:
    closes = two_peaks(111.0)
    peak = closes.index(111.0)
    assert firings(grid_of(closes), Trigger.RSI_DIVERGENCE) == [(peak + REACH, -1)]


def test_the_mirror_image_is_bullish() -> None:
    closes = [200.0 - close for close in two_peaks(111.0)]
    assert firings(grid_of(closes), Trigger.RSI_DIVERGENCE) == [(closes.index(89.0) + REACH, 1)]


def test_a_lower_peak_diverges_from_nothing() -> None:
    assert firings(grid_of(two_peaks(109.0)), Trigger.RSI_DIVERGENCE) == []


def test_a_peak_is_not_known_before_the_bars_after_it() -> None:
    closes = two_peaks(111.0)
    peak = closes.index(111.0)
    assert firings(grid_of(closes[: peak + REACH]), Trigger.RSI_DIVERGENCE) == []
    assert firings(grid_of(closes[: peak + REACH + 1]), Trigger.RSI_DIVERGENCE) == [(peak + REACH, -1)]


def test_it_does_not_stay_on() -> None:
    closes = two_peaks(111.0)
    longer = [*closes, *(closes[-1] - 0.1 * bar for bar in range(1, 60))]
    assert len(firings(grid_of(longer), Trigger.RSI_DIVERGENCE)) == 1


def test_peaks_too_far_apart_have_nothing_to_do_with_each_other() -> None:
    grid = grid_of(two_peaks(111.0))
    assert firings(grid, Trigger.RSI_DIVERGENCE, divergence_span=11) == []
    assert len(firings(grid, Trigger.RSI_DIVERGENCE, divergence_span=13)) == 1


@pytest.mark.parametrize("limit", [{"divergence_gap": 45}, {"divergence_rsi_high": 99.99}])
def test_the_weakness_must_be_as_large_as_asked(limit: dict[str, float]) -> None:
    assert firings(grid_of(two_peaks(111.0)), Trigger.RSI_DIVERGENCE, **limit) == []


def test_the_measure_is_the_weakness_in_points() -> None:
    closes = two_peaks(111.0)
    fired = fired_on(grid_of(closes))
    row = closes.index(111.0) + REACH
    assert 3 < fired.measure[Trigger.RSI_DIVERGENCE][row, 0] < 50
    assert 0.5 <= fired.strength[Trigger.RSI_DIVERGENCE][row, 0] <= 1
