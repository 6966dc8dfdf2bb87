"""What the page of the verdict prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from learning import verdict_report
from learning.registry import in_service
from learning.verdict.blocks import LEAST_BLOCKS, LEAST_SIGNALS
from learning.verdict.questions import CLAIM, LEAST_RANKED, Question
from learning.verdict.samples import HORIZONS, WAITING
from learning.verdict_charts import Cell, cells
from learning.verdict_plots import charts, decay
from learning.verdict_report import DAY_SEC, Family, Told
from learning.verdict_tables import tables
from learning.verdict_wanted import Wanted
from learning.verdict_words import answer, correlation, day_text, horizon_name, money, name, told_of
from scoring.settings_in_force import active_settings
from scoring.stage_columns import stage_values

MOST_DAYS, MOST_REVISIONS = 60, 40
STALE_MARKS = 2  # as many may be missing before the page says so


@dataclass(frozen=True, slots=True)
class Asked:
    """One question in its cell."""

    question: Question
    cell: Cell | None
    link: str
    current: bool

    @property
    def value(self) -> str:
        return correlation(self.question.found.value)

    @property
    def title(self) -> str:
        return told_of(self.question)


@dataclass(frozen=True, slots=True)
class Line:
    """A predictor and its questions, one a horizon."""

    name: str
    group: str
    asked: Sequence[Asked]


def context(asked: Wanted, now: datetime) -> dict[str, Any]:
    """All that the page prints."""
    told = verdict_report.told(asked.view, asked.predictor, asked.horizon, now)
    return {
        "now": now,
        "asked": {},  # the search of the header is another one
        "wanted": asked,
        "told": told,
        "horizon": horizon_name(asked.horizon),
        "predictor": name(asked.predictor, told.evidence.labels),
        "answer": answer(told.family, "score", asked.horizon),
        "other": answer(told.family, asked.predictor, asked.horizon) if asked.predictor != "score" else None,
        "money": money(told.detail.cuts, asked.horizon) if told.detail else "",
        "lines": lines(told.family, asked, told.evidence.labels),
        "charts": [decay(told.family, asked), *charts(told.detail, asked)] if told.detail else [],
        "tables": tables(told, asked),
        "choices": choices(told, asked),
        "least": {"signals": LEAST_SIGNALS, "stretches": LEAST_BLOCKS, "ranked": LEAST_RANKED, "claim": f"{CLAIM:g}"},
        **standing(told, now),
    }


def standing(told: Told, now: datetime) -> dict[str, Any]:
    """How the evidence stands: from when it is, what is still to come, and what is wrong with it."""
    evidence, every_min = told.evidence, int(stage_values(active_settings())["evidence_every_min"])
    settled = any((forward.state != WAITING).any() for sample in evidence.samples for forward in sample.forward.values())
    late_sec = 60 * every_min * (STALE_MARKS + 1)
    return {
        "since": _moment(evidence.since),
        "until": _moment(evidence.until),
        "every_min": every_min,
        "next_mark": next_mark(now, every_min),
        "settled": settled,
        "models": any(name.startswith("model:") for sample in evidence.samples for name in sample.predictors) or in_service().exists(),
        "first_due": _moment(verdict_report.first_due(evidence)),
        "late": verdict_report.late(evidence, now),
        "stale": every_min > 0 and evidence.until is not None and now.timestamp() - evidence.until > late_sec,
    }


def next_mark(now: datetime, every_min: int) -> datetime | None:
    """When the clock next says that evidence is to be stored; never, where that is switched off."""
    span = every_min * 60
    return _moment((int(now.timestamp()) // span + 1) * span) if span else None


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def choices(told: Told, asked: Wanted) -> dict[str, Any]:
    """What may be asked for: only what there is."""
    samples, labels = told.evidence.samples, told.evidence.labels
    days = sorted({day for sample in samples for day in np.unique(sample.at // DAY_SEC).tolist()}, reverse=True)[:MOST_DAYS]
    revisions = sorted({one for sample in samples for one in np.unique(sample.revision).tolist() if one}, reverse=True)[:MOST_REVISIONS]
    names = [predictor for sample in samples for predictor in sample.predictors]
    return {
        "horizons": [(horizon_name(minutes), asked.link(horizon=minutes), minutes == asked.horizon) for minutes in HORIZONS],
        "predictors": [(predictor, name(predictor, labels), predictor == asked.predictor) for predictor in names],
        "days": [(text, text == asked.day) for text in map(day_text, days)],
        "revisions": [(pk, pk == asked.revision) for pk in revisions],
    }


def lines(family: Family, asked: Wanted, labels: Mapping[str, Callable[[], str]]) -> list[Line]:
    """Every question, all on one scale."""
    drawn = cells([one.found for one in family.questions])
    rows: dict[str, list[Asked]] = {}
    for one, cell in zip(family.questions, drawn, strict=True):
        current = (one.predictor, one.horizon) == (asked.predictor, asked.horizon)
        link = asked.link(predictor=one.predictor, horizon=one.horizon)
        rows.setdefault(one.predictor, []).append(Asked(one, cell, link, current))
    return [Line(name(predictor, labels), predictor.partition(":")[0], cells_of) for predictor, cells_of in rows.items()]
