"""A day of 1,000 tokens looked at every 30 s, re-scored and judged from the columns that a process holds in memory.

Warm: the columns are there, and so is what the settings do not change. What is timed is what a console asks for with each move of a
slider: smoothing, weighing, and the status rule for each of 2,880 turns. Reading the same rows from the database is `bench whatif`'s part.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from scoring.history import Stretch
from scoring.metrics import Inputs, Memory
from scoring.settings_in_force import active_settings
from scoring.whatif import draft_of, replay
from tothemoon.benches import scoring
from tothemoon.benches.lines import IDIOMATIC, Subject
from tothemoon.benches.tick import Line

if TYPE_CHECKING:
    from scoring.models import ScoringSettings

TICKS, INTERVAL_SEC = 2_880, 30.0
ROUNDS = 5
MOST_SEC = 1.0


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result. `number` is of tokens. The database gives nothing but the settings in force."""
    stretch, present = held(number), active_settings()
    drafts = [draft_of(present, {"weight_tx_accel": 0.3 + place / 100}) for place in range(ROUNDS)]
    replay(stretch, present)
    found = []
    for turn, draft in enumerate(drafts):
        say(f"replay: round {turn + 1} of {ROUNDS}")
        found.append((_seconds(stretch, draft), _reading(stretch)))
    ours, limit = (statistics.median(times) for times in zip(*found, strict=True))
    few = scoring.first_tokens(_as_matrix(stretch, number), min(scoring.LOOPED, number))
    began = time.process_time()
    scoring.by_loop(few)
    loop = (time.process_time() - began) * number / few.liquidity.shape[1]
    subject = Subject("replay", "no database", f"{stretch.rows / 1e6:.3g} M snapshots re-scored and judged, warm")
    return [
        subject.within("for 1,000 tokens and 24 h", "s of processor", ours, MOST_SEC),
        subject.faster(IDIOMATIC, "a plain Python loop, scores only", "s of processor", ours, loop, None),
        subject.times_limit("one read of the columns", "s of processor", ours, limit, None),
    ]


def _seconds(stretch: Stretch, draft: ScoringSettings) -> float:
    began = time.process_time()
    played = replay(stretch, draft)
    seconds = time.process_time() - began
    if np.isnan(played.score[played.watched]).any():
        raise RuntimeError("a snapshot of a watched token has no score, though every metric counts")
    return seconds


def _reading(stretch: Stretch) -> float:
    began = time.process_time()
    scoring.read_once(stretch.inputs)
    return time.process_time() - began


def _as_matrix(stretch: Stretch, tokens: int) -> Inputs:
    return Inputs(**{field.name: getattr(stretch.inputs, field.name).reshape(-1, tokens) for field in fields(Inputs)})


def held(tokens: int) -> Stretch:
    """A stretch as scoring.history hands it out: turn after turn, all tokens in each."""
    matrix = scoring.market(TICKS, tokens)
    inputs = Inputs(**{field.name: getattr(matrix, field.name).reshape(-1) for field in fields(Inputs)})
    rows, begin = TICKS * tokens, datetime.now(UTC).timestamp() - TICKS * INTERVAL_SEC
    ts = np.repeat(begin + np.arange(TICKS) * INTERVAL_SEC, tokens)
    nothing = np.full((4, tokens), np.nan)
    names = ("liquidity", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h", "holders")
    return Stretch(
        pks=np.arange(tokens), turns=np.arange(0, rows + 1, tokens), inputs=inputs, elapsed_sec=np.full(rows, INTERVAL_SEC),
        columns={"ts": ts, "contradictory": np.zeros(rows), **{name: getattr(inputs, name) for name in names}},
        before=np.arange(rows) - tokens, last=np.arange(rows - tokens, rows), active=np.arange(tokens) % 2 == 1,
        living=np.ones(tokens, dtype=bool), held=np.zeros(tokens, dtype=bool), created_at=np.full(tokens, begin - 3600),
        pool_since=np.full(tokens, begin - 3600), observed_sec=np.zeros(tokens), seed=Memory(nothing, nothing),
        seed_model=np.full(tokens, np.nan), seed_ts=np.full(tokens, np.nan), start=datetime.fromtimestamp(begin, UTC),
    )  # fmt: skip
