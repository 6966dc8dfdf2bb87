"""Real rows for the tests: a token with what was seen of it, and the whole chain of its evidence, linked as the recording links it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from learning import feature_inputs, features, keys, packing, schema
from learning.models import FeatureSchema, FeatureVector, ModelVersion, Outcome, Prediction, Signal
from scoring.models import ScoringSettings, TokenScore
from scoring.run import score_tokens
from tokens.models import Bar, Pool, PoolSnapshot, Status, Token, TokenSnapshot

COST = 0.02
FIGURES = {"liquidity": 40_000.0, "tx_count_5m": 60, "tx_count_1h": 480, "volume_5m": 900.0, "volume_1h": 9_000.0, "holders": 200}
FIGURES |= {"buys_5m": 40, "sells_5m": 20, "buys_volume_5m": 600.0, "sells_volume_5m": 300.0}
PART = {"raw": 1.5, "smoothed": 1.2, "weight": 0.25, "contribution": 0.3, "state": "ok", "age_sec": 0, "inputs": {}}
METRICS = ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")


@dataclass
class Chain:
    """One token at one moment, from what was seen to what came of it. `signals` by source, `outcomes` by (source, minutes)."""

    token: Any
    score: Any
    vector: Any
    prediction: Any = None
    signals: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[tuple[str, int], Any] = field(default_factory=dict)
    predicted: dict[int, Any] = field(default_factory=dict)  # outcomes of the prediction, by minutes


def make_token(now: datetime, name: str = "A", status: str = Status.ACTIVE, **fields: Any) -> Any:
    fields = {"created_at": now - timedelta(hours=5), "status_changed_at": now - timedelta(hours=4)} | fields
    return Token.objects.create(address=name.ljust(44, "x"), symbol=name, status=status, **fields)


def see(token: Any, ts: datetime, minutes: int = 90, price: float = 0.001) -> None:
    """A snapshot of the token and of its pool for each minute before `ts`, the last at `ts`, and the bars of the minutes that are over."""
    pool, _ = Pool.objects.get_or_create(
        pool_address=f"pool of {token.symbol}", defaults={"token": token, "dex_name": "pumpswap", "first_seen": token.created_at}
    )
    at = [(ts - timedelta(minutes=ago), price * (1 + 0.01 * np.sin(ago))) for ago in range(minutes)]
    TokenSnapshot.objects.bulk_create(
        [TokenSnapshot(token=token, ts=moment, source="birdeye", birdeye_at=moment, price=now_at, **FIGURES) for moment, now_at in at]
    )
    Token.objects.filter(pk=token.pk).update(last_snapshot_at=ts)
    PoolSnapshot.objects.bulk_create([PoolSnapshot(pool=pool, ts=moment, price=now_at, liquidity=40_000.0) for moment, now_at in at])
    Bar.objects.bulk_create(
        [
            Bar(
                token=token,
                interval="1m",
                open_time=moment.replace(second=0, microsecond=0) - timedelta(minutes=1),
                open=now_at,
                high=now_at * 1.01,
                low=now_at * 0.99,
                close=now_at * 1.002,
                volume=180.0,
                trades=12.0,
                buy_volume=120.0,
                stored_at=moment,
            )
            for moment, now_at in at
        ]
    )


def make_schema() -> Any:
    """The schema in use, as the recording stores it."""
    documented = [{"group": slot.group, "unit": slot.unit, "text": slot.text} for slot in schema.SLOTS]
    usual = {"hash": schema.HASH, "names": list(schema.NAMES), "documented": documented}
    found, _ = FeatureSchema.objects.get_or_create(version=schema.VERSION, defaults=usual)
    return found


def make_model(now: datetime, number: int = 1, **fields: Any) -> Any:
    usual = {"role": "champion", "place": 0, "horizons": list(keys.HORIZONS_MIN), "made_at": now - timedelta(days=1)}
    usual |= {"trained_from": now - timedelta(days=9), "trained_to": now - timedelta(days=2), "schema": make_schema()}
    return ModelVersion.objects.create(name="boosted", number=number, **usual | fields)


def make_vector(token: Any, ts: datetime, missing: dict[int, int] | None = None, seed: int | None = None, **fields: Any) -> Any:
    """`missing`: slot → reason. The values follow from the moment and the token, or from `seed`."""
    random = np.random.default_rng(seed if seed is not None else int(ts.timestamp()) + token.pk)
    values, reasons = random.normal(size=(1, schema.SIZE)).astype(np.float32), np.zeros((1, schema.SIZE), dtype=np.uint8)
    for slot, reason in (missing or {}).items():
        values[0, slot], reasons[0, slot] = np.nan, reason
    packed, why = packing.pack(values, reasons)
    usual = {"schema": make_schema(), "values": packed[0], "reasons": why[0], "stored_at": ts + timedelta(seconds=2)}
    return FeatureVector.objects.create(id=keys.key(int(ts.timestamp()), token.pk, 0), token=token, ts=ts, **usual | fields)


def make_prediction(vector: Any, model: Any, up: float = 0.5, expected: float = 0.02, **fields: Any) -> Any:
    """The same for every horizon."""
    usual: dict[str, Any] = {"inference_ms": 0.4, "raw": np.linspace(-1, 1, 20, dtype=packing.FLOAT).tobytes()}
    for horizon in ("15m", "1h", "4h", "12h"):
        usual |= {f"return_{horizon}": expected, f"up_{horizon}": up, f"flat_{horizon}": (1 - up) / 2, f"down_{horizon}": (1 - up) / 2}
        usual[f"risk_{horizon}"] = 0.25
    return Prediction.objects.create(id=vector.pk + model.place, vector=vector, model=model, ts=vector.ts, **usual | fields)


def make_signal(vector: Any, source: str = "score", score: Any = None, prediction: Any = None, **fields: Any) -> Any:
    usual = {"direction": "up", "strength": 1.2, "price": 0.001, "cost": COST, "stored_at": vector.stored_at}
    usual |= {"settings": ScoringSettings.objects.get(active=True), "confidence": None if source == "score" else 0.6}
    based_on = {"token_score": score if source == "score" else None, "prediction": prediction if source == "model" else None}
    pk = vector.pk + keys.SOURCES.index(source)
    return Signal.objects.create(id=pk, ts=vector.ts, token=vector.token, vector=vector, source=source, **usual | based_on | fields)


def make_outcome(of: Any, minutes: int = 15, gross: float | None = 0.1, state: str = "priced", **fields: Any) -> Any:
    """Of a signal or of a prediction, settled a few seconds after its horizon."""
    kind = keys.OF_SIGNAL if isinstance(of, Signal) else keys.OF_PREDICTION
    pk = keys.outcome_of(of.pk, kind, keys.HORIZONS_MIN.index(minutes))
    usual: dict[str, Any] = {"settled_at": of.ts + timedelta(minutes=minutes, seconds=20)}
    if state != "unknown" and gross is not None:
        usual |= {"gross": gross, "net": gross - COST, "best": max(gross, 0.0) + 0.05, "worst": min(gross, 0.0) - 0.05}
        usual |= {"best_sec": 60 * minutes // 2, "worst_sec": 60 * minutes // 3, "price": 0.001 * (1 + gross)}
    link = {"signal": of} if kind == keys.OF_SIGNAL else {"prediction": of}
    return Outcome.objects.create(id=pk, horizon_min=minutes, state=state, **link, **usual | fields)


def make_score(token: Any, ts: datetime, score: float = 1.2, **fields: Any) -> Any:
    revision = ScoringSettings.objects.get(active=True)
    components = {metric: dict(PART) for metric in METRICS}
    return TokenScore.objects.create(token=token, ts=ts, score=score, components=components, settings=revision, **fields)


def make_chain(
    ts: datetime,
    token: Any = None,
    model: Any = None,
    sources: tuple[str, ...] = ("score",),
    settled: tuple[int, ...] = (),
    gross: float = 0.1,
    **of_vector: Any,
) -> Chain:
    """A signal of each source, all from one vector; where the model is given or asked for, its prediction; and what came of each of them
    after each of the `settled` minutes."""
    token = token or make_token(ts)
    chain = Chain(token, make_score(token, ts), make_vector(token, ts, **of_vector))
    if model is not None or "model" in sources:
        chain.prediction = make_prediction(chain.vector, model or make_model(ts))
    for source in sources:
        chain.signals[source] = make_signal(chain.vector, source, chain.score, chain.prediction)
    for minutes in settled:
        chain.outcomes |= {(source, minutes): make_outcome(signal, minutes, gross) for source, signal in chain.signals.items()}
        if chain.prediction is not None:
            chain.predicted[minutes] = make_outcome(chain.prediction, minutes, gross)
    return chain


def make_true_chain(ts: datetime, name: str = "A", **fields: Any) -> Chain:
    """A chain whose score and vector are worked out from rows, as the tick does it: worked out again they are the same."""
    token = make_token(ts, name, **fields)
    see(token, ts - timedelta(minutes=1))
    score_tokens(ts)
    see(token, ts, minutes=1)
    score_tokens(ts)
    score = TokenScore.objects.filter(token=token).latest("ts")
    stored_at = ts + timedelta(seconds=2)
    made = features.compute(feature_inputs.inputs_at(ts, stored_at, [token.pk]))
    packed, why = packing.pack(made.values, made.reasons)
    chain = Chain(token, score, make_vector(token, ts, values=packed[0], reasons=why[0], stored_at=stored_at))
    chain.signals["score"] = make_signal(chain.vector, "score", score, strength=score.score)
    return chain
