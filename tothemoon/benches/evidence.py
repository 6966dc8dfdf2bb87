"""The evidence of N tokens: storing their vectors and predictions, and what the ticks take more with it than without.

Twice, each with the same floor: the dearest tick while a mark is written, and all ticks of the time between two marks, by the settings as
shipped. The recorder is looked at as often as the scheduler does; what a look takes counts for the tick it follows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection, transaction

from learning import keys, partitions, schema, storing
from learning.models import ModelVersion
from learning.predictor import Predicted, Served
from learning.recorder import Recorder
from learning.storing import Vectors
from scoring.models import ScoringSettings
from scoring.stage_columns import stage_values
from tokens.bars import MINUTE_SEC, record_bars, write
from tokens.every_bar import EveryBar
from tokens.models import BarSource, Token
from tothemoon import jobs
from tothemoon.benches.tick import INTERVAL, Line, Market, NotEmpty, tick
from tothemoon.schedule import EVIDENCE_SEC
from tothemoon.worker import StopFlag

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 5
BARS = 120
QUARTER_SEC = 900
EVERY_MIN = 5  # the marks that are measured follow each other so soon, and are written as those of a quarter of an hour
MOST_MS_A_THOUSAND = 100.0  # on PostgreSQL
MOST_TIMES = 1.5
LOOKS = int(INTERVAL.total_seconds() / EVIDENCE_SEC)  # for a mark, in the time of a tick


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    market = Market(number)
    market.now += timedelta(seconds=-market.now.timestamp() % QUARTER_SEC + QUARTER_SEC) - 3 * INTERVAL
    _past(market.now)
    for _ in range(3):  # the first makes the pools and the changes of status, the last is at a mark
        _tick(market)
    every = EveryBar(clock=lambda: market.now.timestamp())  # as the scheduler has it: read once, then the newest minutes again
    recorder = Recorder(every.minutes)
    _every_so_often(EVERY_MIN)
    _until_a_mark(market, recorder, every)  # the first reads all the bars
    rounds = []
    for turn in range(ROUNDS):
        say(f"{database}: round {turn + 1} of {ROUNDS}")
        rounds.append(_until_a_mark(market, recorder, every))
    say(f"{database}: from one mark to the next")
    shipped = int(stage_values(ScoringSettings())["evidence_every_min"])
    _every_so_often(shipped)
    whole = _until_a_mark(market, recorder, every, shipped)
    between = f"the {len(whole.ticks)} ticks from one mark to the next without, on average; at most {MOST_TIMES:g} times their time"
    dearest = f"a tick without, against the dearest while a mark is written; at most {MOST_TIMES:g} times its time"
    return [
        _stored(number, database, market.now),
        _compared(database, between, whole.besides / len(whole.ticks), whole.alone / len(whole.ticks)),
        _compared(database, dearest, *_dearest(rounds)),
    ]


def _every_so_often(minutes: float) -> None:
    ScoringSettings.objects.revise({"evidence_every_min": minutes}, None, "how often a mark is written")


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


def _spent() -> float:
    """Seconds of the processor that this process and the database's at its side have taken; of the clock where the latter cannot be told.
    A thing so short, measured by the clock, would be the measure of what else the machine does."""
    if connection.vendor != "postgresql":
        return time.process_time()
    try:
        theirs = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0]
    except OSError:
        return time.perf_counter()
    return time.process_time() + int(theirs) / 1e9


def _tick(market: Market) -> float:
    answers = market.answers()
    began = _spent()
    tick(answers, market.now)
    return _spent() - began


@dataclass(frozen=True, slots=True)
class Round:
    """From one mark to the next: seconds of the ticks alone, and of the looks after them."""

    ticks: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)

    @property
    def alone(self) -> float:
        return sum(self.ticks)

    @property
    def besides(self) -> float:
        return self.alone + sum(self.looks)


def _until_a_mark(market: Market, recorder: Recorder, every: EveryBar, minutes: int = EVERY_MIN) -> Round:
    """From the tick at a mark to that at the next: in between, the first is written."""
    found, written = Round(), 0
    for _ in range(int(minutes * 60 / INTERVAL.total_seconds())):
        found.ticks.append(_tick(market))
        if not market.now.second:
            record_bars(market.now)
        for look in range(LOOKS):
            began = _spent()
            at = market.now + timedelta(seconds=look * EVIDENCE_SEC)
            done = jobs.evidence(jobs.Work(at, nullcontext, StopFlag(), every=every, recorder=recorder))
            found.looks.append(_spent() - began)
            written += bool(done["mark"])
    if written != 1:
        raise RuntimeError(f"{written} marks were written where there is one")
    return found


def _dearest(rounds: Sequence[Round]) -> tuple[float, float]:
    """Seconds of a tick with those looks in a row, as many as fall into it, that take the longest; and of a tick without. Of each look
    and of the ticks the median over the rounds, so that what else the machine did in one of them says nothing."""
    looks = np.median([each.looks for each in rounds], axis=0)
    in_a_row = np.convolve(looks, np.ones(LOOKS), mode="valid")
    tick = float(np.median([each.ticks for each in rounds]))
    return tick + float(in_a_row.max()), tick


def _compared(database: str, against: str, ours: float, theirs: float) -> Line:
    ratio = ours / theirs
    told = round(ours * 1000, 1), round(theirs * 1000, 1), round(ratio, 2)
    return Line("evidence", database, against, "ms", *told, MOST_TIMES, ratio <= MOST_TIMES)


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
