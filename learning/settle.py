"""What came of a decision: returns after a horizon, from the minutes that followed it. Pure; many decisions and horizons at once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Whole = NDArray[np.int64]
    Flags = NDArray[np.bool_]

MINUTE = 60
BLIND_SEC = 180  # so long without seeing anything at all is an outage of ours, and no silence of the market
PRICED, DEAD, UNKNOWN = 0, 1, 2
_TOKEN = np.int64(1) << 34  # seconds fit below it


@dataclass(frozen=True, slots=True)
class Due:
    """Decisions whose horizon is over."""

    ts: Whole  # a whole minute: what is seen in the bars from there on came after the decision
    horizon_sec: Whole
    token: Whole
    price: Numbers
    cost: Numbers  # of buying and selling, a share
    fresh_sec: Numbers  # a price counts for so long
    dead_loss: Numbers  # taken off the last price of a token that has none any more
    exchange: Flags

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, slots=True)
class Minutes:
    """The bars of one minute of these tokens, in the order of token and time, each once."""

    token: Whole
    open_time: Whole
    high: Numbers
    low: Numbers
    close: Numbers

    @classmethod
    def of(cls, rows: Any) -> Minutes:
        """In any order, some perhaps twice."""
        at = rows["token"].astype(np.int64) * _TOKEN + rows["open_time"].astype(np.int64)
        _, first = np.unique(at, return_index=True)
        whole = (rows[name][first].astype(np.int64) for name in ("token", "open_time"))
        return cls(*whole, *(rows[name][first] for name in ("high", "low", "close")))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """NaN is unknown. `best` and `worst` are unknown too where we were blind for a part of the way."""

    state: NDArray[np.int8]
    price: Numbers
    gross: Numbers
    net: Numbers
    best: Numbers
    worst: Numbers
    best_sec: Numbers
    worst_sec: Numbers


def outcomes(due: Due, minutes: Minutes, looked: Whole, looked_at_exchange: Whole) -> Outcomes:
    """`looked`: the openings of the minutes in which anything at all was seen, rising; of the exchange's symbols apart.

    For each decision, by its own minutes from `ts` to before `ts + horizon`: the last close, the highest high, the lowest low, all as
    returns from its price. Nothing beyond the horizon is looked at.
    """
    path = _paths(due, minutes)
    tail, widest = np.empty(len(due)), np.empty(len(due))
    for of_exchange, seen in ((False, looked), (True, looked_at_exchange)):
        rows = due.exchange == of_exchange
        end = due.ts[rows] + due.horizon_sec[rows]
        widest[rows] = longest_blindness(seen, due.ts[rows], end)
        tail[rows] = longest_blindness(seen, np.maximum(due.ts[rows], end - due.fresh_sec[rows].astype(np.int64)), end)
    ended_blind = np.where(due.exchange, _since(looked_at_exchange, due), _since(looked, due)) > BLIND_SEC
    fresh = (path.age <= due.fresh_sec) & (~ended_blind | (path.age <= BLIND_SEC))
    state = np.where(fresh, PRICED, np.where(tail > BLIND_SEC, UNKNOWN, DEAD)).astype(np.int8)
    return _measured(due, path, state, widest > BLIND_SEC)


@dataclass(frozen=True, slots=True)
class _Paths:
    """Of each decision, NaN where it has no minute: prices, seconds from the decision to the end of the minute that had them."""

    last: Numbers
    age: Numbers  # of the last price when the horizon ended; infinite where there is none
    high: Numbers
    low: Numbers
    high_sec: Numbers
    low_sec: Numbers


def _paths(due: Due, minutes: Minutes) -> _Paths:
    at = minutes.token * _TOKEN + minutes.open_time
    begin, end = (np.searchsorted(at, due.token * _TOKEN + seconds) for seconds in (due.ts, due.ts + due.horizon_sec))
    found = _Paths(*(np.full(len(due), np.nan) for _ in fields(_Paths)))
    found.age[:] = np.inf
    rows = np.flatnonzero(end > begin)
    if not len(rows):
        return found
    begin, count = begin[rows], (end - begin)[rows]
    newest = begin + count - 1
    found.last[rows] = minutes.close[newest]
    found.age[rows] = (due.ts + due.horizon_sec)[rows] - (minutes.open_time[newest] + MINUTE)
    starts = np.cumsum(count) - count
    places = np.arange(count.sum()) - np.repeat(starts - begin, count)
    for price, seconds, column, extreme in (
        (found.high, found.high_sec, minutes.high, np.maximum),
        (found.low, found.low_sec, minutes.low, np.minimum),
    ):
        price[rows] = extreme.reduceat(column[places], starts)
        reached = np.where(column[places] == np.repeat(price[rows], count), places, len(at))
        seconds[rows] = minutes.open_time[np.minimum.reduceat(reached, starts)] + MINUTE - due.ts[rows]
    return found


def _since(looked: Whole, due: Due) -> Numbers:
    """Seconds from the end of the last minute in which anything was seen to the end of the horizon."""
    end = due.ts + due.horizon_sec
    if not len(looked):
        return np.full(len(due), np.inf)
    place = np.searchsorted(looked, end) - 1
    return np.where(place >= 0, end - looked[np.maximum(place, 0)] - MINUTE, np.inf)


def longest_blindness(looked: Whole, begin: Whole, end: Whole) -> Numbers:
    """The longest time between `begin` and `end` in which no minute was seen, in seconds."""
    first, beyond = np.searchsorted(looked, begin), np.searchsorted(looked, end)
    found = (end - begin).astype(np.float64)
    rows = np.flatnonzero(beyond > first)
    if not len(rows):
        return found
    first, last = first[rows], beyond[rows] - 1
    edges = np.maximum(looked[first] - begin[rows], end[rows] - looked[last] - MINUTE)
    gaps = np.append(np.diff(looked) - MINUTE, 0)  # after each seen minute; that after the last of a stretch is left out below
    within = np.zeros(len(rows), dtype=np.int64)
    several = np.flatnonzero(last > first)
    if len(several):
        pairs = np.stack([first[several], last[several]], axis=1).ravel()
        within[several] = np.maximum.reduceat(gaps, pairs)[::2]
    found[rows] = np.maximum(np.maximum(edges, within), 0)
    return found


def _measured(due: Due, path: _Paths, state: NDArray[np.int8], blind: Flags) -> Outcomes:
    seen, dead, known = ~np.isnan(path.last), state == DEAD, state != UNKNOWN
    last = np.where(seen, path.last, due.price)
    gross = np.where(dead, last * (1 - due.dead_loss), last) / due.price - 1
    best, worst = (np.where(seen, price / due.price - 1, gross) for price in (path.high, path.low))
    best_sec, worst_sec = (np.where(seen, seconds, due.horizon_sec) for seconds in (path.high_sec, path.low_sec))
    worst_sec = np.where(gross < worst, due.horizon_sec, worst_sec)
    worst = np.minimum(worst, gross)
    told = known & ~blind
    return Outcomes(
        state=state,
        price=np.where(known & seen, path.last, np.nan),
        gross=np.where(known, gross, np.nan),
        net=np.where(known, (1 + gross) * (1 - due.cost) - 1, np.nan),
        best=np.where(told, best, np.nan),
        worst=np.where(told, worst, np.nan),
        best_sec=np.where(told, best_sec, np.nan),
        worst_sec=np.where(told, worst_sec, np.nan),
    )
