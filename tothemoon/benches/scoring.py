"""The score over history: 1,000 tokens looked at every 30 s for a day, by ours, by a plain loop, by polars; and 32 sets of weights at once.

All three begin with what the question of a tick gives (`scoring.run`), each in the shape that suits it: columns of numbers, a data frame of
numbers, and rows as a cursor hands them out, with moments that are datetimes. Making these is counted for nobody. All three end with the
score of every snapshot, and the scores are the same, which is checked. Ours are the functions that workers and the console use. The loop is
given a part of the tokens, and its time is counted for all.

The sets of weights begin with smoothed parts and end with all scores in new memory, ours as the others: numpy as it is usually written, an
array for each step of the formula, and numpy with a product of a vector and a matrix for each candidate, which is the best without a loop
of one's own.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from scoring import metrics
from scoring.candidates import scores_of
from scoring.metrics import METRICS, Formula, Memory
from scoring.over_history import scores, smooth_history
from scoring.run import MOMENTS, inputs_of
from scoring.score_models import load
from tokens.columns import moments
from tothemoon.benches.lines import IDIOMATIC, PEER, Subject
from tothemoon.benches.scoring_by_loop import Row, by_loop
from tothemoon.benches.scoring_in_polars import by_polars
from tothemoon.benches.scoring_market import INTERVAL_SEC, market
from tothemoon.benches.tick import Line

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from tothemoon.benches.scoring_market import Columns

    Numbers = NDArray[np.float64]

TICKS, AT_ONCE = 2_880, 120
AS_MOMENTS = (*MOMENTS, "created_at", "earlier_at", "later_at")
LOOPED = 20  # tokens that the plain loop is given
CANDIDATES = 32
ROUNDS = 5
TIMES_A_LOOP, TIMES_POLARS, TIMES_ONE_BY_ONE = 100.0, 2.5, 6.0
FORMULA = Formula(load("hybrid_momentum"), (0.25, 0.25, 0.25, 0.25), 0.3, 180.0, 1800.0)


class Different(RuntimeError):
    """Two ways have not given the same scores."""


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result; no database is needed. `number` is of tokens."""
    columns = market(TICKS, number)
    few = first_tokens(columns, number, min(LOOPED, number))
    frame, rows = in_polars(columns, number), as_rows(few, min(LOOPED, number))
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(columns, number),
        "polars": lambda: by_polars(frame, FORMULA, INTERVAL_SEC),
        "loop": lambda: by_loop(rows, FORMULA),
        "read": lambda: read_once(columns),
    }
    seconds = in_turn(ways, say)
    same(ours(columns, number), of_polars(ways["polars"](), number))
    same(ours(few, len(rows)), of_loop(ways["loop"]()))
    loop = seconds["loop"] * number / len(rows)
    subject = Subject("scoring", "no database", f"{TICKS * number / 1e6:.3g} M token-ticks scored")
    return [
        subject.faster(IDIOMATIC, "a plain Python loop", "s of processor", seconds["ours"], loop, TIMES_A_LOOP),
        subject.faster(PEER, "polars, all tokens in one query", "s of processor", seconds["ours"], seconds["polars"], TIMES_POLARS),
        subject.times_limit("one read of the inputs", "s of processor", seconds["ours"], seconds["read"], None),
        *_candidates(columns, number, say),
    ]


def _candidates(columns: Columns, tokens: int, say: Callable[[str], None]) -> list[Line]:
    """32 sets of weights over what is smoothed already, as a sweep over weights asks."""
    counted, parts = smoothed_history(columns, tokens)
    smoothed = parts.astype(np.float32)
    weights = np.random.default_rng(5).dirichlet(np.ones(len(METRICS)), CANDIDATES)
    ways: dict[str, Callable[[], Numbers]] = {
        "ours": lambda: scores_of(smoothed, counted, weights),
        "one": lambda: one_by_one(smoothed, counted, weights),
        "products": lambda: by_products(smoothed, counted, weights),
    }
    seconds = in_turn(ways, say)
    for other in ("one", "products"):
        same(ways["ours"](), ways[other](), 1e-4)
    subject = Subject("scoring", "no database", f"{CANDIDATES} sets of weights over {smoothed[0].size / 1e6:.3g} M token-ticks")
    return [
        subject.faster(IDIOMATIC, "numpy, candidate by candidate", "s of processor", seconds["ours"], seconds["one"], TIMES_ONE_BY_ONE),
        subject.faster(PEER, "numpy, a product for each candidate", "s of processor", seconds["ours"], seconds["products"], None),
        subject.times_limit("one writing of the scores", "s of processor", seconds["ours"], _written(smoothed), None),
    ]


def in_turn(ways: Mapping[str, Callable[[], Any]], say: Callable[[str], None]) -> dict[str, float]:
    """Seconds of the processor of each way, the median of rounds in which each has its turn, without the first.

    Of the processor, because the work is computing and other programs may run beside it; two threads of polars count twice.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            say(f"scoring: {name}, round {turn} of {ROUNDS}")
            began = time.process_time()
            way()
            found[name].append(time.process_time() - began)
    return {name: statistics.median(times[1:]) for name, times in found.items()}


def same(one: Numbers, other: Numbers, tolerance: float = 1e-6) -> None:
    """As near as a half-life in whole microseconds allows, which is all that polars takes."""
    if not np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise Different(f"scores differ by up to {np.nanmax(np.abs(one - other)):g}, or one knows what the other does not")


def first_tokens(columns: Columns, tokens: int, number: int) -> Columns:
    return {name: np.ascontiguousarray(column.reshape(-1, tokens)[:, :number]).reshape(-1) for name, column in columns.items()}


def ours(columns: Columns, tokens: int) -> Numbers:
    """Some hours after the other, each going on from what the one before remembers: so the memory of one serves the next."""
    score, memory, part = np.empty(columns["ts"].size), Memory.empty(tokens), AT_ONCE * tokens
    ts, last = columns["ts"], np.full(tokens, np.nan)
    for begin in range(0, score.size, part):
        place = slice(begin, begin + part)
        elapsed = ts[place] - np.concatenate([last, ts[place][:-tokens]])
        counted, smoothed, memory = _smoothed({name: column[place] for name, column in columns.items()}, elapsed, memory)
        last = ts[place][-tokens:]
        score[place] = scores(smoothed, counted, FORMULA, {})
    return score


def _smoothed(columns: Columns, elapsed: Numbers, memory: Memory) -> tuple[NDArray[np.bool_], Numbers, Memory]:
    inputs = inputs_of(columns)
    measured = metrics.measure(inputs, FORMULA.freshness_limit_sec, FORMULA.holders_freshness_sec)
    counted, parts, tokens = measured.counted, FORMULA.model.parts(inputs, measured), memory.value.shape[1]
    turns = range(0, elapsed.size + 1, tokens)
    return counted, *smooth_history(parts, counted, memory, elapsed, INTERVAL_SEC, FORMULA.alpha, turns)


def smoothed_history(columns: Columns, tokens: int) -> tuple[NDArray[np.bool_], Numbers]:
    """Which metrics count, and their averages, 0 before the first: one row a metric."""
    each = np.full(columns["ts"].size, INTERVAL_SEC)
    counted, smoothed, _ = _smoothed(columns, each, Memory.empty(tokens))
    return counted, np.nan_to_num(smoothed)


def in_polars(columns: Columns, tokens: int) -> pl.DataFrame:
    """One row a snapshot, token by token: as it would be loaded from a file."""
    ordered = {name: column.reshape(-1, tokens).T.ravel() for name, column in columns.items()}
    ticks = columns["ts"].size // tokens
    return pl.DataFrame({"token": np.repeat(np.arange(tokens), ticks), **ordered}).fill_nan(None)


def of_polars(frame: pl.DataFrame, tokens: int) -> Numbers:
    return np.asarray(frame["score"].to_numpy().reshape(tokens, -1).T.ravel())


def as_rows(columns: Columns, tokens: int) -> list[list[Row]]:
    """What a cursor hands out, token by token."""
    matrices = {name: column.reshape(-1, tokens).T for name, column in columns.items()}
    lists = [[_values(name, matrix[token]) for name, matrix in matrices.items()] for token in range(tokens)]
    return [[dict(zip(matrices, row, strict=True)) for row in zip(*each, strict=True)] for each in lists]


def _values(name: str, column: Numbers) -> Sequence[float | datetime | None]:
    return moments(column) if name in AS_MOMENTS else [None if math.isnan(value) else value for value in column.tolist()]


def of_loop(tokens: list[list[float | None]]) -> Numbers:
    return np.array(tokens, dtype=np.float64).T.ravel()


def one_by_one(smoothed: NDArray[Any], counted: NDArray[np.bool_], weights: Numbers) -> Numbers:
    """The usual way in numpy: each candidate's weights times the parts, added up."""
    known = np.where(counted, smoothed, 0)
    found = []
    for each in weights.astype(np.float32):
        total = sum(weight * part for weight, part in zip(each, known, strict=True))
        there = sum(weight * there for weight, there in zip(each, counted, strict=True))
        with np.errstate(invalid="ignore"):  # nothing counts
            found.append(total / there * each.sum())
    return np.stack(found)


def by_products(smoothed: NDArray[Any], counted: NDArray[np.bool_], weights: Numbers) -> Numbers:
    """The best that numpy offers for one candidate: two products of its weights and a matrix."""
    known, there = np.where(counted, smoothed, 0), counted.astype(np.float32)
    with np.errstate(invalid="ignore"):  # nothing counts
        return np.stack([(each @ known) / (each @ there) * each.sum() for each in weights.astype(np.float32)])


def read_once(columns: Columns) -> float:
    return float(sum(column.sum() for column in columns.values()))


def _written(smoothed: NDArray[Any]) -> float:
    began = time.process_time()
    np.empty((CANDIDATES, *smoothed.shape[1:]), dtype=smoothed.dtype).fill(1.0)
    return time.process_time() - began
