"""One tick of scoring: every living token whose newest snapshot is not scored yet, in a handful of statements whatever their number.

The smoothing's state is read from each token's last stored score, never from memory: a restart changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection, transaction

from scoring.components import as_texts
from scoring.metrics import BLOCK, HOUR_AGO_SEC, HOUR_SEC, METRICS, Formula, Inputs, Memory, score_tick
from scoring.models import ScoringSettings, TokenScore
from scoring.settings_in_force import active_settings, formula, interval_sec
from tokens.bulk_rows import insert_columns
from tokens.columns import Column, read_columns
from tokens.overtaken import Overtaken, move_on
from tokens.uncollected import uncollected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Columns = Mapping[str, NDArray[np.float64]]

FIGURES = (
    "liquidity",
    "tx_count_5m",
    "tx_count_1h",
    "volume_5m",
    "volume_1h",
    "holders",
    "buys_5m",
    "sells_5m",
    "buys_volume_5m",
    "sells_volume_5m",
)
MOMENTS = ("ts", "birdeye_at", "last_trade_at")
FROM = (*MOMENTS, "created_at", "earlier_holders", "earlier_at", "later_holders", "later_at")
WORKED_OUT = ("age_sec", "holders_before", "holders_before_sec", "birdeye_age_sec", "last_trade_age_sec")
COLUMNS = (
    Column("pk", "t.id"),
    Column("active", "t.status = 'Active'", "flag"),
    Column("created_at", "t.created_at", "moment"),
    *(Column(name, f"s.{name}") for name in FIGURES),
    *(Column(name, f"s.{name}", "moment") for name in MOMENTS),
    Column("same_source", "s.source = 'birdeye'", "flag"),
    Column("earlier_holders", "earlier.holders"),
    Column("earlier_at", "coalesce(earlier.birdeye_at, earlier.ts)", "moment"),
    Column("later_holders", "later.holders"),
    Column("later_at", "coalesce(later.birdeye_at, later.ts)", "moment"),
    Column("scored_at", "last.ts", "moment"),
)


def memory_columns(model: str) -> list[Column]:
    """What the last score remembers, unless another model made it: its smoothed values would mean something else."""
    components = f"CASE WHEN r.score_model = '{model}' THEN last.components END"
    return [Column(f"{name}.{key}", components, "json", (name, key)) for key in ("smoothed", "age_sec") for name in METRICS]


# Holders one hour before the present count was read: the newest count up to that second, and the oldest after it; the nearer one is taken.
# A count that is carried along stands also in the row it was first written to, so the nearest row holds the nearest count.
FROM_POSTGRESQL = """
    FROM tokens t
    CROSS JOIN LATERAL (SELECT * FROM token_snapshots x WHERE x.token_id = t.id AND x.ts = t.last_snapshot_at LIMIT 1) s
    LEFT JOIN LATERAL (SELECT * FROM token_scores x WHERE x.token_id = t.id AND x.ts = t.last_scored_at LIMIT 1) last ON true
    LEFT JOIN scoring_settings r ON r.id = last.settings_id
    CROSS JOIN LATERAL (SELECT date_trunc('second', coalesce(s.birdeye_at, s.ts)) - interval '1 hour' AS hour_ago OFFSET 0) h
    LEFT JOIN LATERAL (
        SELECT x.holders, x.birdeye_at, x.ts FROM token_snapshots x
        WHERE s.holders IS NOT NULL AND x.token_id = t.id AND x.holders IS NOT NULL
            AND x.ts <= h.hour_ago AND x.ts >= h.hour_ago - interval '16 minutes'
        ORDER BY x.ts DESC LIMIT 1) earlier ON true
    LEFT JOIN LATERAL (
        SELECT x.holders, x.birdeye_at, x.ts FROM token_snapshots x
        WHERE s.holders IS NOT NULL AND x.token_id = t.id AND x.holders IS NOT NULL
            AND x.ts > h.hour_ago AND x.ts <= h.hour_ago + interval '11 minutes' AND coalesce(x.birdeye_at, x.ts) > h.hour_ago
        ORDER BY x.ts LIMIT 1) later ON true
"""
FROM_SQLITE = """
    FROM tokens t
    JOIN token_snapshots s ON s.token_id = t.id AND s.ts = t.last_snapshot_at
    LEFT JOIN token_scores last ON last.token_id = t.id AND last.ts = t.last_scored_at
    LEFT JOIN scoring_settings r ON r.id = last.settings_id
    LEFT JOIN token_snapshots earlier ON earlier.id = (
        SELECT x.id FROM token_snapshots x
        WHERE s.holders IS NOT NULL AND x.token_id = t.id AND x.holders IS NOT NULL
            AND x.ts <= datetime(coalesce(s.birdeye_at, s.ts), '-1 hour')
            AND x.ts >= datetime(coalesce(s.birdeye_at, s.ts), '-76 minutes')
        ORDER BY x.ts DESC LIMIT 1)
    LEFT JOIN token_snapshots later ON later.id = (
        SELECT x.id FROM token_snapshots x
        WHERE s.holders IS NOT NULL AND x.token_id = t.id AND x.holders IS NOT NULL
            AND x.ts > datetime(coalesce(s.birdeye_at, s.ts), '-1 hour')
            AND x.ts <= datetime(coalesce(s.birdeye_at, s.ts), '-49 minutes')
            AND coalesce(x.birdeye_at, x.ts) > datetime(coalesce(s.birdeye_at, s.ts), '-1 hour')
        ORDER BY x.ts LIMIT 1)
"""
DUE = """
    WHERE t.status IN ('Initial', 'Active') AND (t.last_scored_at IS NULL OR t.last_scored_at < t.last_snapshot_at)
    ORDER BY t.id
"""


def score_tokens(now: datetime, settings: ScoringSettings | None = None) -> int:
    """Score every living token that has a snapshot without a score, all by one revision: the active one, unless `settings` is given.

    Returns how many were scored; a score may be unknown. What lies after `now` is left for later: nothing sees the future.
    """
    return int(score_due(now, settings or active_settings())["pk"].size)


@uncollected()
def score_due(now: datetime, revision: ScoringSettings) -> Columns:
    """The same, and gives back what was read: the figures that were scored, and what the smoothing remembered before."""
    columns = _due(revision, now)
    try:
        _score(columns, revision, formula(revision))
    except Overtaken:
        columns = _due(revision, now)
        _score(columns, revision, formula(revision))
    return columns


def _due(revision: ScoringSettings, now: datetime) -> Columns:
    source = FROM_POSTGRESQL if connection.vendor == "postgresql" else FROM_SQLITE
    columns = read_columns([*COLUMNS, *memory_columns(revision.score_model)], source + DUE)
    past = columns["ts"] <= now.timestamp()
    return columns if past.all() else {name: column[past] for name, column in columns.items()}


def _score(columns: Columns, revision: ScoringSettings, by: Formula) -> None:
    if not columns["pk"].size:
        return
    inputs = inputs_of(columns)
    memory = Memory(
        np.stack([columns[f"{name}.smoothed"] for name in METRICS]),
        np.stack([columns[f"{name}.age_sec"] for name in METRICS]),
    )
    interval = np.where(columns["active"] == 1, interval_sec(revision, "Active"), interval_sec(revision, "Initial"))
    scored = score_tick(inputs, memory, columns["ts"] - columns["scored_at"], interval, by)
    pks, moments = columns["pk"].astype(np.int64).tolist(), _moments(columns["ts"])
    texts = as_texts(inputs, scored, by)
    made = [pks, moments, scored.score, texts, [revision.pk] * len(pks)]
    newest = list(zip(pks, scored.score.tolist(), moments, strict=True))
    with transaction.atomic():
        move_on(["last_score_value", "last_scored_at"], newest, "last_scored_at")
        insert_columns(TokenScore, ["token", "ts", "score", "components", "settings"], made)


def inputs_of(columns: Columns) -> Inputs:
    """The columns of a read as the arithmetic takes them: ages for moments, and of two holder counts the nearer to an hour ago."""
    size = columns["ts"].size
    found = {name: np.empty(size) for name in WORKED_OUT}
    for begin in range(0, size, BLOCK):
        place = slice(begin, begin + BLOCK)
        _work_out({name: columns[name][place] for name in FROM}, {name: column[place] for name, column in found.items()})
    return Inputs(same_source=columns["same_source"] == 1, **found, **{name: columns[name] for name in FIGURES})


def _work_out(columns: Columns, found: Columns) -> None:
    ts, birdeye_at = columns["ts"], columns["birdeye_at"]
    before, between = found["holders_before"], found["holders_before_sec"]
    _nearer(birdeye_at, columns, before, between)
    odd = np.flatnonzero(~((between >= HOUR_AGO_SEC[0]) & (between <= HOUR_AGO_SEC[1])))
    before[odd] = between[odd] = np.nan
    odd = odd[~(np.isnan(columns["earlier_at"][odd]) & np.isnan(columns["later_at"][odd]))]
    if odd.size:
        before[odd], between[odd] = _nearer_if_any({name: column[odd] for name, column in columns.items()})
    np.maximum(np.subtract(ts, columns["created_at"], out=found["age_sec"]), 0.0, out=found["age_sec"])
    np.subtract(ts, birdeye_at, out=found["birdeye_age_sec"])
    np.subtract(ts, columns["last_trade_at"], out=found["last_trade_age_sec"])


def _nearer(counted_at: NDArray[np.float64], columns: Columns, before: NDArray[np.float64], between: NDArray[np.float64]) -> None:
    """Of two holder counts the nearer to an hour before, and the seconds between. Where a moment is missing they may be unknown."""
    earlier, later = counted_at - columns["earlier_at"], counted_at - columns["later_at"]
    from_earlier = np.abs(np.subtract(earlier, HOUR_SEC, out=between), out=between)
    from_later = np.abs(np.subtract(later, HOUR_SEC, out=before), out=before)
    use_later = -(from_later < from_earlier).astype(np.int64)  # all bits or none
    _chosen(use_later, later, earlier, between)
    _chosen(use_later, columns["later_holders"], columns["earlier_holders"], before)


def _chosen(bits: NDArray[np.int64], one: NDArray[np.float64], other: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """`np.where`, in a third of the time: it branches at each place, and which count is the nearer is as good as drawn by lot."""
    found, another = out.view(np.int64), np.asarray(other, dtype=np.float64).view(np.int64)
    np.bitwise_xor(np.asarray(one, dtype=np.float64).view(np.int64), another, out=found)
    np.bitwise_and(found, bits, out=found)
    np.bitwise_xor(found, another, out=found)


def _nearer_if_any(columns: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same where a moment may be missing: of one known count that one, and a count without a moment is as old as its snapshot."""
    counted_at = np.where(np.isnan(columns["birdeye_at"]), columns["ts"], columns["birdeye_at"])
    earlier, later = counted_at - columns["earlier_at"], counted_at - columns["later_at"]
    use_later = np.isnan(earlier) | (np.abs(later - HOUR_SEC) < np.abs(earlier - HOUR_SEC))
    between = np.where(use_later, later, earlier)
    in_reach = (between >= HOUR_AGO_SEC[0]) & (between <= HOUR_AGO_SEC[1])
    before = np.where(use_later, columns["later_holders"], columns["earlier_holders"])
    return np.where(in_reach, before, np.nan), np.where(in_reach, between, np.nan)


def _moments(seconds: NDArray[np.float64]) -> list[datetime]:
    known = {at: datetime.fromtimestamp(at, UTC) for at in set(seconds.tolist())}
    return [known[at] for at in seconds.tolist()]
