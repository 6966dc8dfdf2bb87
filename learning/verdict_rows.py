"""The stored signals and what became of them, as the verdict takes them: a number of statements that does not depend on the rows.

However much is stored, at most about MOST_SIGNALS are read, of the newest DAYS. Where there are more, whole quarters of an hour are left
out, chosen by a hash of their number: the tokens of a mark stay together, and no hour of the day is preferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from learning import keys
from learning.from_above import TAGS
from learning.models import ModelVersion, OutcomeState, Signal, Source
from learning.verdict.samples import DEAD, HORIZONS, PRICED, UNSEEN, WAITING, Forward, Predictor, Sample
from scoring.metrics import METRICS
from tokens.columns import Column, read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]
    Columns = Mapping[str, Numbers]

MOST_SIGNALS = 40_000
DAYS = 90
QUARTER_SEC = 900
HASH = 2_654_435_761  # Knuth's multiplier, of 32 bits
STAGE2_MARK_SEC = 3_600  # Stage 2 judges a few tokens a minute: those of an hour are held against one another
STATES: dict[str, int] = {OutcomeState.PRICED: PRICED, OutcomeState.DEAD: DEAD, OutcomeState.UNKNOWN: UNSEEN}
OF_HORIZON = ("15m", "1h", "4h", "12h")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was read. `share` is how much of what is stored between the two moments; `labels` names what has no name of its own here."""

    samples: Sequence[Sample] = ()
    since: int | None = None  # the first and the last signal read, seconds since 1970
    until: int | None = None
    stored: int = 0
    share: float = 1.0
    settled_at: datetime | None = None
    labels: Mapping[str, Callable[[], str]] = field(default_factory=dict)


def read(now: datetime) -> Evidence:
    """Everything, in at most six statements and those of the tags."""
    begin, end = keys.first_of(now - timedelta(days=DAYS)), keys.first_of(now + timedelta(days=1))
    stored = Signal.objects.filter(id__gte=begin).count()
    if not stored:
        return Evidence()
    quarters, share = chosen_quarters(keys.ts_of(begin), keys.ts_of(end), stored)
    signals = _signals(_ranges(quarters, begin))
    if not signals["ts"].size:
        return Evidence(stored=stored)
    outcomes = _outcomes(_ranges(quarters, begin))
    samples = [_of_scores(signals, outcomes), *_of_models(quarters, begin, outcomes)]
    judged, labels = _of_stage2(signals, outcomes)
    every = [sample for sample in (*samples[:1], judged, *samples[1:]) if sample.at.size]
    names = {f"model:{pk}": (lambda name=name: name) for pk, name in _model_names(every).items()}
    return Evidence(every, int(signals["ts"].min()), int(signals["ts"].max()), stored, share, None, {**labels, **names})


def chosen_quarters(begin: int, end: int, stored: int) -> tuple[Places | None, float]:
    """Which quarters of an hour are read (None: all), and about what share of all that is."""
    if stored <= MOST_SIGNALS:
        return None, 1.0
    share = MOST_SIGNALS / stored
    quarters = np.arange(begin // QUARTER_SEC, end // QUARTER_SEC + 1, dtype=np.uint64)
    return quarters[(quarters * np.uint64(HASH)) % np.uint64(1 << 32) < share * (1 << 32)].astype(np.int64), share


def _ranges(quarters: Places | None, begin: int) -> Callable[[str], tuple[str, str]]:
    """For a table: what stands in FROM, and the condition, so that only the chosen keys are read, by the primary key."""
    if quarters is None:
        return lambda table: (table, f"{table}.id >= {begin}")
    first, last = (keys.key((quarters + after) * QUARTER_SEC, 0, 0) for after in (0, 1))
    values = ", ".join(f"({low}, {high})" for low, high in zip(first.tolist(), last.tolist(), strict=True))
    chosen = f"(WITH given(low, high) AS (VALUES {values}) SELECT low, high FROM given) AS chosen"  # noqa: S608
    within = "{0}.id >= chosen.low AND {0}.id < chosen.high AND {0}.id >= {1}"
    return lambda table: (f"{chosen} CROSS JOIN {table}", within.format(table, begin))


Ranges = Callable[[str], tuple[str, str]]


def _key_columns(table: str) -> list[Column]:
    """A key has 61 bits and a float 53: its parts are read, and put together again where the key is needed."""
    return [
        Column("ts", f"{table}.id >> {keys.TS_SHIFT}"),
        Column("token", f"({table}.id >> {keys.SLOT_BITS}) & {keys.TOKENS - 1}"),
        Column("slot", f"{table}.id & {keys.SLOTS - 1}"),
    ]


def _signals(ranges: Ranges) -> Columns:
    chosen, where = ranges("signals")
    ways = "CASE signals.direction WHEN 'up' THEN 1 WHEN 'down' THEN -1 ELSE 0 END"
    parts = [(name, part) for name in METRICS for part in ("smoothed", "age_sec")]
    metrics = [Column(".".join(path), "token_scores.components", "json", path) for path in parts]
    plain = [Column("revision", "signals.settings_id"), Column("strength", "signals.strength"), Column("way", ways)]
    rest = f"FROM {chosen} LEFT JOIN token_scores ON token_scores.id = signals.token_score_id WHERE {where} ORDER BY signals.id"
    return read_columns([*_key_columns("signals"), *plain, *metrics], rest)


def _outcomes(ranges: Ranges) -> Columns:
    chosen, where = ranges("outcomes")
    whens = " ".join(f"WHEN '{state}' THEN {number}" for state, number in STATES.items())
    plain = [Column(name, f"outcomes.{name}") for name in ("gross", "net", "best")]
    state = Column("state", f"CASE outcomes.state {whens} END")
    return read_columns([*_key_columns("outcomes"), state, *plain], f"FROM {chosen} WHERE {where} ORDER BY outcomes.id")


def _key_of(columns: Columns, rows: Any = slice(None)) -> Places:
    ts, token, slot = (columns[name][rows].astype(np.int64) for name in ("ts", "token", "slot"))
    found: Places = keys.key(ts, token, slot)
    return found


def _forward(subjects: Places, kind: int, outcomes: Columns) -> dict[int, Forward]:
    """What became of the signals or predictions with these keys; what has no row yet is waiting."""
    known = _key_of(outcomes)
    found = {}
    for number, horizon in enumerate(HORIZONS):
        wanted = keys.vector_of(subjects) | (kind << 4) | (keys.slot_of(subjects) << 2) | number
        place = np.minimum(np.searchsorted(known, wanted), max(known.size - 1, 0))
        if not known.size:
            found[horizon] = Forward.waiting(subjects.size)
            continue
        there = known[place] == wanted
        state = np.where(there, outcomes["state"][place], WAITING).astype(np.int64)
        found[horizon] = Forward.of(state, *(outcomes[name][place] for name in ("gross", "net", "best")))
    return found


def _sample(source: str, columns: Columns, rows: Places, outcomes: Columns, predictors: Sequence[Predictor], mark_sec: int = 60) -> Sample:
    return Sample(
        source,
        columns["ts"][rows].astype(np.int64),
        columns["token"][rows].astype(np.int64),
        columns["revision"][rows].astype(np.int64),
        _forward(_key_of(columns, rows), keys.OF_SIGNAL, outcomes),
        {predictor.name: predictor for predictor in predictors},
        mark_sec,
    )


def _of_scores(signals: Columns, outcomes: Columns) -> Sample:
    """The score, and each metric as the score weighs it: smoothed, and only where it has a value at that very moment."""
    rows = np.flatnonzero(signals["slot"] == keys.SOURCES.index(Source.SCORE))
    metrics = [
        Predictor(name, np.where(signals[f"{name}.age_sec"][rows] == 0, signals[f"{name}.smoothed"][rows], np.nan)) for name in METRICS
    ]
    return _sample(Source.SCORE, signals, rows, outcomes, [Predictor("score", signals["strength"][rows]), *metrics])


def _of_stage2(signals: Columns, outcomes: Columns) -> tuple[Sample, dict[str, Callable[[], str]]]:
    """What Stage 2 thinks, up or down; and of each trigger and each scenario, whether it was there."""
    rows = np.flatnonzero(signals["slot"] == keys.SOURCES.index(Source.STAGE2))
    own = _key_of(signals, rows)
    tags = [tag for ask in TAGS for tag in ask(own)] if rows.size else []
    flags = [Predictor(f"{tag.group}:{tag.name}", np.isin(own, tag.signals).astype(np.float64), flag=True) for tag in tags]
    judged = Predictor("stage2", signals["strength"][rows] * signals["way"][rows])
    sample = _sample(Source.STAGE2, signals, rows, outcomes, [judged, *flags], STAGE2_MARK_SEC)
    return sample, {f"{tag.group}:{tag.name}": tag.label for tag in tags}


def _of_models(quarters: Places | None, begin: int, outcomes: Columns) -> list[Sample]:
    """Each model that has predicted, by its own predictions: expected returns, and the chance of a rise that it claimed."""
    chosen, where = _ranges(quarters, begin)("predictions")
    said = [Column(f"{kind}.{place}", f"predictions.{kind}_{name}") for kind in ("return", "up") for place, name in enumerate(OF_HORIZON)]
    columns = [*_key_columns("predictions"), Column("model", "predictions.model_id"), Column("revision", "signals.settings_id"), *said]
    join = "LEFT JOIN signals ON signals.id = predictions.vector_id"  # the score's signal of the same moment and token has the same key
    found = read_columns(columns, f"FROM {chosen} {join} WHERE {where} ORDER BY predictions.id")
    samples = []
    for model in np.unique(found["model"]).astype(np.int64).tolist():
        rows = np.flatnonzero(found["model"] == model)
        expected, chance = (_per_horizon(found, kind, rows) for kind in ("return", "up"))
        samples.append(
            Sample(
                f"model:{model}",
                found["ts"][rows].astype(np.int64),
                found["token"][rows].astype(np.int64),
                np.nan_to_num(found["revision"][rows]).astype(np.int64),
                _forward(_key_of(found, rows), keys.OF_PREDICTION, outcomes),
                {f"model:{model}": Predictor(f"model:{model}", expected, chance=chance)},
                60,
            )
        )
    return samples


def _per_horizon(columns: Columns, kind: str, rows: Places) -> Numbers:
    return np.stack([columns[f"{kind}.{place}"][rows] for place in range(len(HORIZONS))], axis=1)


def _model_names(samples: Sequence[Sample]) -> dict[int, str]:
    wanted = [int(sample.source.removeprefix("model:")) for sample in samples if sample.source.startswith("model:")]
    return {row.pk: f"{row.name} {row.number}" for row in ModelVersion.objects.filter(pk__in=wanted)} if wanted else {}
