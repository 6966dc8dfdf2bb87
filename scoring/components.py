"""The text of `token_scores.components`: how each score came about, for thousands of tokens at once.

    {"tx_accel": {"raw", "smoothed", "weight", "contribution", "state", "age_sec", "inputs": {…}}, …}

`age_sec` is how long ago, seen from this score, the metric last had a value (0: it has one now); together with `smoothed` it is all that
the next tick needs to go on. `part` stands beside `raw` where the model smooths something made from it; `factors` holds what the model
multiplies the whole with. Every float is written so that reading it back gives the same float.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import orjson

from scoring.metrics import ESTIMATED, METRICS, STATES, Formula, Inputs, Scored

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_texts(inputs: Inputs, scored: Scored, formula: Formula) -> list[str]:
    """One JSON document a token."""
    parts: list[str] = []
    columns: list[NDArray[np.float64]] = []
    own_parts = scored.parts is not scored.measured.raw
    given = _inputs(inputs, scored)
    for place, name in enumerate(METRICS):
        numbers = {"raw": scored.measured.raw[place]}
        if own_parts:
            numbers["part"] = scored.parts[place]
        numbers["smoothed"] = scored.memory.value[place]
        numbers["contribution"] = scored.contributions[place]
        numbers["age_sec"] = scored.memory.age_sec[place]
        weight = json.dumps(float(formula.weights[place]))
        state = f'"weight":{weight},"state":"%s","inputs":{{{_keys(given[name])}}}'
        parts.append(f'"{name}":{{{_keys(numbers)},{state}}}')
        columns += [*numbers.values(), scored.measured.state[place].astype(np.float64), *given[name].values()]
    if scored.factors:
        parts.append(f'"factors":{{{_keys(scored.factors)}}}')
        columns += scored.factors.values()
    return _fill("{" + ",".join(parts) + "}", columns, _places_of_states(own_parts, given))


def _keys(numbers: dict[str, NDArray[np.float64]]) -> str:
    return ",".join(f'"{name}":%s' for name in numbers)


def _places_of_states(own_parts: bool, given: dict[str, dict[str, NDArray[np.float64]]]) -> list[int]:
    places, at = [], 0
    for name in METRICS:
        at += 5 if own_parts else 4
        places.append(at)
        at += 1 + len(given[name])
    return places


def _fill(template: str, columns: list[NDArray[np.float64]], states: list[int]) -> list[str]:
    """Each row of `columns` into the template. One call writes all numbers, straight from numpy's memory; what is not finite is null."""
    table = np.stack(columns, axis=1)
    text = orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY).decode().replace(".0,", ",").replace(".0]", "]")
    words = {str(code): state for code, state in enumerate(STATES)}
    filled = []
    for row in text[2:-2].split("],["):
        cells = row.split(",")
        for place in states:
            cells[place] = words[cells[place]]
        filled.append(template % tuple(cells))
    return filled


def _inputs(inputs: Inputs, scored: Scored) -> dict[str, dict[str, NDArray[np.float64]]]:
    """What each metric was made from. Order flow shows the counts where it was estimated from them."""
    estimated = scored.measured.state[3] == ESTIMATED
    return {
        "tx_accel": {"tx_count_5m": inputs.tx_count_5m, "tx_count_1h": inputs.tx_count_1h},
        "vol_momentum": {"volume_5m": inputs.volume_5m, "volume_1h": inputs.volume_1h},
        "holder_growth": {
            "holders": inputs.holders,
            "holders_before": inputs.holders_before,
            "minutes_between": np.round(inputs.holders_before_sec / 60, 3),
            "reading_age_sec": inputs.birdeye_age_sec,
        },
        "orderflow_imbalance": {
            "buys": np.where(estimated, inputs.buys_5m, inputs.buys_volume_5m),
            "sells": np.where(estimated, inputs.sells_5m, inputs.sells_volume_5m),
            "reading_age_sec": np.where(estimated, 0.0, inputs.birdeye_age_sec),
        },
    }
