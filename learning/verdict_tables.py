"""The tables of the verdict, as they stand on the page and as files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from learning.verdict.blocks import Figure
from learning.verdict.picks import Cut
from learning.verdict.questions import Question, Stretch
from learning.verdict.tenths import Part
from learning.verdict_report import Detail, Told
from learning.verdict_wanted import Wanted
from learning.verdict_words import correlation, day_text, first, tenth, with_interval
from tokens.templatetags.figures import count, number, share


@dataclass(frozen=True, slots=True)
class Table:
    """As it stands on the page; the same as a file is at `link`."""

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str
    link: str


def tables(told: Told, asked: Wanted) -> list[Table]:
    detail = told.detail
    if detail is None:
        return []
    parts = len(detail.tenths)
    return [
        Table(
            "tenths",
            _("By tenth"),
            [_("Tenth"), _("Values"), _("Signals"), _("Dead"), _("Mean return"), _("Median"), _("Rose"), _("Did 2×")],
            [
                [
                    tenth(part.number, parts),
                    f"{number(part.low)} … {number(part.high)}",
                    count(part.signals),
                    count(part.dead),
                    with_interval(part.mean),
                    with_interval(part.median),
                    with_interval(part.up, share),
                    with_interval(part.twofold, share),
                ]
                for part in detail.tenths
            ],
            _("Returns after costs. “Did 2×”: the price doubled at some time before the end, before costs."),
            f"tenths.csv{asked.link()}",
        ),
        Table(
            "picks",
            _("The first few of each mark"),
            [_("First"), _("Picks"), _("Not looked at"), _("Hit rate"), _("Lift"), _("Mean return"), _("Did 2×: precision"), _("Recall")],
            [
                [
                    first(cut.first),
                    count(cut.picks),
                    count(cut.unseen),
                    with_interval(cut.hit, share),
                    with_interval(cut.lift, _times),
                    with_interval(cut.mean),
                    with_interval(cut.precision, share),
                    with_interval(cut.recall, share),
                ]
                for cut in detail.cuts
            ],
            _("Hit: the return after costs is above zero. Lift: against all tokens of the same marks."),
            f"picks.csv{asked.link()}",
        ),
        Table(
            "calibration",
            _("What a value meant"),
            [_("Claimed") if detail.calibration.claimed else _("Value"), _("Signals"), _("Rose")],
            [[number(one.said), count(one.signals), with_interval(one.happened, share)] for one in detail.calibration.bins],
            _brier(detail),
            f"calibration.csv{asked.link()}",
        ),
        _stretches("days", _("By day"), _("Day (UTC)"), [(day_text(one.name), one) for one in reversed(detail.days)], asked),
        _stretches("revisions", _("By settings revision"), _("Revision"), [(f"#{one.name}", one) for one in detail.revisions], asked),
    ]


def _stretches(name: str, title: str, head: str, found: Sequence[tuple[str, Stretch]], asked: Wanted) -> Table:
    rows = [[label, with_interval(one.found, correlation), count(one.signals), count(one.marks), count(one.blocks)] for label, one in found]
    heads = [head, _("Rank correlation"), _("Signals"), _("Marks"), _("Stretches of time")]
    text = _("Not corrected and nothing claimed: it shows where an answer comes from. Too few have no interval.")
    return Table(name, title, heads, rows, text, f"{name}.csv{asked.link()}")


def _brier(detail: Detail) -> str:
    calibration = detail.calibration
    if not calibration.claimed:
        return _("Bins of about equal size, over all marks together.")
    sentence = _("Brier score %(brier)s (0.25 is a coin); claimed and happened lie %(error)s apart on average.")
    return sentence % {"brier": with_interval(calibration.brier, number), "error": share(calibration.error)}


def _times(value: float) -> str:
    return f"{number(value)}×" if math.isfinite(value) else number(value)


# The same as files: plain numbers, nothing rounded, an empty cell where something is not known

FILES = ("questions", "tenths", "picks", "calibration", "days", "revisions")


def file_of(table: str, told: Told) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    """The head and the rows of one table. Each figure has three columns: itself and the ends of its interval."""
    detail = told.detail
    if table == "questions":
        after = ("p", "p_holm", "signals", "marks", "stretches", "effective", "claimed")
        return _head("predictor", "horizon_min", figures=["rank_correlation"], after=after), map(_question, told.family.questions)
    if table == "tenths":
        head = _head("part", "low", "high", "signals", "dead", figures=["mean_net", "median_net", "rose", "twofold"])
        return head, map(_part, detail.tenths if detail else ())
    if table == "picks":
        head = _head("first", "picks", "unseen", figures=["hit_rate", "lift", "mean_net", "precision", "recall"])
        return head, map(_cut, detail.cuts if detail else ())
    if table == "calibration":
        bins = detail.calibration.bins if detail else ()
        head = _head("claimed" if detail and detail.calibration.claimed else "value", "signals", figures=["rose"])
        return head, ([one.said, one.signals, *_numbers(one.happened)] for one in bins)
    found = (detail.days if table == "days" else detail.revisions) if detail else ()
    names = day_text if table == "days" else str
    head = _head("day" if table == "days" else "revision", figures=["rank_correlation"], after=("signals", "marks", "stretches"))
    return head, ([names(one.name), *_numbers(one.found), one.signals, one.marks, one.blocks] for one in found)


def _head(*before: str, figures: Sequence[str], after: Sequence[str] = ()) -> list[str]:
    return [*before, *(name + end for name in figures for end in ("", "_low", "_high")), *after]


def _question(one: Question) -> list[Any]:
    sizes = (one.signals, one.marks, one.blocks)
    chances = (_known(one.found.p), _known(one.corrected))
    return [one.predictor, one.horizon, *_numbers(one.found), *chances, *sizes, _known(one.effective), one.claimed]


def _part(part: Part) -> list[Any]:
    figures = _numbers(part.mean, part.median, part.up, part.twofold)
    return [part.number + 1, part.low, part.high, part.signals, part.dead, *figures]


def _cut(cut: Cut) -> list[Any]:
    return [cut.first or "all", cut.picks, cut.unseen, *_numbers(cut.hit, cut.lift, cut.mean, cut.precision, cut.recall)]


def _numbers(*figures: Figure) -> list[float | None]:
    return [_known(value) for found in figures for value in (found.value, found.low, found.high)]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
