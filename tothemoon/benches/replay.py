"""A day of 1,000 tokens looked at every 30 s, re-scored and judged from the columns that a process holds in memory.

Warm: the columns are there, and so is what the settings do not change. What is timed is what a console asks for with each move of a
slider: where α and a threshold move, smoothing, weighing, and the status rule for each of 2,880 turns; where a weight moves, the averages
are those of the move before. Reading the same rows from the database is `bench whatif`'s part.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from scoring import metrics
from scoring.history import Stretch
from scoring.metrics import Memory
from scoring.run import inputs_of
from scoring.settings_in_force import active_settings
from scoring.whatif import draft_of, replay
from tothemoon.benches import scoring
from tothemoon.benches.lines import IDIOMATIC, Subject
from tothemoon.benches.scoring_by_loop import by_loop
from tothemoon.benches.scoring_market import market
from tothemoon.benches.tick import Line

if TYPE_CHECKING:
    from scoring.models import ScoringSettings

TICKS = 2_880
ROUNDS = 5
MOST_SEC = 1.0


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result. `number` is of tokens. The database gives nothing but the settings in force."""
    stretch, present = held(number), active_settings()
    replay(stretch, present)
    found = []
    for turn in range(ROUNDS):
        say(f"replay: round {turn + 1} of {ROUNDS}")
        other = draft_of(present, {"ewma_alpha": 0.2 + turn / 100, "min_tx_count": 20 + turn})
        weight = draft_of(other, {"weight_tx_accel": 0.3 + turn / 100})
        found.append((_seconds(stretch, other), _seconds(stretch, weight), _reading(stretch)))
    ours, of_weight, limit = (statistics.median(times) for times in zip(*found, strict=True))
    few = min(scoring.LOOPED, number)
    rows = scoring.as_rows(scoring.first_tokens(stretch.columns, number, few), few)
    began = time.process_time()
    by_loop(rows, scoring.FORMULA)
    loop = (time.process_time() - began) * number / few
    what = f"{stretch.rows / 1e6:.3g} M snapshots re-scored and judged, warm"
    another, weight_moves = (Subject("replay", "no database", f"{what}: {moves}") for moves in ("α and a threshold move", "a weight moves"))
    return [
        another.within("for 1,000 tokens and 24 h", "s of processor", ours, MOST_SEC),
        another.faster(IDIOMATIC, "a plain Python loop, scores only", "s of processor", ours, loop, None),
        another.times_limit("one read of the columns", "s of processor", ours, limit, None),
        weight_moves.within("for 1,000 tokens and 24 h", "s of processor", of_weight, MOST_SEC),
    ]


def _seconds(stretch: Stretch, draft: ScoringSettings) -> float:
    began = time.process_time()
    played = replay(stretch, draft)
    seconds = time.process_time() - began
    counted = metrics.measure(stretch.inputs, draft.freshness_limit_sec, draft.holders_freshness_sec).counted
    if not np.array_equal(~np.isnan(played.score), counted.any(axis=0) & played.watched):
        raise RuntimeError("a snapshot of a watched token has no score though a metric counts, or one though none does")
    return seconds


def _reading(stretch: Stretch) -> float:
    began = time.process_time()
    scoring.read_once(stretch.columns)
    return time.process_time() - began


def held(tokens: int) -> Stretch:
    """A stretch as scoring.history hands it out: turn after turn, all tokens in each."""
    columns = market(TICKS, tokens)
    inputs, ts, rows, begin = inputs_of(columns), columns["ts"], TICKS * tokens, float(columns["ts"].min())
    elapsed = np.concatenate([np.full(tokens, np.nan), ts[tokens:] - ts[:-tokens]])
    nothing = np.full((4, tokens), np.nan)
    return Stretch(
        pks=np.arange(tokens), turns=np.arange(0, rows + 1, tokens), inputs=inputs, elapsed_sec=elapsed,
        columns={"contradictory": np.zeros(rows), **columns},
        before=np.arange(rows) - tokens, last=np.arange(rows - tokens, rows), active=np.arange(tokens) % 2 == 1,
        living=np.ones(tokens, dtype=bool), held=np.zeros(tokens, dtype=bool), created_at=columns["created_at"][:tokens],
        pool_since=np.full(tokens, begin - 3600), observed_sec=np.zeros(tokens), seed=Memory(nothing, nothing),
        seed_model=np.full(tokens, np.nan), seed_ts=np.full(tokens, np.nan), start=datetime.fromtimestamp(begin, UTC),
    )  # fmt: skip
