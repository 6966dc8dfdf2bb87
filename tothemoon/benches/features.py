"""The 240 features of a moment against pandas, token by token, and polars, all tokens at once. No database: arrays in, arrays out.

What is compared is the same slots on the same bars in one process, in turns, by their medians, after all of them were found equal; frames
are made beforehand, imports are done. pandas works on a few tokens and is reckoned up. Neither is a part of the product: where one is
missing its row says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.features import FEATURES, FeatureInputs, Features, compute
from learning.features.inputs import LAGS, WINDOW
from learning.tests.lively import World
from tokens.bar_grid import AMOUNTS, PRICES
from tothemoon.benches.stages import Line, in_turns, peak_mb

Numbers = NDArray[np.float64]
Slots = dict[str, Numbers]  # a value for each token

ROUNDS = 5
OF_PANDAS = 8  # tokens: it takes a good part of a tenth of a second for each
LEAST_SLOTS = 60
PANDAS_FLOOR, POLARS_FLOOR = 400.0, 2.0
ALL_MS = 250.0
CLOSE_TO = 1e-6  # relative, or the same as a number of four bytes
NOTHING = 1e-12


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result."""
    inputs = market(number)
    found = compute(inputs)
    lines = [_all(inputs, say)]
    for name, floor, prepare in (("pandas", PANDAS_FLOOR, by_pandas), ("polars", POLARS_FLOOR, by_polars)):
        if find_spec(name) is None:
            lines.append(replace(lines[0], against=f"{name}: not installed", theirs=None, ratio=None, floor=floor, holds=True))
            continue
        say(f"features: {name}")
        lines.append(_against(name, floor, inputs, found, prepare))
    return lines


def market(number: int) -> FeatureInputs:
    """A moment at which all is known of all tokens: so that nobody has to look for gaps."""
    world = World(3, tokens=number, minutes=WINDOW + 25 * 60, gaps=0.0, young=0.0)
    world.tells_holders[:] = True
    return world.inputs(WINDOW + 24 * 60, late=0)


def _all(inputs: FeatureInputs, say: Callable[[str], None]) -> Line:
    say("features: all")

    def call() -> Features:
        return compute(inputs)

    seconds, _ = in_turns(call, None, ROUNDS)
    told = round(seconds * 1000, 1), ALL_MS, round(seconds * 1000 / ALL_MS, 2)
    limit = f"limit: {len(FEATURES)} features, {len(inputs)} tokens × {WINDOW} bars"
    return Line("features", "no database", limit, "ms", *told, 1.0, seconds * 1000 <= ALL_MS, peak_mb(call))


def _against(name: str, floor: float, inputs: FeatureInputs, found: Features, prepare: Callable[[FeatureInputs], tuple[Any, int]]) -> Line:
    call, tokens = prepare(inputs)
    slots = equal(found, call())
    chosen = [feature for feature in FEATURES if feature.slot.name in slots]
    ours_again: Callable[[], Features] = lambda: compute(inputs, chosen)  # noqa: E731
    mine, seconds = in_turns(ours_again, call, ROUNDS)
    theirs = (seconds or 0.0) * len(inputs) / tokens
    what = f"{name}: {len(slots)} slots in {len({feature.slot.group for feature in chosen})} groups, all equal, {len(inputs)} tokens"
    some = f" ({tokens} of them measured)" if tokens < len(inputs) else ""
    told = round(mine * 1000, 2), round(theirs * 1000, 2), round(theirs / mine, 2)
    return Line("features", "no database", what + some, "ms", *told, floor, theirs / mine >= floor, peak_mb(ours_again))


def equal(ours: Features, theirs: Slots) -> list[str]:
    """The slots that were compared. Raises where one differs."""
    places = {feature.slot.name: place for place, feature in enumerate(FEATURES)}
    for name, values in theirs.items():
        own = ours.values[: len(values), places[name]]
        same = (own == values.astype(np.float32)) | (np.isnan(own) & np.isnan(values))
        near = np.abs(own - values) <= CLOSE_TO * np.abs(values) + NOTHING
        if not (same | near).all():
            at = int(np.argmin(same | near))
            raise ValueError(f"{name} of token {at}: {own[at]!r} here, {values[at]!r} there")
    if len(theirs) < LEAST_SLOTS:
        raise ValueError(f"{len(theirs)} slots are compared, fewer than {LEAST_SLOTS}")
    return list(theirs)


def by_pandas(inputs: FeatureInputs) -> tuple[Callable[[], Slots], int]:
    pandas: Any = import_module("pandas")
    from tothemoon.benches import features_in_pandas as written  # pandas may be missing

    closes = pandas.DataFrame(inputs.market.close[-WINDOW:])
    tokens = [_one(pandas, written.OneToken, inputs, column) for column in range(min(OF_PANDAS, len(inputs)))]

    def call() -> Slots:
        around = written.around(closes)
        told = [written.of_token(replace(token, around=around)) for token in tokens]
        return {name: np.array([one[name] for one in told]) for name in told[0]}

    return call, len(tokens)


def _one(pandas: Any, kind: Any, inputs: FeatureInputs, column: int) -> Any:
    bars = pandas.DataFrame({name: getattr(inputs.minutes, name)[-WINDOW:, column] for name in (*PRICES, *AMOUNTS)})
    looks = {name: pandas.Series(values[:, column], index=list(LAGS)) for name, values in inputs.looks.items()}
    return kind(bars, pandas.Series(inputs.hours.high[:, column]), looks, float(inputs.born[column]), inputs.ts, None)


def by_polars(inputs: FeatureInputs) -> tuple[Callable[[], Slots], int]:
    polars: Any = import_module("polars")
    from tothemoon.benches import features_in_polars as written

    tokens = len(inputs)
    bars = polars.DataFrame(
        {"token": np.repeat(inputs.tokens, WINDOW), "row": np.tile(np.arange(WINDOW), tokens)}
        | {name: np.ascontiguousarray(getattr(inputs.minutes, name)[-WINDOW:].T).ravel() for name in (*PRICES, *AMOUNTS)}
    )
    looks = polars.DataFrame(
        {name: values[0] for name, values in inputs.looks.items()}
        | {"holders_60": inputs.looks["holders"][LAGS.index(60)], "born": inputs.born, "day_high": inputs.hours.high.max(axis=0)}
    )
    names = {feature.slot.name for feature in FEATURES} - set(looks.columns)

    def call() -> Slots:
        found = written.of_tokens(bars, looks, inputs.ts)
        return {name: found[name].to_numpy().astype(np.float64) for name in found.columns if name in names}

    return call, tokens
