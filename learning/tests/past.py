"""Some days of evidence at once: vectors, scores, signals of the score and what came of them, with an effect where one is asked for."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from learning import keys, packing, schema, storing
from learning.missing import Reason
from learning.models import FeatureVector, Outcome, Signal
from learning.training_rows import MOMENTUM
from scoring.models import ScoringSettings, TokenScore
from tokens.models import Token

COST = 0.01
SLOT = 41  # the feature that carries the effect
KNOWN = sorted({*range(36, 44), *(schema.PLACES[name] for name in MOMENTUM.values())})  # the others are missing, which makes training quick
MARK = timedelta(minutes=15)


def make_past(
    now: datetime, effect: float = 0.0, marks: int = 96, tokens: int = 16, seed: int = 1, horizons: tuple[int, ...] = (15,)
) -> Any:
    """Marks up to one horizon before `now`. The gross return is `effect` × slot SLOT and chance; the score knows nothing of it."""
    chance = np.random.default_rng(seed)
    version, revision = storing.keep_schema(), ScoringSettings.objects.get(active=True)
    names = [f"Past{number}".ljust(40, "x") for number in range(tokens)]
    Token.objects.bulk_create([Token(address=name, symbol=name[:7], created_at=now - timedelta(days=30)) for name in names])
    pks = list(Token.objects.filter(address__in=names).order_by("pk").values_list("pk", flat=True))
    last = now - timedelta(minutes=max(horizons))
    at = [last - MARK * back for back in range(marks)][::-1]
    rows = [(ts, pk) for ts in at for pk in pks]
    values = np.full((len(rows), schema.SIZE), np.nan, dtype=np.float32)
    values[:, KNOWN] = chance.standard_normal((len(rows), len(KNOWN)))
    gross = effect * values[:, SLOT].astype(float) + 0.03 * chance.standard_normal(len(rows))
    strength = chance.standard_normal(len(rows))
    packed, reasons = packing.pack(values, np.where(np.isnan(values), Reason.YOUNG, Reason.OK).astype(np.uint8))
    TokenScore.objects.bulk_create(
        [
            TokenScore(token_id=pk, ts=ts, score=float(strength[place]), components={}, settings=revision)
            for place, (ts, pk) in enumerate(rows)
        ]
    )
    scores = {(row.ts, row.token_id): row.pk for row in TokenScore.objects.only("ts", "token_id")}
    vectors, signals, outcomes = [], [], []
    for place, (ts, pk) in enumerate(rows):
        key = keys.key(int(ts.timestamp()), pk, 0)
        vectors.append(
            FeatureVector(id=key, ts=ts, stored_at=ts, token_id=pk, schema_id=version, values=packed[place], reasons=reasons[place])
        )
        based = {"vector_id": key, "token_score_id": scores[ts, pk], "settings": revision, "source": "score", "direction": "up"}
        figures = {"price": 0.001, "strength": float(strength[place]), "cost": COST}
        signals.append(Signal(id=key, ts=ts, stored_at=ts, token_id=pk, **based, **figures))
        for minutes in horizons:
            worst = min(float(gross[place]), 0.0) - 0.01
            came = {"gross": float(gross[place]), "net": float(gross[place]) - COST, "best": 0.2, "worst": worst, "price": 0.001}
            number = keys.outcome_of(key, keys.OF_SIGNAL, keys.HORIZONS_MIN.index(minutes))
            settled = ts + timedelta(minutes=minutes)
            outcomes.append(Outcome(id=number, signal_id=key, horizon_min=minutes, state="priced", settled_at=settled, **came))
    for model, made in ((FeatureVector, vectors), (Signal, signals), (Outcome, outcomes)):
        model.objects.bulk_create(made, batch_size=500)
    return values, gross
