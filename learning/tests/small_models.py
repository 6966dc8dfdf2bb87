"""A real model for the tests, small and quickly made: four trees of 240 features, of which the second moves the price."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from learning import model_file, registry, schema
from learning.model_file import Contents
from learning.training import lesson
from learning.training.boosted import one_thread
from learning.training.drift import reference
from learning.training.labels import labels
from learning.training.plan import HEADS, Plan
from learning.training.sample import Sample

TINY = Plan(trees=4, leaves=4, rate=0.5, columns=1.0)
ROWS = 480


def vectors(rows: int = ROWS, seed: int = 1) -> np.ndarray:
    chance = np.random.default_rng(seed)
    values = chance.standard_normal((rows, schema.SIZE)).astype(np.float32)
    values[chance.random(values.shape) < 0.05] = np.nan
    return values


@cache
def contents(horizons: tuple[int, ...] = (60,), heads: tuple[str, ...] = HEADS) -> Contents:
    values = vectors()
    chance = np.random.default_rng(2)
    gross = 0.05 * np.nan_to_num(values[:, 1]) + 0.01 * chance.standard_normal(ROWS)
    taught = labels(gross, gross - 0.01, np.minimum(gross, 0), np.full(ROWS, 0.01))
    ts = 1_760_000_400 + 900 * np.repeat(np.arange(ROWS // 10), 10)
    rows = Sample(ts, np.tile(np.arange(10), ROWS // 10), values, gross, dict.fromkeys(horizons, gross), dict.fromkeys(horizons, taught))
    with one_thread():
        learnt = {horizon: lesson.learn(rows, horizon, TINY) for horizon in horizons}
    kept = {horizon: {name: head for name, head in each.heads.items() if name in heads} for horizon, each in learnt.items()}
    return Contents(kept, {horizon: each.cap for horizon, each in learnt.items()}, reference(values))


@cache
def packed(what: Contents) -> tuple[bytes, str]:
    with TemporaryDirectory() as folder:
        file, found = model_file.write(Path(folder), "small", what, schema.HASH)
        return Path(folder, file).read_bytes(), found


def registered(folder: Path, now: Any, what: Contents | None = None, number: int = 1, **columns: Any) -> Any:
    """Written as train_model writes it, and in the registry as a challenger."""
    what = what or contents()
    whole, found = packed(what)
    file = f"small-{number}-{found[:12]}.skops"
    folder.mkdir(exist_ok=True)
    (folder / file).write_bytes(whole)
    usual = {"horizons": sorted(what.horizons), "settings": {"main": min(what.horizons), "stale_after_days": 14.0}} | columns
    seconds = int(now.timestamp())
    return registry.register("small", number, seconds - 864_000, seconds - 86_400, now, file=file, file_hash=found, **usual)
