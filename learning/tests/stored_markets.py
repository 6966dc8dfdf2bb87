"""A market made of arrays, stored as the evidence stores it: tokens, scores, vectors, signals and what came of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from learning import keys, packing
from learning.models import FeatureVector, Outcome, Prediction, Signal
from learning.tests.evidence_rows import make_schema
from learning.tests.markets import Market, seen
from learning.verdict.samples import HORIZONS, WAITING
from scoring.models import ScoringSettings, TokenScore
from tokens.bulk_rows import insert_rows
from tokens.columns import moments
from tokens.models import Bar, Token

COST = 0.02
NOTHING = packing.pack(np.zeros((1, 240), dtype=np.float32), np.zeros((1, 240), dtype=np.uint8))
STATES = ("", "priced", "dead", "unknown")


def store(made: Market, now: datetime, states: np.ndarray | None = None, settled: bool = True) -> list[Any]:
    """The tokens; the market ends at `now`. `states` (marks, tokens): what became of each signal where its horizon is over. Not `settled`:
    no outcomes, but the bars of which they can be made."""
    sample = seen(made, cost=COST)
    revision = ScoringSettings.objects.get(active=True)
    begin = now - timedelta(minutes=made.prices.shape[0])
    tokens = _tokens(made.prices.shape[1], begin)
    at = sample.at - sample.at[0] + int(begin.timestamp())
    ts, of = moments(at.astype(np.float64)), [tokens[number] for number in sample.token.tolist()]
    key = keys.key(at, np.array([token.pk for token in of]), 0).tolist()
    score = sample.predictors["score"].values.tolist()
    _scores(sample, ts, of, score, revision)
    scores: dict[Any, int] = {(row.token_id, row.ts): row.pk for row in TokenScore.objects.only("token_id", "ts")}
    schema, packed = make_schema(), (NOTHING[0][0], NOTHING[1][0])
    fields = ["id", "ts", "stored_at", "token", "schema", "values", "reasons"]
    vectors = [(pk, moment, moment, token.pk, schema.pk, *packed) for pk, moment, token in zip(key, ts, of, strict=True)]
    insert_rows(FeatureVector, fields, vectors)
    fields = ["id", "ts", "stored_at", "token", "vector", "settings", "token_score", "price", "strength", "cost", "source", "direction"]
    price = made.prices[(sample.at - sample.at[0]) // 60, sample.token].tolist()
    rows = [
        (pk, moment, moment, token.pk, pk, revision.pk, scores[token.pk, moment], paid, value, COST, "score", "up")
        for pk, moment, token, paid, value in zip(key, ts, of, price, score, strict=True)
    ]
    insert_rows(Signal, fields, rows)
    if settled:
        _outcomes(sample, key, ts, keys.OF_SIGNAL, states)
    else:
        _bars(made, begin, tokens)
    return tokens


def _bars(made: Market, begin: datetime, tokens: list[Any]) -> None:
    """One a minute, from one price to the next."""
    opens, closes = made.prices[:-1], made.prices[1:]
    rows = []
    for minute, prices in enumerate(zip(opens.tolist(), closes.tolist(), strict=True)):
        moment = begin + timedelta(minutes=minute)
        for token, first, last in zip(tokens, *prices, strict=True):
            rows.append(
                (token.pk, "1m", moment, first, max(first, last), min(first, last), last, "snapshots", moment + timedelta(minutes=1))
            )
    insert_rows(Bar, ["token", "interval", "open_time", "open", "high", "low", "close", "source", "stored_at"], rows)


def _tokens(number: int, begin: datetime) -> list[Any]:
    usual = {"status": "Active", "created_at": begin, "status_changed_at": begin}
    return Token.objects.bulk_create(Token(address=f"T{place}".ljust(44, "z"), symbol=f"T{place}", **usual) for place in range(number))


def _scores(sample: Any, ts: Any, of: Any, score: list[float], revision: Any) -> None:
    metrics = {name: predictor.values.tolist() for name, predictor in sample.predictors.items() if name != "score"}
    rows = []
    for place, (moment, token, value) in enumerate(zip(ts, of, score, strict=True)):
        parts = {name: {"raw": 0.0, "smoothed": values[place], "age_sec": 0, "state": "ok"} for name, values in metrics.items()}
        rows.append((token.pk, moment, value, json.dumps(parts), revision.pk))
    insert_rows(TokenScore, ["token", "ts", "score", "components", "settings"], rows)


def _outcomes(sample: Any, key: list[int], ts: Any, kind: int, states: np.ndarray | None) -> None:
    fields = [
        "id",
        "settled_at",
        "signal" if kind == keys.OF_SIGNAL else "prediction",
        "gross",
        "net",
        "best",
        "worst",
        "horizon_min",
        "state",
    ]
    rows = []
    for number, horizon in enumerate(HORIZONS):
        forward = sample.forward[horizon]
        state = forward.state if states is None else np.where(forward.state == WAITING, WAITING, states.ravel())
        columns = (state.tolist(), forward.gross.tolist(), forward.best.tolist())
        for pk, moment, known, gross, best in zip(key, ts, *columns, strict=True):
            if known == WAITING:
                continue
            values = (None,) * 4 if STATES[known] == "unknown" else (gross, gross - COST, best, min(gross, 0.0))
            settled = moment + timedelta(minutes=horizon, seconds=20)
            rows.append((keys.outcome_of(pk, kind, number), settled, pk, *values, horizon, STATES[known]))
    insert_rows(Outcome, fields, rows)


def predict(made: Market, model: Any, by: str, states: np.ndarray | None = None) -> None:
    """Lets a model foretell what a metric says: its value as the expected return, and as a chance."""
    sample = seen(made, cost=COST)
    vectors = list(FeatureVector.objects.order_by("pk").only("pk", "ts"))
    values = sample.predictors[by].values
    chances = (1 / (1 + np.exp(-values))).tolist()
    names = [f"{part}_{horizon}" for horizon in ("15m", "1h", "4h", "12h") for part in ("return", "up")]
    rows = [
        (vector.pk + model.place, vector.ts, vector.pk, model.pk, 0.1, b"", *(value, chance) * 4)
        for vector, value, chance in zip(vectors, values.tolist(), chances, strict=True)
    ]
    insert_rows(Prediction, ["id", "ts", "vector", "model", "inference_ms", "raw", *names], rows)
    _outcomes(sample, [vector.pk + model.place for vector in vectors], [vector.ts for vector in vectors], keys.OF_PREDICTION, states)
