"""Stretches of history drawn at random: tokens of different length and age, held ones, gaps, figures that are missing or outdated."""

from datetime import UTC, datetime

import numpy as np

from scoring.history import Stretch
from scoring.metrics import METRICS, Inputs, Memory

BEGIN = 1_700_000_000.0
HIGHEST = {"liquidity": 1200, "tx_count_5m": 60, "tx_count_1h": 700, "volume_5m": 9e3, "volume_1h": 1e5, "holders": 500}
OTHERS = {"holders_before": 500, "buys_5m": 30, "sells_5m": 30, "buys_volume_5m": 1e3, "sells_volume_5m": 1e3, "birdeye_age_sec": 400}
PAUSES = [30.0, 30.5, 400.0, 5000.0]


def a_stretch(chance, most_tokens=9, most_rows=40):
    counts = np.sort(chance.integers(1, most_rows, chance.integers(1, most_tokens + 1)))[::-1]
    tokens, lengths = counts.size, [int((counts > turn).sum()) for turn in range(counts[0])]
    turns = np.concatenate([[0], np.cumsum(lengths)])
    which = np.concatenate([np.arange(length) for length in lengths])
    seed_ts = np.where(chance.random(tokens) < 0.5, BEGIN - chance.uniform(1, 500, tokens), np.nan)
    pauses = chance.choice(PAUSES, size=(counts[0], tokens), p=[0.5, 0.3, 0.15, 0.05])
    moments = BEGIN + np.cumsum(pauses, axis=0)
    ts = np.concatenate([moments[turn, :length] for turn, length in enumerate(lengths)])
    since = np.diff(np.vstack([seed_ts, moments]), axis=0)
    rows, created = ts.size, BEGIN - chance.uniform(-50, 90_000, tokens)
    missing = chance.choice([0.0, 0.05, 0.4])
    drawn = {name: np.floor(chance.uniform(0, most, rows)) for name, most in (HIGHEST | OTHERS).items()}
    drawn |= {"holders_before_sec": chance.uniform(2900, 4600, rows), "last_trade_age_sec": chance.uniform(0, 700, rows)}
    known = {name: np.where(chance.random(rows) < missing, np.nan, column) for name, column in drawn.items()}
    inputs = Inputs(age_sec=np.maximum(ts - created[which], 0.0), same_source=chance.random(rows) < 0.5, **known)
    memory = [np.where(np.isnan(seed_ts) | (chance.random((4, tokens)) < 0.2), np.nan, chance.random((len(METRICS), tokens)))] * 2
    return Stretch(
        pks=np.arange(tokens), turns=turns, inputs=inputs, elapsed_sec=np.concatenate([since[n, :k] for n, k in enumerate(lengths)]),
        columns={"ts": ts, "contradictory": (chance.random(rows) < 0.2) * 1.0, **{name: known[name] for name in HIGHEST}},
        before=np.zeros(rows, dtype=np.int64), last=turns[counts - 1] + np.arange(tokens), active=chance.random(tokens) < 0.4,
        living=np.ones(tokens, dtype=bool), held=chance.random(tokens) < 0.15, created_at=created,
        pool_since=np.where(chance.random(tokens) < 0.1, np.nan, created + chance.uniform(0, 2000, tokens)),
        observed_sec=chance.uniform(0, 4000, tokens), seed=Memory(memory[0], memory[1] * 60), seed_ts=seed_ts,
        seed_model=np.where(np.isnan(seed_ts), np.nan, chance.integers(0, 2, tokens)), start=datetime.fromtimestamp(BEGIN, UTC),
    )  # fmt: skip
