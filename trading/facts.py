"""What is known of the assets beside their bars, read every quarter of an hour: the same rows, whether asked live or for a back-test.

A figure counts for the whole quarter that begins with it, so that live and back-test hold the same figures against the same limits. One
that is older than some minutes at the mark is unknown. Open interest is that of its time too: where none was read, it limits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db.models import Q

from tokens.bars import INTERVALS, LATENESS, moment_literal, read_grid
from tokens.columns import Column, read_columns
from tokens.models import Chain, Status, StatusChange, Token
from trading.context import Facts
from trading.models import PaperOrder, PaperPosition
from trading.pipeline import Known
from trading.prefilter import AssetFacts
from trading.windows import DAY_SEC, day_bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokens.bar_grid import Grid
    from trading.calibration import Calibration

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]

MARK_SEC, HOUR_SEC = 900, INTERVALS["1h"]
FRESH_AT_MARK = timedelta(minutes=5)
INTEREST_FRESH_AT_MARK = timedelta(minutes=15)  # asked for every five minutes: two readings may be missed
HOURS_KNOWN = 1.0  # a snapshot tells the volume of the last hour

FIGURES = (
    Column("token", "s.token_id"),
    Column("ts", "s.ts", "moment"),
    Column("liquidity", "s.liquidity"),
    Column("volume_1h", "s.volume_1h"),
    # Only where both are of one reading: trades summed over pools are of another moment than the wallets beside them.
    Column("trades", "CASE WHEN s.source = 'birdeye' THEN s.tx_count_5m END"),
    Column("wallets", "CASE WHEN s.source = 'birdeye' THEN s.unique_wallets_5m END"),
    Column("contradictory", "s.contradictions <> ''", "flag"),
)
INTEREST = (Column("token", "s.token_id"), Column("ts", "s.ts", "moment"), Column("open_interest", "s.usd"))


@dataclass(frozen=True, slots=True)
class Assets:
    """The tokens that the stages look at, in the order of their keys."""

    pks: Places
    addresses: Sequence[str]
    born: Numbers
    in_pools: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pks)


def assets(chosen: Sequence[int] | None = None) -> Assets:
    """Active tokens and those in which something is open; or the `chosen` ones."""
    rows = Token.objects.filter(pk__in=chosen) if chosen is not None else Token.objects.filter(_watched())
    found = list(rows.order_by("pk").values_list("pk", "address", "created_at", "chain"))
    return Assets(
        np.array([row[0] for row in found], dtype=np.int64),
        [row[1] for row in found],
        np.array([row[2].timestamp() for row in found], dtype=np.float64),
        np.array([row[3] == Chain.SOLANA for row in found], dtype=np.bool_),
    )


def _watched() -> Q:
    held = PaperPosition.objects.filter(closed_at__isnull=True).values("token_id")
    return Q(status=Status.ACTIVE) | Q(pk__in=held) | Q(pk__in=PaperOrder.objects.values("token_id"))


def looked_at(of: Assets, grid: Grid) -> NDArray[np.bool_]:
    """(bars, tokens): whether the cycle that judged a bar looked at the token, which it does while that is Active. By the history of the
    statuses; a token without one has always been what it is now. Two statements."""
    active = set(Token.objects.filter(pk__in=of.pks.tolist(), status=Status.ACTIVE).values_list("pk", flat=True))
    changes: dict[int, list[tuple[float, str, str]]] = {}
    rows = StatusChange.objects.filter(token__in=of.pks.tolist()).order_by("ts", "pk").values_list("token_id", "ts", "old", "new")
    for token, ts, old, new in rows:
        changes.setdefault(token, []).append((ts.timestamp(), old, new))
    cycles = grid.open_time + grid.interval_sec + LATENESS.total_seconds()
    found = np.zeros(grid.close.shape, dtype=np.bool_)
    for column, token in enumerate(of.pks.tolist()):
        known = changes.get(token, [])
        found[:, column] = known[0][1] == Status.ACTIVE if known else token in active
        for at, _, new in known:
            found[int(np.searchsorted(cycles, at)) :, column] = new == Status.ACTIVE
    return found


@dataclass(frozen=True, slots=True)
class Marked:
    """Figures at each mark: (marks, tokens)."""

    marks: Places  # seconds since 1970, rising
    liquidity: Numbers
    volume_1h: Numbers
    trades: Numbers  # of five minutes
    wallets: Numbers
    contradictory: NDArray[np.bool_]
    open_interest: Numbers

    def at(self, ends: Places) -> Places:
        """The place of the mark that counts at each moment."""
        return np.searchsorted(self.marks, ends // MARK_SEC * MARK_SEC)


def marked(pks: Places, ends: Places) -> Marked:
    """The figures that count at these moments, in two statements."""
    marks = np.unique(ends // MARK_SEC * MARK_SEC)
    found = _at_marks(FIGURES, "token_snapshots", FRESH_AT_MARK, pks, marks)
    interest = _at_marks(INTEREST, "open_interest", INTEREST_FRESH_AT_MARK, pks, marks)
    return Marked(marks, **{**found, **interest, "contradictory": found["contradictory"] == 1})


def _at_marks(columns: Sequence[Column], table: str, fresh: timedelta, pks: Places, marks: Places) -> dict[str, Any]:
    """(marks, tokens) each: the newest row that was there at the mark, and younger than `fresh`."""
    found = {column.name: np.full((len(marks), len(pks)), np.nan) for column in columns[2:]}
    if not len(marks) or not len(pks):
        return found
    rows = _read(columns, table, pks, datetime.fromtimestamp(int(marks[0]), UTC) - fresh, datetime.fromtimestamp(int(marks[-1]), UTC))
    order = np.argsort(rows["ts"], kind="stable")  # of several the newest stays
    ts, column = rows["ts"][order], np.searchsorted(pks, rows["token"][order].astype(np.int64))
    mark = np.searchsorted(marks, ts)  # the first one that has seen it
    counts = mark < len(marks)
    counts[counts] = marks[mark[counts]] - ts[counts] < fresh.total_seconds()
    for name, values in found.items():
        values[mark[counts], column[counts]] = rows[name][order][counts]
    return found


def _read(columns: Sequence[Column], table: str, pks: Places, after: datetime, until: datetime) -> dict[str, Numbers]:
    chosen = ", ".join(map(str, pks.tolist()))
    return read_columns(
        columns,
        f"FROM {table} s WHERE s.token_id IN ({chosen}) AND s.ts > {moment_literal(after)} AND s.ts <= {moment_literal(until)}",
    )


Reading = Callable[[str, Sequence[int], datetime, int], "Grid"]


def stored_grid(interval: str, tokens: Sequence[int], until: datetime, bars: int) -> Grid:
    """From the table, all of it."""
    return read_grid(interval, tokens, until, bars, as_it_was=True)


def known(
    grid: Grid, of: Assets, first_row: int, calibration: Calibration | None = None, read: Reading = stored_grid
) -> tuple[Known, Numbers]:
    """What a decision about the rows from `first_row` on may know; and the liquidity (bars, tokens) that the paper broker reckons with."""
    ends = grid.open_time + grid.interval_sec
    figures = marked(of.pks, ends[first_row:])
    place = figures.at(ends)
    place[:first_row] = 0
    changes = [first_row, *(np.flatnonzero(np.diff(place[first_row:])) + first_row + 1).tolist()] if len(grid) > first_row else []
    facts = [(row, _asset_facts(of, figures, int(place[row]))) for row in changes]

    def at_points(rows: Places, columns: Places) -> Facts:
        return _point_facts(of, figures, place[rows], columns)

    days = _days(of, grid, first_row, read)
    liquidity = figures.liquidity[place] if len(figures.marks) else np.full(grid.close.shape, np.nan)
    calibrations = [(first_row, calibration)]
    known = Known(of.addresses, facts, at_points, days, calibrations, of.in_pools)
    return known, liquidity


def _days(of: Assets, grid: Grid, first_row: int, read: Reading) -> Grid | None:
    """Whole days, out of bars of an hour: the day before the first row's, and all until the last row."""
    if len(grid) <= first_row or not len(of):
        return None
    first = int(grid.open_time[first_row]) // DAY_SEC * DAY_SEC - DAY_SEC
    last = int(grid.open_time[-1]) + grid.interval_sec
    return day_bars(read("1h", of.pks.tolist(), datetime.fromtimestamp(last, UTC), -(-(last - first) // HOUR_SEC)))


def _asset_facts(of: Assets, figures: Marked, mark: int) -> AssetFacts:
    volume, interest = figures.volume_1h[mark], figures.open_interest[mark]
    unknown: Numbers = np.full(len(of), np.nan)
    return AssetFacts(
        liquidity=figures.liquidity[mark],
        volume=volume,
        volume_hours=np.where(np.isnan(volume), np.nan, HOURS_KNOWN),
        depth=np.where(of.in_pools, unknown, figures.liquidity[mark]),  # an exchange's liquidity is the depth of its book
        open_interest=interest,
        in_pools=of.in_pools,
        has_futures=~np.isnan(interest),
    )


def _point_facts(of: Assets, figures: Marked, marks: Places, columns: Places) -> Facts:
    facts = Facts.unknown(len(columns))
    values: dict[str, Any] = {
        "liquidity": figures.liquidity[marks, columns],
        "volume_24h": figures.volume_1h[marks, columns] * (24 / HOURS_KNOWN),
        "trades": figures.trades[marks, columns],
        "wallets": figures.wallets[marks, columns],
        "born": of.born[columns],
        "contradictory": figures.contradictory[marks, columns],
        "may_be_short": ~of.in_pools[columns],
    }
    return Facts(**{name: values.get(name, getattr(facts, name)) for name in Facts.__dataclass_fields__})
