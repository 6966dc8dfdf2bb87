"""Curves as SVG paths, made on the server: a report needs no script and loads nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

WIDTH, HEIGHT = 960, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 8, 20
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """What the template draws. `area` is closed down to the curve's base line."""

    path: str
    area: str
    heights: tuple[Tick, ...]
    moments: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def curve(
    values: Numbers, moments: NDArray[np.int64], label: Callable[[float, int], str], day: Callable[[int], str], base: float | None
) -> Curve:
    """A point stands where its moment lies between the first and the last: of old days fewer are kept. `label` is told how many decimals
    tell one height from the next. `base`: where the area ends; None is the lowest value."""
    if not len(values):
        return Curve("", "", (), ())
    low, high = float(values.min()), float(values.max())
    low, high = (min(low, base), max(high, base)) if base is not None else (low, high)
    if high <= low:
        room = max(abs(low), 1.0) * 0.01
        low, high = low - room, high + (room if base is None else 0.0)  # a drawdown that never was lies at the top: there is none above 0
    first, last = int(moments[0]), int(moments[-1])
    across = (WIDTH - LEFT - RIGHT) / max(last - first, 1)
    x = LEFT + across * (moments - first).astype(np.float64)
    scale = (HEIGHT - TOP - BOTTOM) / (high - low)
    y = TOP + (high - values) * scale
    x, y = _thinned(x, y)
    line = " ".join(f"{right:.1f},{down:.1f}" for right, down in zip(x.tolist(), y.tolist(), strict=True))
    floor = TOP + (high - (low if base is None else base)) * scale
    round_ones, decimals = _round_numbers(low, high)
    heights = tuple(Tick(TOP + (high - at) * scale, label(at, decimals)) for at in round_ones)
    named = np.unique(np.linspace(first, last, 5).astype(np.int64)).tolist()
    at = {day(moment): moment for moment in reversed(named)}  # of a minute's curve all five moments bear one name: the first stands for it
    times = tuple(Tick(LEFT + across * (moment - first), name) for name, moment in reversed(at.items()))
    return Curve(f"M{line}", f"M{x[0]:.1f},{floor:.1f} L{line} L{x[-1]:.1f},{floor:.1f}Z", heights, times)


def _thinned(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """At most the highest and the lowest point of each pixel, in their order: no peak is lost."""
    pixel = np.floor(x).astype(int)
    if len(x) <= 4 * WIDTH:
        return x, y
    order = np.lexsort((y, pixel))
    begins = np.flatnonzero(np.diff(pixel[order], prepend=-1))
    ends = np.append(begins[1:], len(order)) - 1
    kept = np.unique(np.concatenate([order[begins], order[ends], [0, len(x) - 1]]))
    return x[kept], y[kept]


def amounts(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


def shares(value: float, decimals: int) -> str:
    return f"{value + 0.0:.{max(decimals - 2, 0)}%}"  # + 0.0: there is no less than nothing


def _round_numbers(low: float, high: float) -> tuple[list[float], int]:
    """Three to six round heights between the two, and the decimals that they need."""
    rough = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    times = next(one for one in STEPS if one * power >= rough)
    step, first = times * power, np.ceil(low / (times * power)) * times * power
    decimals = max(0, int(times == 2.5) - int(np.floor(np.log10(step))))
    return [float(first + number * step) for number in range(int((high - first) / step) + 1)], decimals
