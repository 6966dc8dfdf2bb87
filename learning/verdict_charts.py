"""Figures with their intervals as SVG, made on the server: the page needs no script. Places only; the template draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from learning.verdict.blocks import Figure

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 40
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST_LABELS = 12
CELL_WIDTH, CELL_HEIGHT = 96, 14
Write = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure to draw: what stands under it, what is told when it is pointed at, and how it looks. `at` is its place on an axis of
    numbers; None: beside the one before. `also`: a second value, drawn as a line across."""

    label: str
    figure: Figure
    title: str
    css: str = ""
    at: float | None = None
    also: float = math.nan


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure where it is drawn. `high` and `low` are the ends of its interval, None where it is not known; `top` and `tall` its bar."""

    x: float
    y: float
    high: float | None
    low: float | None
    left: float
    wide: float
    top: float
    tall: float
    label: str
    title: str
    css: str
    also: float | None


@dataclass(frozen=True, slots=True)
class Plot:
    dots: tuple[Dot, ...]
    heights: tuple[Tick, ...]
    zero: float
    lines: tuple[float, ...]
    feet: tuple[Tick, ...]
    bars: bool
    path: str
    slope: str
    across: str
    named: bool  # whether each dot says what it is
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def plot(
    shown: Sequence[Shown],
    write: Write,
    lines: Sequence[float] = (),
    bars: bool = False,
    joined: bool = False,
    across: str = "",
    named: bool = False,
    slope: bool = False,
    write_across: Write | None = None,
) -> Plot | None:
    """`lines`: heights that the figures are held against; 0 is always one of them. `slope`: where both axes say the same.
    None where there is nothing to draw."""
    known = [one for one in shown if not math.isnan(one.figure.value)]
    if not known:
        return None
    held = [value for value in lines if not math.isnan(value)]
    ends = [one.at for one in known if slope and one.at is not None]
    ends += [end for one in known for end in (one.figure.value, one.figure.low, one.figure.high, one.also) if not math.isnan(end)]
    low, high = _room(min([0.0, *ends, *held]), max([0.0, *ends, *held]))
    down = (HEIGHT - TOP - BOTTOM) / (high - low)

    def y(value: float) -> float:
        return TOP + (high - value) * down

    places, feet = _numbered(known, write_across) if write_across else _side_by_side(known)
    wide = (WIDTH - LEFT - RIGHT) / len(known)
    dots = tuple(_dot(one, x, y, wide) for one, x in zip(known, places, strict=True))
    return Plot(
        dots=dots,
        heights=tuple(Tick(y(at), write(at)) for at in _round_numbers(low, high)),
        zero=y(0.0),
        lines=tuple(map(y, held)),
        feet=feet,
        bars=bars,
        path="M" + " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in dots) if joined and len(dots) > 1 else "",
        slope=_slope(known, places, y) if slope and len(known) > 1 else "",
        across=across,
        named=named,
    )


def _dot(one: Shown, x: float, y: Callable[[float], float], wide: float) -> Dot:
    value, zero = y(one.figure.value), y(0.0)
    high, low = (y(end) if one.figure.known else None for end in (one.figure.high, one.figure.low))
    half = min(wide * 0.36, 26)
    also = None if math.isnan(one.also) else y(one.also)
    return Dot(x, value, high, low, x - half, 2 * half, min(value, zero), abs(value - zero), one.label, one.title, one.css, also)


def _side_by_side(known: Sequence[Shown]) -> tuple[list[float], tuple[Tick, ...]]:
    wide = (WIDTH - LEFT - RIGHT) / len(known)
    places = [LEFT + wide * (number + 0.5) for number in range(len(known))]
    every = math.ceil(len(known) / MOST_LABELS)
    return places, tuple(Tick(x, one.label) for number, (one, x) in enumerate(zip(known, places, strict=True)) if number % every == 0)


def _numbered(known: Sequence[Shown], write: Write) -> tuple[list[float], tuple[Tick, ...]]:
    """Along an axis of numbers."""
    at = [one.at if one.at is not None else 0.0 for one in known]
    low, high = _room(min(at), max(at))
    scale = (WIDTH - LEFT - RIGHT) / (high - low)
    return [LEFT + (value - low) * scale for value in at], tuple(
        Tick(LEFT + (value - low) * scale, write(value)) for value in _round_numbers(low, high)
    )


def _slope(known: Sequence[Shown], places: Sequence[float], y: Callable[[float], float]) -> str:
    """The line on which a claimed chance comes true, from the lowest claim to the highest."""
    ends = sorted((one.at or 0.0, x) for one, x in zip(known, places, strict=True))
    (first, left), (last, right) = ends[0], ends[-1]
    return f"M{left:.1f},{y(first):.1f} {right:.1f},{y(last):.1f}"


def _room(low: float, high: float) -> tuple[float, float]:
    """A little more than is needed, and never nothing."""
    if high <= low:
        return low - max(abs(low), 1.0) * 0.1, high + max(abs(high), 1.0) * 0.1
    more = 0.04 * (high - low)
    return (low - more if low < 0 else low), high + more


def _round_numbers(low: float, high: float) -> list[float]:
    """Three to six round numbers between the two."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in STEPS if one * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure and its interval in a cell of a table, all cells of which have the same scale."""

    zero: float
    left: float
    wide: float
    x: float
    width: int = CELL_WIDTH
    height: int = CELL_HEIGHT


def cells(figures: Sequence[Figure]) -> list[Cell | None]:
    """None where there is no interval."""
    ends = [abs(end) for figure in figures if figure.known for end in (figure.low, figure.high)]
    half = CELL_WIDTH / 2
    scale = (half - 2) / max(ends, default=1.0) if max(ends, default=0.0) > 0 else 0.0
    return [
        Cell(half, half + scale * figure.low, max(scale * (figure.high - figure.low), 1.0), half + scale * figure.value)
        if figure.known
        else None
        for figure in figures
    ]
