"""The evidence of N tokens: storing their vectors and predictions, and what the ticks take more with it than without.

Twice: over all ticks of the time between two marks, as the scheduler runs them by the settings as shipped, which has the floor; and the one
tick in which a mark is written, which has none. Working out 240 numbers a token takes about as long as a whole tick, which only looks at a
few; the scheduler does it in a job of its own, and no poll and no score waits for it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction

from learning import keys, partitions, recording, schema, storing
from learning.models import ModelVersion
from learning.predictor import Predicted, Served
from learning.storing import Vectors
from scoring.models import ScoringSettings
from scoring.stage_columns import stage_values
from tokens.bars import MINUTE_SEC, record_bars, write
from tokens.every_bar import EveryBar
from tokens.models import BarSource, Token
from tothemoon.benches.tick import INTERVAL, Line, Market, NotEmpty, tick
from tothemoon.schedule import EVIDENCE_SEC

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 5
BARS = 120
MOST_MS_A_THOUSAND = 100.0  # on PostgreSQL
MOST_TIMES = 1.5


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    ScoringSettings.objects.revise({"evidence_every_min": 1}, None, "a mark a minute, so that every other tick has one")
    market = Market(number)
    market.now = market.now.replace(second=0)  # every other tick is on a full minute
    _past(market.now)
    for _ in range(3):  # the first makes the pools and the changes of status, the next ones reach a minute
        _tick(market)
    every = EveryBar(clock=lambda: market.now.timestamp())  # as the scheduler has it: read once, then the newest minutes again
    _between(market)
    _at_a_mark(market, every)
    at_a_mark, between = [], []
    for turn in range(ROUNDS):
        say(f"{database}: round {turn + 1} of {ROUNDS}")
        between.append(_between(market))
        at_a_mark.append(_at_a_mark(market, every))
    say(f"{database}: from one mark to the next")
    with_evidence, without, ticks = _from_mark_to_mark(market, every)
    shipped = f"the {ticks} ticks from one mark to the next without, on average; at most {MOST_TIMES:g} times their time"
    return [
        _stored(number, database, market.now),
        _compared(database, shipped, with_evidence, without, MOST_TIMES),
        _compared(database, "a tick between two marks; the one at a mark", statistics.median(at_a_mark), statistics.median(between)),
    ]


def _past(now: datetime) -> None:
    """Bars of the two hours before, so that the features have what they look at."""
    tokens = np.array(sorted(Token.objects.values_list("pk", flat=True)), dtype=np.float64)
    first = int(now.timestamp()) // MINUTE_SEC * MINUTE_SEC - BARS * MINUTE_SEC
    chance = np.random.default_rng(7)
    price = 0.001 * np.exp(np.cumsum(chance.normal(0, 0.01, (BARS, len(tokens))), axis=0))
    rows: dict[str, NDArray[Any]] = {
        "token": np.tile(tokens, BARS),
        "open_time": np.repeat(first + MINUTE_SEC * np.arange(BARS, dtype=np.float64), len(tokens)),
        **dict.fromkeys(("open", "close"), price.ravel()),
        "high": price.ravel() * 1.01,
        "low": price.ravel() * 0.99,
        **{name: chance.uniform(1, 500, price.size) for name in ("volume", "trades", "buy_volume")},
    }
    write(rows, "1m", BarSource.SNAPSHOTS, now - timedelta(minutes=1))


def _tick(market: Market) -> float:
    answers = market.answers()
    began = time.perf_counter()
    tick(answers, market.now)
    return time.perf_counter() - began


def _between(market: Market) -> float:
    """A tick on the full minute: its mark is written by the next."""
    while (market.now + INTERVAL).second:
        _tick(market)
    seconds = _tick(market)
    record_bars(market.now)
    return seconds


def _at_a_mark(market: Market, every: EveryBar) -> float:
    """The tick half a minute later, and the mark with it."""
    seconds = _tick(market)
    began = time.perf_counter()
    done = recording.record(market.now, minutes=every.minutes)
    if not done.vectors:
        raise RuntimeError("nothing was written down: there was no mark")
    return seconds + time.perf_counter() - began


def _from_mark_to_mark(market: Market, every: EveryBar) -> tuple[float, float, int]:
    """By the settings as shipped, every look for a mark included: seconds a tick with evidence, without, and how many ticks it were."""
    shipped = stage_values(ScoringSettings())["evidence_every_min"]
    ScoringSettings.objects.revise({"evidence_every_min": shipped}, None, "as shipped")
    ticks = int(shipped * 60 / INTERVAL.total_seconds())
    _looks(market.now, every)  # for a mark that has just been
    alone, besides, marks = 0.0, 0.0, 0
    for _ in range(ticks):
        alone += _tick(market)
        if not market.now.second:
            record_bars(market.now)
        seconds, written = _looks(market.now, every)
        besides, marks = besides + seconds, marks + written
    if marks != 1:
        raise RuntimeError(f"{marks} marks were written where there is one")
    return (alone + besides) / ticks, alone / ticks, ticks


def _looks(now: datetime, every: EveryBar) -> tuple[float, int]:
    """What the scheduler's job does in the time of a tick: seconds, and how many marks were due."""
    began, written = time.perf_counter(), 0
    for look in range(int(INTERVAL.total_seconds() / EVIDENCE_SEC)):
        if recording.record(now + timedelta(seconds=look * EVIDENCE_SEC), minutes=every.minutes).vectors:
            written += 1
        else:
            every.keep_up()
    return time.perf_counter() - began, written


def _compared(database: str, against: str, ours: float, theirs: float, most: float | None = None) -> Line:
    ratio = ours / theirs
    holds = most is None or ratio <= most
    return Line("evidence", database, against, "ms", round(ours * 1000, 1), round(theirs * 1000, 1), round(ratio, 2), most, holds)


def _stored(number: int, database: str, now: datetime) -> Line:
    """Vectors and the predictions of one model, committed, several moments one after the other."""
    tokens = np.array(sorted(Token.objects.values_list("pk", flat=True)), dtype=np.int64)
    chance = np.random.default_rng(7)
    values = chance.normal(size=(number, schema.SIZE)).astype(np.float32)
    reasons = (chance.random(values.shape) < 0.2).astype(np.uint8)
    values[reasons != 0] = np.nan
    version = storing.keep_schema()
    row = ModelVersion.objects.create(name="bench", number=1, role="champion", schema_id=version, trained_from=now, trained_to=now)
    made = [(Served(row, None), _predicted(number, chance))]  # type: ignore[arg-type]  # its file is not asked
    times = []
    for turn in range(ROUNDS):
        vectors = Vectors(int(now.timestamp()) - 86_400 + turn, tokens, values, reasons)
        began = time.perf_counter()
        with transaction.atomic():
            partitions.plan_checks_once()
            storing.store_vectors(vectors, version, now)
            storing.store_predictions(keys.key(vectors.ts, tokens, 0), made)
        times.append(time.perf_counter() - began)
    mine, most = statistics.median(times) * 1000, MOST_MS_A_THOUSAND * number / 1000
    floor = 1.0 if database == "postgresql" else None
    against = f"limit: {number:,} vectors and predictions stored in {most:g} ms"
    return Line(
        "evidence", database, against, "ms", round(mine, 1), most, round(most / mine, 2), floor, floor is None or mine <= most
    )  # fmt: skip


def _predicted(rows: int, chance: np.random.Generator) -> Predicted:
    share = chance.dirichlet([1, 1, 1], (rows, len(keys.HORIZONS_MIN)))
    figures = chance.random((2, rows, len(keys.HORIZONS_MIN)))
    return Predicted(figures[0], share, figures[1], chance.random((rows, 20)).astype(np.float32), 3.0)
