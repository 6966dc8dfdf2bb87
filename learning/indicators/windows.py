"""What a window of rows holds: sums, means, spreads, extremes, slopes. Gathered from neighbours by doubling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Values = NDArray[Any]
    Columns = tuple[Numbers, ...]

State = TypeVar("State")
SORTED_AT_ONCE = 4_000_000  # values; a median needs its windows laid out in full


def at_least_one(*lengths: int) -> None:
    for length in lengths:
        if length < 1:
            raise ValueError(f"a window of {length} bars")


def shifted(values: Numbers, rows: int = 1) -> Numbers:
    """The value of `rows` bars ago."""
    before = np.full(values.shape, np.nan)
    if rows < len(values):
        before[rows:] = values[: len(values) - rows]
    return before


def gathered(single: State, length: int, merge: Callable[[State, int, State, int], State]) -> State:
    """The state of windows of `length` rows, from that of single rows. `merge(later, its rows, earlier, its rows)` joins two windows
    that lie side by side, the earlier one shifted down by the rows of the later; no value outside a window ever takes part."""
    power, size = single, 1
    found: State | None = None
    reached = 0
    while True:
        if length & size:
            found = power if found is None else merge(found, reached, power, size)
            reached += size
        if found is not None and reached == length:
            return found
        power, size = merge(power, size, power, size), 2 * size


def joined_rows(state: Columns, join: Callable[[Columns, Columns], Columns]) -> Columns:
    """All rows joined into one, neighbour with neighbour: the same for a column whether it stands alone or beside others."""
    while len(state[0]) > 1:
        even = len(state[0]) // 2 * 2
        joined = join(tuple(part[:even:2] for part in state), tuple(part[1:even:2] for part in state))
        rest = [part[even:] for part in state]
        state = tuple(np.concatenate(pair) for pair in zip(joined, rest, strict=True)) if len(rest[0]) else joined
    return tuple(part[0] for part in state)


def totals(*series: Numbers) -> tuple[Numbers, ...]:
    """The sums of all rows."""
    return joined_rows(series, lambda some, others: tuple(one + other for one, other in zip(some, others, strict=True)))


def mean_and_std_of(values: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """How many of all rows hold a bar, their mean and their standard deviation (population)."""
    known = ~np.isnan(values)
    if known.all():
        counts, filled = np.ones((len(values), 1)), values  # one column stands for all
    else:
        counts, filled = known.astype(np.float64), np.where(known, values, 0.0)
    count, mean, squares = joined_rows((counts, filled, np.zeros(values.shape)), _chan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.broadcast_to(count, mean.shape), np.where(count > 0, mean, np.nan), np.sqrt(squares / count)


def _chan(some: Columns, others: Columns) -> Columns:
    """Two samples as one, by Chan's rule, as `_joined_moments`."""
    (own, mean, squares), (other, other_mean, other_squares) = some, others
    total, distance = own + other, other_mean - mean
    step = distance * _share(other, total)
    return total, mean + step, squares + other_squares + step * distance * own


def joined_by(join: Callable[..., Any]) -> Callable[[Values, int, Values, int], Values]:
    """Two windows joined by one operation on their values."""

    def merge(later: Values, its_rows: int, earlier: Values, _rows: int) -> Values:
        both = np.empty_like(later)
        both[:its_rows] = later[:its_rows]
        if its_rows < len(later):
            join(later[its_rows:], earlier[: len(earlier) - its_rows], out=both[its_rows:])
        return both

    return merge


def spanned(values: Values, length: int, join: Callable[..., Any]) -> Values:
    """The last `length` rows joined by an operation that may meet a value twice, as maximum or “or”: two overlapping windows make one."""
    merge, size = joined_by(join), 1
    while 2 * size <= length:
        values, size = merge(values, size, values, size), 2 * size
    return merge(values, length - size, values, size) if size < length else values


def bars_in_window(missing: NDArray[np.bool_], length: int) -> Values:
    """How many bars the last `length` rows hold; one column stands for all where they cannot differ."""
    begun = _begun(missing)
    if begun is None:
        return gathered((~missing).astype(np.uint16), length, joined_by(np.add))
    return np.clip(np.arange(1, len(missing) + 1) - begun, 0, length)[:, None]


def _begun(missing: NDArray[np.bool_]) -> int | None:
    """The row before which no token has a bar and from which on none lacks one, as of anything made of neighbouring rows where no bar is
    missing. None where bars are missing otherwise."""
    cells = missing.ravel()
    first = int(cells.argmin()) if len(cells) else 0
    if len(cells) == 0 or cells[first]:
        return len(missing)
    row, column = divmod(first, missing.shape[1])
    return None if column or cells[first:].any() else row


def holes(values: Numbers, length: int) -> tuple[NDArray[np.bool_] | None, Values | None]:
    """Where a bar is missing, and how many the last `length` rows hold; None where none is missing, which spares much."""
    missing = np.isnan(values)
    return (missing, bars_in_window(missing, length)) if missing.any() else (None, None)


def _unknown_before(least: int, found: Numbers, bars: Values | None, length: int) -> Numbers:
    """In place: NaN where fewer than `least` of the last `length` rows hold a bar."""
    if bars is None:
        found[: least - 1 if least <= length else None] = np.nan
    else:
        np.copyto(found, np.nan, where=bars < least)
    return found


def _at_least(length: int, least: int | None) -> int:
    return length if least is None else max(least, 1)


def rolling_sum(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """The sum of the bars in the last `length` rows."""
    at_least_one(length)
    return sums_of(values, *holes(values, length), length, _at_least(length, least))


def sums_of(values: Numbers, missing: NDArray[np.bool_] | None, bars: Values | None, length: int, least: int) -> Numbers:
    """The same where it is known already what is missing (see `holes`)."""
    filled = values if missing is None else np.where(missing, 0.0, values)
    total = gathered(filled, length, joined_by(np.add))
    return _unknown_before(least, total.copy() if total is values else total, bars, length)


def rolling_mean(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """Their mean."""
    at_least_one(length)
    missing, bars = holes(values, length)
    total = sums_of(values, missing, bars, length, _at_least(length, least))
    total /= np.minimum(np.arange(1.0, len(values) + 1), length)[:, None] if bars is None else np.maximum(bars, 1)
    return total


def sma(values: Numbers, length: int) -> Numbers:
    """The plain average of `length` bars."""
    return rolling_mean(values, length)


def rolling_max(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """The highest of them."""
    return _extreme(values, length, least, np.fmax)


def rolling_min(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """The lowest of them."""
    return _extreme(values, length, least, np.fmin)


def _extreme(values: Numbers, length: int, least: int | None, wider: Any) -> Numbers:
    at_least_one(length)
    found = spanned(values, length, wider)
    return _unknown_before(_at_least(length, least), found.copy() if found is values else found, holes(values, length)[1], length)


def rolling_std(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """Their standard deviation, of the population. Exactly 0 where they are all equal."""
    return mean_and_std(values, length, least)[1]


def mean_and_std(values: Numbers, length: int, least: int | None = None) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation (population) in one go."""
    at_least_one(length)
    missing = np.isnan(values)
    weight, mean, squares = moments(values, (~missing).astype(np.float64) if missing.any() or least is not None else 1.0, length)
    unknown = bars_in_window(missing, length) < _at_least(length, least)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.sqrt(squares / weight)
    mean = mean.copy()
    for result in (mean, deviation):
        np.copyto(result, np.nan, where=unknown)
    return mean, deviation


def moments(values: Numbers, weights: Numbers | float, length: int) -> tuple[Any, Numbers, Numbers]:
    """Sum of weights, weighted mean, and weighted sum of squared distances from it. With a single weight for all (no gaps), rows before
    the first whole window mean nothing. Values of no weight may be NaN."""
    known = values if isinstance(weights, float) else np.where(weights > 0, values, 0.0)
    return gathered((weights, known, np.zeros(values.shape)), length, _joined_moments)


def _joined_moments(later: Any, its_rows: int, earlier: Any, _rows: int) -> Any:
    """Chan's rule: it adds distances between means, never squares of large numbers, and equal values keep a spread of exactly 0."""
    (own, mean, squares), (other, other_mean, other_squares) = later, earlier
    one_weight = isinstance(own, float)
    if its_rows >= len(mean):
        return (own + other if one_weight else own), mean, squares
    cut, rest = slice(its_rows, None), slice(len(mean) - its_rows)
    total = own + other if one_weight else _joined(own, other, its_rows)
    share = other / total if one_weight else _share(other[rest], total[cut])
    distance = other_mean[rest] - mean[cut]
    step = distance * share
    new_mean = _joined(mean, step, its_rows)
    step *= distance
    step *= own if one_weight else own[cut]
    new_squares = _joined(squares, other_squares, its_rows)
    new_squares[cut] += step
    return total, new_mean, new_squares


def _joined(values: Numbers, added: Numbers, its_rows: int) -> Numbers:
    """A copy, with what is added from row `its_rows` on."""
    both = np.empty(values.shape)
    both[:its_rows] = values[:its_rows]
    np.add(values[its_rows:], added[: len(values) - its_rows], out=both[its_rows:])
    return both


def _share(part: Numbers, whole: Numbers) -> Numbers:
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)


def slope(values: Numbers, length: int) -> Numbers:
    """The slope, a bar, of the straight line that fits `length` bars best. Exactly 0 where they are all equal."""
    at_least_one(length - 1)
    _, product = gathered((values, np.zeros(values.shape)), length, _joined_products)
    whole = bars_in_window(np.isnan(values), length) == length
    return np.where(whole, product * (-12.0 / (length * (length * length - 1.0))), np.nan)


def _joined_products(later: tuple[Numbers, Numbers], its_rows: int, earlier: tuple[Numbers, Numbers], rows: int) -> tuple[Numbers, Numbers]:
    """Mean, and sum of products of the distances (of the age in bars, of the value) from their means: rows count backwards."""
    (mean, product), (other_mean, other_product) = later, earlier
    new_mean, new_product = mean.copy(), product.copy()
    if its_rows >= len(mean):
        return new_mean, new_product
    cut, rest = slice(its_rows, None), slice(len(mean) - its_rows)
    distance = other_mean[rest] - mean[cut]
    total = its_rows + rows
    new_mean[cut] += distance * (rows / total)
    new_product[cut] += other_product[rest] + distance * (0.5 * its_rows * rows)  # mean ages lie (its_rows + rows) / 2 apart
    return new_mean, new_product


def rolling_median(values: Numbers, length: int, least: int | None = None) -> Numbers:
    """Their median. Every window is sorted: dear on long grids, see `robust_z_at` for a few places."""
    at_least_one(length)
    result = np.full(values.shape, np.nan)
    for chunk, windows in laid_out(values, length):
        result[chunk] = middle(windows, length if least is None else least)
    return result


def laid_out(values: Numbers, length: int) -> Iterator[tuple[slice, Numbers]]:
    """(rows, tokens, length) of some rows at a time, NaN before the first."""
    padded = np.concatenate([np.full((length - 1, values.shape[1]), np.nan), values])
    at_once = max(1, SORTED_AT_ONCE // max(1, length * values.shape[1]))
    for start in range(0, len(values), at_once):
        piece = padded[start : start + at_once + length - 1]
        yield slice(start, start + at_once), np.lib.stride_tricks.sliding_window_view(piece, length, axis=0)


def middle(windows: Numbers, least: int) -> Numbers:
    """The median along the last axis of what is not NaN, where that is at least `least` values."""
    return middle_of_ordered(np.sort(windows, axis=-1), least)


def middle_of_ordered(ordered: Numbers, least: int) -> Numbers:
    """The same of windows that are in order already, NaN behind the rest."""
    length = ordered.shape[-1]
    if not np.isnan(ordered[..., -1]).any():
        low, high = ordered[..., (length - 1) // 2], ordered[..., length // 2]
        return low + (high - low) / 2.0 if length >= least else np.full(low.shape, np.nan)
    count = length - np.isnan(ordered).sum(axis=-1)
    at = np.maximum(count - 1, 0)
    low = np.take_along_axis(ordered, (at // 2)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, (at - at // 2)[..., None], axis=-1)[..., 0]
    return np.where(count >= max(least, 1), low + (high - low) / 2.0, np.nan)
