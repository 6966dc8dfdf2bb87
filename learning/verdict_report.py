"""The verdict of one view of the evidence, worked out once for everybody who asks the same until there is more to go by.

Work that took a second is not done again within a minute, however fast outcomes come; the page says as of when it speaks.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from django.db.models import Max
from django.utils import timezone

from learning import verdict_rows
from learning.models import Outcome, Signal
from learning.verdict import questions
from learning.verdict.calibration import Calibration, calibrated
from learning.verdict.picks import Cut, cuts
from learning.verdict.questions import Question, Stretch
from learning.verdict.samples import HORIZONS, WAITING, Counts, Predictor, Sample, counts
from learning.verdict.tenths import Part, by_tenth
from learning.verdict_rows import Evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_SEC = 86_400
LONGEST_SEC = 600  # so old an answer may get though no newer signal or outcome tells that there is more
REST = 60  # times as long as reading and answering took, before it is done again
ANSWERS_KEPT = 60
LATE_SEC = 600

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class View:
    """Which signals: those of one revision of the settings, of one day (since 1970), or all."""

    revision: int | None = None
    day: int | None = None


@dataclass(frozen=True, eq=False)
class Family:
    """All questions of one view, answered together."""

    samples: Sequence[Sample]
    questions: Sequence[Question]

    def of(self, predictor: str, horizon: int) -> Question | None:
        return next((one for one in self.questions if (one.predictor, one.horizon) == (predictor, horizon)), None)

    @property
    def asked(self) -> int:
        """How many have an answer: what the p-values are corrected for."""
        return sum(1 for one in self.questions if one.enough)


@dataclass(frozen=True, eq=False)
class Detail:
    """One predictor at one horizon."""

    counts: Counts
    tenths: Sequence[Part]
    cuts: Sequence[Cut]
    calibration: Calibration
    days: Sequence[Stretch]
    revisions: Sequence[Stretch]


@dataclass(frozen=True, eq=False)
class Told:
    """What the page tells. `detail` is None where nobody asks for a predictor that there is."""

    evidence: Evidence
    family: Family
    detail: Detail | None
    read_at: datetime


@dataclass
class _Read:
    """One reading of the evidence, and what has been worked out from it."""

    evidence: Evidence
    version: object
    at: datetime
    ended: float = field(default_factory=time.monotonic)
    cost: float = 0.0
    answers: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    answering: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Kept:
    reading: threading.Lock = field(default_factory=threading.Lock)
    last: _Read | None = None


_kept = _Kept()


def forget() -> None:
    """As a process that has just started."""
    global _kept
    _kept = _Kept()


def version() -> tuple[int, int, int]:
    """Changes when there is more to go by. Two looks at the end of an index."""
    newest = (table.objects.aggregate(newest=Max("pk"))["newest"] or 0 for table in (Signal, Outcome))
    signal, outcome = newest
    return signal, outcome, int(timezone.now().timestamp()) // LONGEST_SEC


def told(view: View, predictor: str, horizon: int, now: datetime) -> Told:
    """What is asked for, from what was read last."""
    read = _present(now)
    with read.answering:
        family = _once(read, view, lambda: _family(read.evidence, view))
        detail = _once(read, (view, predictor, horizon), lambda: _detail(family, predictor, horizon))
    return Told(read.evidence, family, detail, read.at)


def _present(now: datetime) -> _Read:
    """Read by one thread; while it reads, the others go on with what was read before, if anything was."""
    last, present = _kept.last, version()
    if last is not None and (last.version == present or not _rested(last)):
        return last
    mine = _kept.reading.acquire(blocking=last is None)
    try:
        if not mine or _kept.last is not last:
            return _kept.last or _read(present, now)
        _kept.last = _read(present, now)
        return _kept.last
    finally:
        if mine:
            _kept.reading.release()


def _rested(last: _Read) -> bool:
    return not last.evidence.stored or time.monotonic() - last.ended >= min(REST * last.cost, LONGEST_SEC)


def _read(present: object, now: datetime) -> _Read:
    began = time.monotonic()
    evidence = verdict_rows.read(now)
    return _Read(evidence, present, now, cost=time.monotonic() - began)


def _once(read: _Read, key: Hashable, work: Callable[[], Found]) -> Found:
    """Kept as long as the reading; the longest unused go first."""
    if key not in read.answers:
        began = time.monotonic()
        read.answers[key] = work()
        read.ended = time.monotonic()
        read.cost += read.ended - began
        while len(read.answers) > ANSWERS_KEPT:
            read.answers.popitem(last=False)
    read.answers.move_to_end(key)
    found: Found = read.answers[key]
    return found


def _family(evidence: Evidence, view: View) -> Family:
    samples = [sample for sample in (seen_in(sample, view) for sample in evidence.samples) if sample.at.size]
    return Family(samples, questions.family(samples))


def seen_in(sample: Sample, view: View) -> Sample:
    rows = np.ones(sample.at.size, dtype=bool)
    if view.revision is not None:
        rows &= sample.revision == view.revision
    if view.day is not None:
        rows &= sample.at // DAY_SEC == view.day
    return sample.where(rows)


def _detail(family: Family, name: str, horizon: int) -> Detail | None:
    sample = next((one for one in family.samples if name in one.predictors), None)
    if sample is None:
        return None
    predictor = sample.predictors[name]
    return Detail(
        counts(sample, horizon),
        by_tenth(sample, predictor, horizon),
        cuts(sample, predictor, horizon),
        calibrated(sample, predictor, horizon),
        questions.apart(sample, predictor, horizon, sample.mark_at // DAY_SEC),
        _by_revision(sample, predictor, horizon),
    )


def _by_revision(sample: Sample, predictor: Predictor, horizon: int) -> list[Stretch]:
    """A mark has one revision, that of its first signal."""
    first: NDArray[np.int64] = np.searchsorted(sample.mark, np.arange(sample.marks))
    return questions.apart(sample, predictor, horizon, sample.revision[first])


def first_due(evidence: Evidence) -> int | None:
    """When the first outcome of what was read can be there, seconds since 1970."""
    return None if evidence.since is None else evidence.since + HORIZONS[0] * 60


def late(evidence: Evidence, now: datetime) -> int:
    """How many outcomes should have been settled ten minutes ago and are not."""
    moment = now.timestamp() - LATE_SEC
    return sum(
        int(((sample.forward[horizon].state == WAITING) & (sample.at + 60 * horizon < moment)).sum())
        for sample in evidence.samples
        for horizon in HORIZONS
    )
