"""Student's t: how likely a distance of so many standard errors is by chance, when the error itself is known from few pieces only."""

from __future__ import annotations

import math

LARGEST = 1e8  # standard errors; beyond, the chance is 0 in floats anyway
TERMS = 300  # six times what it takes for any freedom from 1 to 10¹²
NEAR = 1e-15  # a step of 1, but for the last digits of a float
TINY = 1e-300


def chance_beyond(distance: float, freedom: float) -> float:
    """Two-sided: P(|T| ≥ distance) = I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + distance²). NaN stays NaN."""
    if math.isnan(distance) or freedom <= 0:
        return math.nan
    if abs(distance) > LARGEST:
        return 0.0
    x = freedom / (freedom + distance * distance)
    return min(1.0, _incomplete_beta(freedom / 2, 0.5, x))


def distance_of(chance: float, freedom: float) -> float:
    """The way back: beyond which distance lies this two-sided chance? By halving, to the last digits that matter."""
    low, high = 0.0, 1.0
    while chance_beyond(high, freedom) > chance and high < LARGEST:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chance_beyond(middle, freedom) > chance else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function by its continued fraction, on the side where that is quick."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _fraction(a, b, x) / a
    return 1 - math.exp(log_front) * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """1 / (1 + d₁ / (1 + d₂ / (1 + …))), from the front (Lentz)."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    found, step, m = d, 0.0, 0
    while abs(step - 1) >= NEAR and m < TERMS:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            step = c * d
            found *= step
    return found


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
