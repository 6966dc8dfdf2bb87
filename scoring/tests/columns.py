"""Tokens as dictionaries ↔ the columns the arithmetic takes, and Hypothesis' idea of a token."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

from scoring import score_models
from scoring.metrics import STATES, Formula, Inputs

NAMES = [field.name for field in dataclasses.fields(Inputs)]

counts = st.none() | st.integers(0, 5000)
money = st.none() | st.just(0.0) | st.floats(1e-6, 1e9)
seconds = st.none() | st.floats(0, 20_000)
about_an_hour = seconds | st.floats(2900, 4600)
tokens = st.fixed_dictionaries(
    {
        "age_sec": st.floats(0, 100_000),
        "liquidity": money,
        "tx_count_5m": counts,
        "tx_count_1h": counts,
        "volume_5m": money,
        "volume_1h": money,
        "holders": counts,
        "holders_before": counts,
        "holders_before_sec": about_an_hour,
        "buys_5m": counts,
        "sells_5m": counts,
        "buys_volume_5m": money,
        "sells_volume_5m": money,
        "birdeye_age_sec": st.none() | st.floats(0, 4000),
        "last_trade_age_sec": seconds,
        "same_source": st.booleans(),
    }
)
QUIET = {"age_sec": 10_000.0, "liquidity": 5000.0, "same_source": False}


def token(**known):
    """A token of which only `known` is known."""
    return dict.fromkeys(NAMES) | QUIET | known


def inputs(rows):
    columns = {name: [row[name] for row in rows] for name in NAMES}
    return Inputs(**{name: np.array(values, dtype=bool if name == "same_source" else np.float64) for name, values in columns.items()})


def formula(model="hybrid_momentum", weights=(0.25, 0.25, 0.25, 0.25), alpha=0.3, limit=180.0, holders_limit=1800.0):
    return Formula(score_models.load(model), weights, alpha, limit, holders_limit)


def words(states):
    """State codes of one token as words."""
    return [STATES[code] for code in states]


def plain(values):
    """NaN as None."""
    return [None if value != value else float(value) for value in values]
