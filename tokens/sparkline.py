"""A small line drawn by the server: values at even steps become the path of an SVG, with a hole where nothing was measured."""

from collections.abc import Sequence
from functools import lru_cache
from operator import add

WIDTH = 96
HEIGHT = 22
MARGIN = 2
DASH = 5
TENTHS = 10  # of a pixel: finer than any screen draws it
HEIGHTS = tuple(f"{tenth / TENTHS:g}" for tenth in range(HEIGHT * TENTHS + 1))


def path(values: Sequence[float | None]) -> str:
    """The `d` of an SVG path over WIDTH × HEIGHT. A single value is a dash; what is flat runs in the middle."""
    known = [value for value in values if value is not None]
    if not known or len(values) < 2:
        return ""
    low, high = min(known), max(known)
    step = WIDTH / (len(values) - 1)
    if len(known) == 1:
        return f"M{max(0.0, values.index(low) * step - DASH):.4g} {HEIGHT / 2:.3g}h{DASH}"
    top, usable = (MARGIN, HEIGHT - 2 * MARGIN) if high > low else (HEIGHT / 2, 0)
    first, steps, spread = TENTHS * top + 0.5, TENTHS * usable, (high - low) or 1.0
    if len(known) == len(values):
        heights = [HEIGHTS[int(first + steps * ((high - value) / spread))] for value in known]
        return "M" + "L".join(map(add, _places(len(known)), heights)).replace("L", "h.01L", 1)
    parts: list[str] = []
    pen_is_down = False
    for place, value in zip(_places(len(values)), values, strict=True):
        if value is None:
            pen_is_down = False
        elif pen_is_down:
            parts.append(f"L{place}{HEIGHTS[int(first + steps * ((high - value) / spread))]}")
        else:
            parts.append(f"M{place}{HEIGHTS[int(first + steps * ((high - value) / spread))]}h.01")
            pen_is_down = True
    return "".join(parts)


@lru_cache(maxsize=8)
def _places(number: int) -> tuple[str, ...]:
    """Where the even steps stand, from the left edge to the right one, with the blank before the height."""
    return tuple(f"{index * WIDTH / (number - 1):.4g} " for index in range(number))


def trend(values: Sequence[float | None]) -> float:
    """Last known value less the first: its sign is the colour of the line."""
    known = [value for value in values if value is not None]
    return known[-1] - known[0] if len(known) > 1 else 0.0


def points(values: Sequence[float | None]) -> str:
    """The values behind the line, for who points at it: hundredths with blanks between them, “-” where nothing was measured."""
    known = [value * 100 for value in values if value is not None]
    if len(known) == len(values):
        return " ".join(map(str, map(round, known)))
    return " ".join(["-" if value is None else str(round(value * 100)) for value in values])
