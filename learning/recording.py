"""What was known and said of every token, written down at the marks of the clock, in a fixed number of statements.

A mark is written when the polls that were under way at it have ended. All of it is as of the mark: the snapshots, bars and scores up to
it, the status the token had then, and no price that came later. The same mark written twice is there once. A vector and what was said of
it are in one transaction; a process that goes on writes a mark piece by piece (`learning.recorder`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection, transaction

from learning import features, keys, partitions, predictor, storing
from learning.feature_inputs import Minutes, inputs_at, stored_minutes, window
from learning.models import Direction, FeatureVector, Signal, Source
from learning.packing import unpack_reasons, unpack_values
from learning.storing import Said, Vectors
from scoring.models import ScoringSettings
from scoring.settings_in_force import active_settings
from scoring.stage_columns import stage_values
from tokens.bars import LATENESS, moment_literal
from tokens.columns import Column, read_columns
from tokens.models import Chain, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.predictor import Predicted, Served

    Columns = dict[str, NDArray[np.float64]]
    Writing = Callable[[], AbstractContextManager[None]]

LATEST = timedelta(minutes=5)  # a mark that could not be written for so long is left out: nobody could have acted on it in time
SCORED = (
    Column("token", "t.id"),
    Column("score_id", "c.id"),
    Column("score", "c.score"),
    Column("settings", "c.settings_id"),
    Column("price", "s.price"),
    Column("active", "", "flag"),
    Column("cost", f"CASE WHEN t.chain = '{Chain.BINANCE}' THEN r.judge_exchange_round_trip_cost ELSE r.judge_round_trip_cost END"),
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written of a mark. `save_ms` is the transactions alone."""

    mark: str = ""
    vectors: int = 0
    predictions: int = 0
    signals: int = 0
    save_ms: float = 0.0

    def and_then(self, other: Recorded) -> Recorded:
        vectors, predictions, signals = self.vectors + other.vectors, self.predictions + other.predictions, self.signals + other.signals
        return Recorded(other.mark, vectors, predictions, signals, round(self.save_ms + other.save_ms, 1))


@dataclass(frozen=True, slots=True)
class Decision:
    """One judgement of Stage 2, as far as the evidence is concerned. `confidence` is None where it is no probability."""

    ts: int
    token: int
    price: float
    cost: float
    direction: str
    strength: float | None
    confidence: float | None

    @property
    def signal(self) -> int:
        found: int = keys.key(self.ts, self.token, keys.SOURCES.index(Source.STAGE2))
        return found


def due_mark(now: datetime, every_min: int) -> int | None:
    """The newest mark, if its time to be written is now: seconds since 1970."""
    if every_min <= 0:
        return None
    length = every_min * 60
    ready = int((now - LATENESS).timestamp())
    mark = ready // length * length
    return mark if now.timestamp() - mark <= LATEST.total_seconds() else None


def record(
    now: datetime,
    revision: ScoringSettings | None = None,
    writing: Writing = nullcontext,
    minutes: Minutes = stored_minutes,
) -> Recorded:
    """Write the newest mark down, unless that has been done. `minutes`: as `inputs_at` takes it."""
    revision = revision or active_settings()
    mark = due_mark(now, every_min(revision))
    if mark is None:
        return Recorded()
    marking = Marking(mark, now, revision, minutes)
    while not marking.done:
        marking.go_on(now, writing)
    return marking.written


def every_min(revision: ScoringSettings) -> int:
    return int(stage_values(revision)["evidence_every_min"])


class Marking:
    """A mark on its way into the tables: all is read, then slots are worked out, then tokens stored, each in one piece or several.

    Whatever the pieces, every vector is of what was stored by `known_at`, and bears that moment. Tokens whose signal is there already, as
    a process wrote it that has ended since, are left out.
    """

    def __init__(self, mark: int, known_at: datetime, revision: ScoringSettings, minutes: Minutes, pieces: int = 1) -> None:
        self.mark, self.known_at = mark, known_at
        self._at = datetime.fromtimestamp(mark, UTC)
        self.written = Recorded()
        self._revision, self._minutes = revision, minutes
        self._steps: list[Callable[[datetime, Writing], None]] = [self._read_scores, self._rest, self._read_inputs]
        self._steps += [partial(self._work_out, slots) for slots in _cut(len(features.FEATURES), pieces)]
        self._steps += [partial(self._store, piece, pieces) for piece in range(pieces)]

    @property
    def done(self) -> bool:
        return not self._steps

    def go_on(self, now: datetime, writing: Writing = nullcontext) -> None:
        """The next piece. One that raises is still to be done."""
        self._steps[0](now, writing)
        self._steps = self._steps[1:] if self._some else []

    def _read_scores(self, _now: datetime, _writing: Writing) -> None:
        """And the bars, nearly all there is to read besides."""
        scored = _scored(self.mark, self._revision.freshness_limit_sec)
        there = _signalled(self.mark)
        self._scored = {name: column[~np.isin(scored["token"], there)] for name, column in scored.items()} if there else scored
        self._some = len(self._scored["token"]) > 0
        if self._some:
            self._seen = self._minutes(*window(self._at, self.known_at))

    def _rest(self, _now: datetime, _writing: Writing) -> None:
        """The two pieces that nobody can cut, and that read the most, shall not fall into one tick."""

    def _read_inputs(self, _now: datetime, _writing: Writing) -> None:
        tokens = self._scored["token"].astype(np.int64).tolist()
        self._inputs = inputs_at(self._at, self.known_at, tokens, lambda *_: self._seen)
        self._working = features.Working(self._inputs)

    def _work_out(self, slots: int, _now: datetime, _writing: Writing) -> None:
        self._working.go_on(slots)
        if self._working.done:
            self._found = self._working.found()
            del self._working  # and what it keeps, several times as much as it has found

    def _store(self, piece: int, pieces: int, now: datetime, writing: Writing) -> None:
        """What is said of these tokens rests on the vectors as they are stored: one that is there already is taken as it is."""
        mine = slice(*(len(self._inputs) * end // pieces for end in (piece, piece + 1)))
        vectors = Vectors(self.mark, self._inputs.tokens[mine], self._found.values[mine], self._found.reasons[mine])
        if not len(vectors):
            return
        scored, there = {name: column[mine] for name, column in self._scored.items()}, _as_stored(vectors)
        made, signals = self._said(scored, vectors)
        began = time.perf_counter()
        with writing(), transaction.atomic():
            partitions.plan_checks_once()
            stored = storing.store_vectors(vectors, storing.keep_schema(), self.known_at)
            if there + stored < len(vectors):  # Stage 2 has stored one of them since, perhaps another one
                _as_stored(vectors)
                made, signals = self._said(scored, vectors)
            predictions = storing.store_predictions(vectors.keys, made)
            said = sum(storing.store_signals(each, now) for each in signals)
        save_ms = round((time.perf_counter() - began) * 1000, 1)
        self.written = self.written.and_then(Recorded(_told(self.mark), stored, predictions, said, save_ms))

    def _said(self, scored: Columns, vectors: Vectors) -> tuple[list[tuple[Served, Predicted]], list[Said]]:
        """By the models, and what signals come of that and of the scores."""
        made = predictor.predictions(vectors.values)
        return made, [_of_scores(self.mark, scored), *_of_models(self.mark, scored, vectors, made, self._revision)]


def _cut(slots: int, pieces: int) -> list[int]:
    """So many slots at a time: half as many at first, for what many of them look at is made by the first that do."""
    ends = [slots * (2 * piece + 1) // (2 * pieces - 1) for piece in range(pieces)]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _signalled(mark: int) -> list[int]:
    """The tokens of which is written what their score said at the mark."""
    of_mark = Signal.objects.filter(pk__gte=keys.key(mark, 0, 0), pk__lt=keys.key(mark + 1, 0, 0), source=Source.SCORE)
    return list(of_mark.values_list("token_id", flat=True))


def vectors_at(ts: int, known_at: datetime, tokens: Sequence[int], minutes: Minutes = stored_minutes) -> Vectors:
    """The vectors of these tokens. One that is stored already is taken as it is: what is made from it must rest on it."""
    if not tokens:
        return Vectors(ts, np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.float32), np.zeros((0, 0), dtype=np.uint8))
    inputs = inputs_at(datetime.fromtimestamp(ts, UTC), known_at, tokens, minutes)
    found = features.compute(inputs)
    vectors = Vectors(ts, inputs.tokens, found.values, found.reasons)
    _as_stored(vectors)
    return vectors


def _as_stored(vectors: Vectors) -> int:
    """Puts in the place of each the one that is stored already. Returns how many are."""
    if not len(vectors):
        return 0
    first, last = int(vectors.keys[0]), int(vectors.keys[-1])
    there = FeatureVector.objects.filter(pk__gte=first, pk__lte=last).values_list("pk", "values", "reasons")
    rows = {pk: (bytes(values), bytes(reasons)) for pk, values, reasons in there}
    known = [(place, rows[key]) for place, key in enumerate(vectors.keys.tolist() if rows else []) if key in rows]
    for place, (values, reasons) in known:
        vectors.values[place] = unpack_values([values])[0]
        vectors.reasons[place] = unpack_reasons([reasons], vectors.values.shape[1])[0]
    return len(known)


def _scored(mark: int, fresh_sec: float) -> Columns:
    """The tokens with a fresh score at the mark, the newest one up to it, with the price it was made at and the status of that moment."""
    at = datetime.fromtimestamp(mark, UTC)
    until, since = moment_literal(at), moment_literal(at - timedelta(seconds=fresh_sec))
    before = f"(SELECT x.old FROM status_changes x WHERE x.token_id = t.id AND x.ts > {until} ORDER BY x.ts, x.id LIMIT 1)"  # noqa: S608
    active = f"CASE WHEN t.status_changed_at > {until} THEN {before} ELSE t.status END = '{Status.ACTIVE}'"
    columns = [Column(column.name, column.expression or active, column.kind) for column in SCORED]
    newest = f"x.token_id = t.id AND x.ts <= {until} AND x.ts > {since} ORDER BY x.ts DESC"
    sound = "x.token_id = t.id AND x.ts = c.ts AND x.price > 0 AND x.contradictions = ''"
    rest = (
        f"FROM tokens t {_one_of('token_scores', 'c', newest)} {_one_of('token_snapshots', 's', sound)} "
        f"JOIN scoring_settings r ON r.id = c.settings_id WHERE t.last_scored_at > {since} ORDER BY t.id"
    )
    return read_columns(columns, rest)


def _one_of(table: str, name: str, which: str) -> str:
    """JOIN one row a token, found by an index: left the choice, either database reads the whole table for them."""
    one = f"FROM {table} x WHERE {which} LIMIT 1"
    if connection.vendor == "postgresql":
        return f"CROSS JOIN LATERAL (SELECT * {one}) {name}"
    return f"CROSS JOIN {table} {name} ON {name}.id = (SELECT x.id {one})"


def _of_scores(mark: int, scored: Columns) -> Said:
    return Said(
        Source.SCORE.value,
        mark,
        scored["token"].astype(np.int64),
        scored["settings"].astype(np.int64).tolist(),
        scored["price"],
        scored["cost"],
        [Direction.UP.value if active == 1 else Direction.NONE.value for active in scored["active"].tolist()],
        scored["score"],
        np.full(len(scored["token"]), np.nan),
        token_score=scored["score_id"].astype(np.int64).tolist(),
    )


def _of_models(
    mark: int, scored: Columns, vectors: Vectors, made: Sequence[tuple[Served, Predicted]], revision: ScoringSettings
) -> list[Said]:
    """The champion speaks; the others are only measured."""
    found = []
    for served, predicted in made:
        if served.row.role != "champion":
            continue
        direction, confidence, strength = predictor.calls(served, predicted)
        said = (mark, vectors.tokens, [revision.pk] * len(vectors), scored["price"], scored["cost"], direction, strength, confidence)
        found.append(Said(Source.MODEL.value, *said, prediction=vectors.keys + served.row.place))
    return found


def of_decisions(decisions: Sequence[Decision], now: datetime, minutes: Minutes = stored_minutes) -> list[tuple[Vectors, list[Decision]]]:
    """The vectors under the judgements of Stage 2, moment by moment: to be stored with them by `store_decisions`."""
    moments = sorted({decision.ts for decision in decisions})
    found = []
    for ts in moments:
        of_moment = sorted((decision for decision in decisions if decision.ts == ts), key=lambda decision: decision.token)
        vectors = vectors_at(ts, now, [decision.token for decision in of_moment], minutes)
        found.append((vectors, of_moment))
    return found


def store_decisions(prepared: Sequence[tuple[Vectors, list[Decision]]], revision: ScoringSettings, now: datetime) -> int:
    """In the transaction of the judgements. Returns how many signals were new."""
    if not prepared:
        return 0
    partitions.plan_checks_once()
    version, stored = storing.keep_schema(), 0
    for vectors, decisions in prepared:
        storing.store_vectors(vectors, version, now)
        columns = (
            np.array([getattr(each, name) for each in decisions], dtype=np.float64) for name in ("price", "cost", "strength", "confidence")
        )
        price, cost, strength, confidence = columns
        said = (vectors.ts, vectors.tokens, [revision.pk] * len(decisions), price, cost, [each.direction for each in decisions])
        stored += storing.store_signals(Said(Source.STAGE2.value, *said, strength, confidence), now)
    return stored


def _told(mark: int) -> str:
    return datetime.fromtimestamp(mark, UTC).strftime("%Y-%m-%d %H:%M")
