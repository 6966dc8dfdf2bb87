"""The stored inputs of the last hours, in columns in memory: read once, then grown by what each later tick has added.

Rows lie turn after turn: first the first row of every token, then every second one, and so on. Tokens with more rows stand before those
with fewer, so that a turn is one slice of every column and a replay takes as many steps as the longest token has rows.

A token that lived before the stretch begins goes on from its last stored score, as a worker after a restart would. The stretch begins at
a whole quarter of an hour: it moves four times an hour, and between two moves it only grows.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection

from scoring.metrics import METRICS, Inputs, Memory
from scoring.run import FIGURES, MOMENTS, inputs_of
from scoring.score_models import REGISTRY
from scoring.settings_in_force import active_settings
from tokens.columns import Column, read_columns
from tokens.models import StatusChange, TokenSnapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Columns = dict[str, Numbers]

MOST_ROWS = 500_000  # some 150 MB in each web process; 1,000 tokens looked at every 30 s for four hours
QUARTER_SEC = 900
HOLDERS_REACH = timedelta(minutes=76)  # as far back as scoring.run looks for the count of an hour ago
NEARER_US, FARTHER_US, HOUR_US = 660_000_000, 960_000_000, 3_600_000_000
MODELS = list(REGISTRY)
LISTED = "s.token_id NOT IN (SELECT x.id FROM tokens x WHERE x.chain <> 'solana')"  # exchange symbols are scored, but stand in no list
TOKEN_BITS_FROM = 45  # microseconds of 400 days fit below

ROWS = (
    Column("id", "s.id"),
    Column("token", "s.token_id"),
    *(Column(name, f"s.{name}") for name in FIGURES),
    *(Column(name, f"s.{name}", "moment") for name in MOMENTS),
    Column("same_source", "s.source = 'birdeye'", "flag"),
    Column("contradictory", "s.contradictions <> ''", "flag"),
)
COUNTS = (
    Column("token", "s.token_id"),
    Column("ts", "s.ts", "moment"),
    Column("holders", "s.holders"),
    Column("counted_at", "coalesce(s.birdeye_at, s.ts)", "moment"),
)
TOKENS = (
    Column("pk", "t.id"),
    Column("active", "t.status = 'Active'", "flag"),
    Column("living", "t.status <> 'Archived'", "flag"),
    Column("held", "t.held", "flag"),
    Column("created_at", "t.created_at", "moment"),
    Column("observed_sec", "t.observed_sec"),
    Column("last_snapshot_at", "t.last_snapshot_at", "moment"),
    Column("pool_since", "(SELECT min(p.first_seen) FROM pools p WHERE p.token_id = t.id)", "moment"),
)
_MODEL = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(MODELS))
SEEDS = (
    Column("pk", "t.id"),
    Column("ts", "last.ts", "moment"),
    Column("model", f"CASE r.score_model {_MODEL} END"),
    *(Column(f"{name}.{key}", "last.components", "json", (name, key)) for key in ("smoothed", "age_sec") for name in METRICS),
)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some hours of all tokens. Columns of rows are in turns, columns of tokens in the order of `pks`. Nothing in it ever changes."""

    pks: NDArray[np.int64]
    turns: NDArray[np.int64]  # where each turn begins, and the end
    columns: Columns
    inputs: Inputs
    elapsed_sec: Numbers  # since the token's row before, or its last score before the stretch
    before: NDArray[np.int64]  # the token's row before; −1 where there is none
    last: NDArray[np.int64]  # of each token
    active: NDArray[np.bool_]  # at its first row
    living: NDArray[np.bool_]  # now
    held: NDArray[np.bool_]
    created_at: Numbers
    pool_since: Numbers
    observed_sec: Numbers
    seed: Memory
    seed_model: Numbers
    seed_ts: Numbers
    start: datetime
    known: dict[object, object] = field(default_factory=dict)  # what a replay has worked out that the next one needs again

    @property
    def rows(self) -> int:
        return int(self.columns["ts"].size)

    @property
    def hours(self) -> float:
        """From the first row to the last."""
        ts = self.columns["ts"]
        return float(ts.max() - ts.min()) / 3600 if ts.size else 0.0


@dataclass(frozen=True)
class _Held:
    """What was read: rows in the order they came, and the holder counts from before the first of them. `newest` is the newest key that the
    table had, of whatever token."""

    start: datetime
    rows: Columns
    counts: Columns
    newest: int


class History:
    """Hands out the present stretch. One for each process; threads may share it."""

    def __init__(self, hours: float | None = None, most_rows: int = MOST_ROWS) -> None:
        self.hours, self.most_rows = hours, most_rows
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._seeds: Columns = {}
        self._stretch: Stretch | None = None

    def present(self, now: datetime) -> Stretch:
        """All that is stored from `hours` ago on (by default: the retention), as far as memory allows. Nothing is read twice."""
        with self._lock:
            newest = TokenSnapshot.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            held = self._held
            wanted = self._wanted(now)
            if held is not None and self._stretch is not None and held.start >= wanted and held.newest == newest:
                return self._stretch
            held = self._grown(held, wanted, newest) if held is not None else None
            if held is None:
                held, self._seeds = _load(_affordable(wanted, newest, self.most_rows), newest), {}
            self._stretch = self._assembled(held)
            self._held = held
            return self._stretch

    def _wanted(self, now: datetime) -> datetime:
        hours = self.hours or active_settings().retention_hours
        return _quarter(now - timedelta(hours=hours))

    def _grown(self, held: _Held, wanted: datetime, newest: int) -> _Held | None:
        """What is held and what came since; None where that does not fit together and must be read anew."""
        last = _last_id(held)
        fresh = read_columns(ROWS, f"FROM token_snapshots s WHERE s.id >= {last} AND s.ts >= '{_moment(held.start)}' AND {LISTED}")
        at_last = fresh["id"] == last
        if not last or not at_last.any() or fresh["ts"][at_last][0] != held.rows["ts"][np.argmax(held.rows["id"])]:
            return None  # another database than the one that was read, or all of it was swept away
        start = max(held.start, wanted)
        rows = {name: np.concatenate([column, fresh[name][~at_last]]) for name, column in held.rows.items()}
        if rows["ts"].size > self.most_rows * 1.1:
            start = max(
                start, _quarter(datetime.fromtimestamp(float(np.sort(rows["ts"])[-self.most_rows]), UTC)) + timedelta(seconds=QUARTER_SEC)
            )
        if start > held.start:
            self._seeds = {}
        counts = {name: np.concatenate([column, _counts_of(fresh, ~at_last)[name]]) for name, column in held.counts.items()}
        return _Held(start, _from(rows, start), _from(counts, start - _run_up()), newest)

    def _assembled(self, held: _Held) -> Stretch:
        tokens = read_columns(
            TOKENS, f"FROM tokens t WHERE t.chain = 'solana' AND t.last_snapshot_at >= '{_moment(held.start)}' ORDER BY t.id"
        )
        elders = np.intersect1d(tokens["pk"][tokens["created_at"] < held.start.timestamp()], held.rows["token"])
        if not self._seeds or not np.isin(elders, self._seeds["asked"]).all():
            self._seeds = _read_seeds(held.start) | {"asked": elders}
        return _assemble(held, tokens, self._seeds)


# Reading


def _moment(at: datetime) -> str:
    """A whole second as both databases compare it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") + ("+00" if connection.vendor == "postgresql" else "")


def _quarter(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // QUARTER_SEC * QUARTER_SEC, UTC)


def _run_up() -> timedelta:
    """A holder count of the first row may be as old as its freshness limit, and is compared with one an hour older."""
    return HOLDERS_REACH + timedelta(seconds=max(active_settings().holders_freshness_sec, 1800))


def _last_id(held: _Held) -> int:
    return int(held.rows["id"].max()) if held.rows["id"].size else 0


def _from(rows: Columns, start: datetime) -> Columns:
    young = rows["ts"] >= start.timestamp()
    return rows if young.all() else {name: column[young] for name, column in rows.items()}


def _counts_of(rows: Columns, which: NDArray[np.bool_]) -> Columns:
    which = which & ~np.isnan(rows["holders"])
    counted_at = np.where(np.isnan(rows["birdeye_at"]), rows["ts"], rows["birdeye_at"])
    return {"token": rows["token"][which], "ts": rows["ts"][which], "holders": rows["holders"][which], "counted_at": counted_at[which]}


def _affordable(wanted: datetime, newest: int, most_rows: int) -> datetime:
    """`wanted`, or the first quarter from which on no more than `most_rows` are stored. Primary keys count rows well enough."""
    edge = TokenSnapshot.objects.filter(pk__gt=newest - most_rows).order_by("pk").values_list("pk", "ts").first()
    if edge is None or edge[0] == 1 or edge[1] <= wanted or not TokenSnapshot.objects.filter(pk__lt=edge[0]).exists():
        return wanted
    return max(wanted, _quarter(edge[1]) + timedelta(seconds=QUARTER_SEC))


def _load(start: datetime, newest: int) -> _Held:
    first, earliest = _first_row(start), start - _run_up()
    rows = read_columns(ROWS, f"FROM token_snapshots s WHERE s.id >= {first} AND s.ts >= '{_moment(start)}' AND {LISTED}")
    run_up = read_columns(
        COUNTS,
        f"FROM token_snapshots s WHERE s.id >= {_first_row(earliest)} AND s.ts >= '{_moment(earliest)}' AND s.ts < '{_moment(start)}' "
        f"AND s.holders IS NOT NULL AND {LISTED}",
    )
    own = _counts_of(rows, np.ones(rows["ts"].shape, dtype=bool))
    return _Held(start, rows, {name: np.concatenate([column, own[name]]) for name, column in run_up.items()}, newest)


def _first_row(since: datetime) -> int:
    """The primary key from which on rows are as young as that: keys come in the order of time, so halving finds it without an index, and
    the database does the halving in one statement."""
    older = f"(SELECT s.ts FROM token_snapshots s WHERE s.id >= (low + high) / 2 ORDER BY s.id LIMIT 1) < '{_moment(since)}'"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE halves (low, high) AS (SELECT min(id), max(id) FROM token_snapshots UNION ALL "  # noqa: S608 - our own moment
            f"SELECT CASE WHEN {older} THEN (low + high) / 2 + 1 ELSE low END, CASE WHEN {older} THEN high ELSE (low + high) / 2 END "
            "FROM halves WHERE low < high) SELECT low FROM halves WHERE low >= high"
        )
        found = cursor.fetchone()
    return int(found[0]) if found is not None else 0


def _read_seeds(start: datetime) -> Columns:
    """The last score of each elder token before its first row in the stretch: what a worker would go on from. Where the retention has
    swept it away, the score of that first row, which then stands for the row."""
    begin = _moment(start)
    first = f"(SELECT min(y.ts) FROM token_snapshots y WHERE y.token_id = t.id AND y.ts >= '{begin}')"  # noqa: S608 - our own moment
    newest = f"coalesce((SELECT max(x.ts) FROM token_scores x WHERE x.token_id = t.id AND x.ts < {first}), {first})"  # noqa: S608
    return read_columns(
        SEEDS,
        f"FROM tokens t JOIN token_scores last ON last.token_id = t.id AND last.ts = {newest} "
        "JOIN scoring_settings r ON r.id = last.settings_id "
        f"WHERE t.chain = 'solana' AND t.created_at < '{begin}' AND t.last_snapshot_at >= '{begin}' ORDER BY t.id",
    )


# Putting together


def _assemble(held: _Held, tokens: Columns, seeds: Columns) -> Stretch:
    goes_on = seeds["ts"] < _looked_up(tokens["pk"], tokens["last_snapshot_at"], seeds["pk"])
    seeds = {name: column[goes_on] for name, column in seeds.items() if name != "asked"}  # the only row of a token is not its own seed
    of_known = ~np.isnan(_looked_up(tokens["pk"], tokens["pk"], held.rows["token"]))
    scored = held.rows["ts"] <= _looked_up(seeds["pk"], seeds["ts"], held.rows["token"])  # the seed stands for these
    taken = np.flatnonzero(of_known & ~scored)
    order = taken[np.lexsort((held.rows["ts"][taken], held.rows["token"][taken]))]
    rows = {name: column[order] for name, column in held.rows.items()}
    begins = np.flatnonzero(np.concatenate([[True], np.diff(rows["token"]) != 0])) if order.size else np.zeros(0, dtype=np.int64)
    counts = np.diff(np.append(begins, order.size))
    pks, which = rows["token"][begins], np.repeat(np.arange(begins.size), counts)
    turn = np.arange(order.size) - begins[which]

    ranking = np.argsort(-counts, kind="stable")
    rank = np.empty_like(ranking)
    rank[ranking] = np.arange(ranking.size)
    lengths = np.bincount(turn, minlength=0) if turn.size else np.zeros(0, dtype=np.int64)
    turns = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    place = turns[turn] + rank[which] if turn.size else np.zeros(0, dtype=np.int64)

    seed_ts = _looked_up(seeds["pk"], seeds["ts"], pks)
    elapsed = rows["ts"] - np.where(turn > 0, np.roll(rows["ts"], 1), seed_ts[which]) if turn.size else np.zeros(0)
    before = np.where(turn > 0, np.roll(place, 1), -1) if turn.size else np.zeros(0, dtype=np.int64)
    rows |= {"created_at": _looked_up(tokens["pk"], tokens["created_at"], rows["token"])} | _hour_ago(rows, held.counts)

    back = np.empty_like(place)
    back[place] = np.arange(place.size)
    columns = {name: column[back] for name, column in rows.items()}
    pks = pks[ranking]
    first, last = rows["ts"][begins][ranking], rows["ts"][begins + counts - 1][ranking] if turn.size else np.zeros(0)
    about = {name: _looked_up(tokens["pk"], tokens[name], pks) for name in tokens}
    changed = _old_statuses(held.start, pks, first)
    unknown_age = np.where(changed == 0, first - about["created_at"], 0.0)
    observed = np.where(np.isnan(changed), about["observed_sec"] - (last - first), unknown_age)
    return Stretch(
        pks=pks.astype(np.int64),
        turns=turns,
        columns=columns,
        inputs=inputs_of(columns),
        elapsed_sec=elapsed[back],
        before=before[back],
        last=(turns[counts[ranking] - 1] + np.arange(ranking.size)).astype(np.int64),
        active=np.where(np.isnan(changed), about["active"], changed) == 1,
        living=about["living"] == 1,
        held=about["held"] == 1,
        created_at=about["created_at"],
        pool_since=about["pool_since"],
        observed_sec=np.where(np.isnan(seed_ts[ranking]), 0.0, np.maximum(observed, 0.0)),
        seed=_seed_memory(seeds, pks),
        seed_model=_looked_up(seeds["pk"], seeds["model"], pks),
        seed_ts=seed_ts[ranking],
        start=held.start,
    )


def _looked_up(keys: Numbers, values: Numbers, wanted: Numbers) -> Numbers:
    """The value of each wanted key; NaN for one that is not there. Keys are sorted."""
    if not keys.size:
        return np.full(wanted.shape, np.nan)
    places = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[places] == wanted, values[places], np.nan)


def _seed_memory(seeds: Columns, pks: Numbers) -> Memory:
    value, age = (np.stack([_looked_up(seeds["pk"], seeds[f"{name}.{key}"], pks) for name in METRICS]) for key in ("smoothed", "age_sec"))
    return Memory(value, age)


def _hour_ago(rows: Columns, counts: Columns) -> Columns:
    """For each row the two holder counts on either side of an hour before its own was read: the same two that scoring.run asks for."""
    if not counts["ts"].size or not rows["ts"].size:
        nothing = np.full(rows["ts"].shape, np.nan)
        return dict.fromkeys(("earlier_holders", "earlier_at", "later_holders", "later_at"), nothing)
    base = int(min(counts["ts"].min(), rows["ts"].min()) * 1e6) - 2 * 86_400_000_000
    order = np.lexsort((counts["ts"], counts["token"]))
    token, ts, holders, counted_at = (counts[name][order] for name in ("token", "ts", "holders", "counted_at"))
    is_new = np.concatenate([[True], np.diff(token) != 0])
    names, number = token[is_new], np.cumsum(is_new) - 1
    block = number.astype(np.int64) << TOKEN_BITS_FROM
    at = block + (_micro(ts) - base)
    counted = np.maximum.accumulate(block + (_micro(counted_at) - base))  # a count that is carried along never gets older

    own = np.minimum(np.searchsorted(names, rows["token"]), names.size - 1)
    known = (names[own] == rows["token"]) & ~np.isnan(rows["holders"])
    read_at = _micro(np.where(np.isnan(rows["birdeye_at"]), rows["ts"], rows["birdeye_at"]))
    hour_ago = (own.astype(np.int64) << TOKEN_BITS_FROM) + (read_at // 1_000_000 * 1_000_000 - HOUR_US - base)
    later = np.maximum(np.searchsorted(at, hour_ago, "right"), np.searchsorted(counted, hour_ago, "right"))
    earlier = np.searchsorted(at, hour_ago, "right") - 1
    has_earlier = known & (earlier >= 0) & (at[np.maximum(earlier, 0)] >= hour_ago - FARTHER_US)
    inside = np.minimum(later, at.size - 1)
    has_later = known & (later < at.size) & (at[inside] <= hour_ago + NEARER_US)
    return {
        "earlier_holders": np.where(has_earlier, holders[earlier], np.nan),
        "earlier_at": np.where(has_earlier, counted_at[earlier], np.nan),
        "later_holders": np.where(has_later, holders[inside], np.nan),
        "later_at": np.where(has_later, counted_at[inside], np.nan),
    }


def _micro(seconds: Numbers) -> NDArray[np.int64]:
    return np.rint(seconds * 1e6).astype(np.int64)


def _old_statuses(start: datetime, pks: Numbers, first: Numbers) -> Numbers:
    """1 for a token that was Active at its first row, 0 for one that was Initial; NaN where its status has not changed since."""
    begins = dict(zip(pks.astype(np.int64).tolist(), first.tolist(), strict=True))
    statuses: dict[int, float] = {}
    changes = StatusChange.objects.filter(ts__gte=start).exclude(old="").order_by("-ts", "-pk").values_list("token_id", "old", "new", "ts")
    for token, old, new, ts in changes:
        if old != new and token in begins and ts.timestamp() >= begins[token]:
            statuses[token] = float(old == "Active")
    return np.array([statuses.get(pk, np.nan) for pk in begins], dtype=np.float64)
