"""A small line drawn by the server: values at even steps become the path of an SVG, with a hole where nothing was measured."""

from collections.abc import Sequence

WIDTH = 96
HEIGHT = 22
MARGIN = 2
DASH = 5


def path(values: Sequence[float | None]) -> str:
    """The `d` of an SVG path over WIDTH × HEIGHT. A single value is a dash; what is flat runs in the middle."""
    known = [value for value in values if value is not None]
    if not known or len(values) < 2:
        return ""
    low, high = min(known), max(known)
    step = WIDTH / (len(values) - 1)
    if len(known) == 1:
        return f"M{max(0.0, values.index(low) * step - DASH):.4g} {HEIGHT / 2:.3g}h{DASH}"
    usable = HEIGHT - 2 * MARGIN
    parts: list[str] = []
    pen_is_down = False
    for index, value in enumerate(values):
        if value is None:
            pen_is_down = False
            continue
        height = HEIGHT / 2 if high == low else MARGIN + usable * (high - value) / (high - low)
        parts.append(f"{'L' if pen_is_down else 'M'}{index * step:.4g} {height:.3g}" + ("" if pen_is_down else "h.01"))
        pen_is_down = True
    return "".join(parts)


def trend(values: Sequence[float | None]) -> float:
    """Last known value less the first: its sign is the colour of the line."""
    known = [value for value in values if value is not None]
    return known[-1] - known[0] if len(known) > 1 else 0.0


def points(values: Sequence[float | None]) -> str:
    """The values behind the line, for who points at it: hundredths with blanks between them, “-” where nothing was measured."""
    return " ".join("-" if value is None else str(round(value * 100)) for value in values)
