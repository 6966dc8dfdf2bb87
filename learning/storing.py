"""Rows of the evidence into the database: a statement or two a table, however many rows there are. What is there already stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from learning import keys, packing, schema
from learning.models import FeatureSchema, FeatureVector, Prediction, Signal
from tokens.bulk_rows import insert_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.predictor import Predicted, Served

    Numbers = NDArray[np.float64]
    Keys = NDArray[np.int64]

HORIZONS = ("15m", "1h", "4h", "12h")
VECTOR = ("id", "ts", "stored_at", "token", "schema", "values", "reasons")
FIGURES = tuple(f"{figure}_{horizon}" for horizon in HORIZONS for figure in ("return", "up", "flat", "down", "risk"))
PREDICTION = ("id", "ts", "vector", "model", "inference_ms", *FIGURES, "raw")
SIGNAL = (
    *("id", "ts", "stored_at", "token", "vector", "settings", "token_score", "prediction"),
    *("price", "strength", "confidence", "cost", "source", "direction"),
)


class SchemaChanged(RuntimeError):
    """The features have changed and their version has not: what is stored under it would change its meaning."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one moment, in the order of their keys."""

    ts: int
    tokens: Keys
    values: NDArray[np.float32]
    reasons: NDArray[np.uint8]

    @property
    def keys(self) -> Keys:
        found: Keys = keys.key(self.ts, self.tokens, 0)
        return found

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Said:
    """Signals of one source about tokens that have a vector of that moment, a row a token. NaN is unknown."""

    source: str
    ts: int
    tokens: Keys
    settings: Sequence[int]
    price: Numbers
    cost: Numbers
    direction: Sequence[str]
    strength: Numbers
    confidence: Numbers
    token_score: Sequence[int] | None = None
    prediction: Keys | None = None


def keep_schema() -> int:
    """The version of the schema in use, stored when it is new. One statement."""
    documented = [{"group": slot.group, "unit": slot.unit, "text": slot.text} for slot in schema.SLOTS]
    usual = {"hash": schema.HASH, "names": list(schema.NAMES), "documented": documented}
    row, _ = FeatureSchema.objects.get_or_create(version=schema.VERSION, defaults=usual)
    if row.hash != schema.HASH:
        raise SchemaChanged(f"version {schema.VERSION} of the features was another one: raise schema.VERSION")
    return schema.VERSION


def store_vectors(vectors: Vectors, version: int, now: datetime) -> int:
    """Returns how many were new."""
    packed, why = packing.pack(vectors.values, vectors.reasons)
    rows = len(vectors)
    return insert_columns(
        FeatureVector, VECTOR, [vectors.keys, _moments(vectors.ts, rows), [now] * rows, vectors.tokens, [version] * rows, packed, why]
    )


def store_predictions(vectors: Keys, made: Sequence[tuple[Served, Predicted]]) -> int:
    """What each of the models made of the vectors with these keys, all models in one go."""
    if not made or not len(vectors):
        return 0
    each = [_columns(vectors, served, predicted) for served, predicted in made]
    return insert_columns(Prediction, PREDICTION, [_joined(column) for column in zip(*each, strict=True)])


def _columns(vectors: Keys, served: Served, predicted: Predicted) -> list[Any]:
    rows = len(vectors)
    figures = np.concatenate([predicted.returns[:, :, None], predicted.probabilities, predicted.risk[:, :, None]], axis=2).reshape(rows, -1)
    raw = packing.pack_values(np.asarray(predicted.raw, dtype=packing.FLOAT).reshape(rows, -1))
    shared = np.full(rows, predicted.inference_ms)
    known = [vectors + served.row.place, _moments(int(keys.ts_of(int(vectors[0]))), rows), vectors, [served.row.pk] * rows, shared]
    return [*known, *figures.T, raw]


def prediction_row(served: Served, predicted: Predicted) -> dict[str, Any]:
    """The figures of the first vector by their names, as they are stored."""
    columns = dict(zip(PREDICTION, _columns(np.zeros(len(predicted.returns), dtype=np.int64), served, predicted), strict=True))
    return {name: columns[name][0] for name in (*FIGURES, "raw")}


def _joined(columns: Sequence[Any]) -> Any:
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    return [value for column in columns for value in column]


def store_signals(said: Said, now: datetime) -> int:
    """Returns how many were new."""
    rows = len(said.tokens)
    nothing = [None] * rows
    vectors = keys.key(said.ts, said.tokens, 0)
    columns: list[Any] = [
        *(vectors + keys.SOURCES.index(said.source), _moments(said.ts, rows), [now] * rows, said.tokens, vectors, said.settings),
        *(nothing if said.token_score is None else said.token_score, nothing if said.prediction is None else said.prediction),
        *(said.price, said.strength, said.confidence, said.cost, [said.source] * rows, said.direction),
    ]
    return insert_columns(Signal, SIGNAL, columns)


def _moments(ts: int, rows: int) -> list[datetime]:
    return [datetime.fromtimestamp(ts, UTC)] * rows
