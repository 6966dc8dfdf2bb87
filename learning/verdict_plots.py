"""The plots of the verdict: which figures they show and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from learning.verdict.blocks import Figure
from learning.verdict.picks import ALL
from learning.verdict.questions import Stretch
from learning.verdict.tenths import Part
from learning.verdict_charts import Plot, Shown, plot
from learning.verdict_report import Detail, Family
from learning.verdict_wanted import Wanted
from learning.verdict_words import correlation, day_text, first, horizon_name, tenth, told_of, with_interval
from tokens.templatetags.figures import count, number, percent, share

SHOWN_DAYS = 31
LEAST_DOUBLED = 10  # of fewer there is no share worth drawing


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    text: str
    plot: Plot | None


def charts(detail: Detail, asked: Wanted) -> list[Chart]:
    horizon = {"horizon": horizon_name(asked.horizon)}
    all_cut = next((cut for cut in detail.cuts if cut.first == ALL), None)
    base, chance = ([all_cut.hit.value], [all_cut.precision.value]) if all_cut else ([], [])
    doubled = all_cut.twofolds if all_cut else 0
    calibration = detail.calibration
    return [
        Chart(
            _("Return by tenth, after costs, %(horizon)s") % horizon,
            _("The lowest tenth of each mark on the left, the highest on the right. Bars: means; a line across: the median."),
            plot([_of_tenth(part, len(detail.tenths)) for part in detail.tenths], percent, bars=True),
        ),
        Chart(
            _("Hit rate of the first K, %(horizon)s") % horizon,
            _("The share of picks that rose after costs. Dashed: of all tokens of the same marks."),
            plot([_shown(first(cut.first), cut.hit, share) for cut in detail.cuts if cut.first != ALL], share, base),
        ),
        Chart(
            _("Did 2×: precision by recall, %(horizon)s") % horizon,
            _("Of the first K, how many doubled at some time; across, how many of all that doubled were among them. Dashed: of all tokens.")
            if doubled >= LEAST_DOUBLED
            else _("Fewer than %(least)s of these signals doubled: nothing can be said of how they are found.") % {"least": LEAST_DOUBLED},
            plot(
                [_shown(first(cut.first), cut.precision, share, cut.recall.value) for cut in detail.cuts],
                share,
                chance,
                joined=True,
                across=_("recall"),
                named=True,
                write_across=share,
            )
            if doubled >= LEAST_DOUBLED
            else None,
        ),
        Chart(
            _("What a value meant, %(horizon)s") % horizon,
            _("The claimed chance of a rise, and how many rose; on the dashed line it would keep its word.")
            if calibration.claimed
            else _("The share that rose after costs, of signals with about this value. Dashed: of all. It claims no chance."),
            plot(
                [_shown(number(one.said), one.happened, share, one.said) for one in calibration.bins],
                share,
                [calibration.base.value] if not calibration.claimed else [],
                joined=True,
                across=_("claimed chance") if calibration.claimed else _("value"),
                slope=calibration.claimed,
                write_across=share if calibration.claimed else number,
            ),
        ),
        Chart(
            _("Rank correlation by day, %(horizon)s") % horizon,
            _("Does it hold every day, or was it one? Days with too few stretches of time have no interval."),
            plot([_of_stretch(day, day_text(day.name)[5:]) for day in detail.days[-SHOWN_DAYS:]], correlation, bars=True),
        ),
    ]


def decay(family: Family, asked: Wanted) -> Chart:
    mine = [one for one in family.questions if one.predictor == asked.predictor]
    shown = [Shown(horizon_name(one.horizon), one.found, told_of(one), "claimed" if one.claimed else "") for one in mine if one.enough]
    return Chart(
        _("Rank correlation over the horizons"),
        _("How long what it tells lasts: the mean over the marks, with its interval. In colour: claimed."),
        plot(shown, correlation, joined=True),
    )


def _shown(label: str, found: Figure, write: Callable[[float], str], at: float | None = None) -> Shown:
    return Shown(label, found, f"{label}: {with_interval(found, write)}", at=at)


def _of_tenth(part: Part, of: int) -> Shown:
    label = tenth(part.number, of)
    told = f"{label}: {with_interval(part.mean)}; {_('Median')} {with_interval(part.median)}"
    return Shown(label, part.mean, told, also=part.median.value)


def _of_stretch(stretch: Stretch, label: str) -> Shown:
    told = _("%(signals)s signals at %(marks)s marks") % {"signals": count(stretch.signals), "marks": count(stretch.marks)}
    return Shown(label, stretch.found, f"{label}: {with_interval(stretch.found, correlation)}; {told}")
