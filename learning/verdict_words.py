"""The verdict in sentences, in the reader's language."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext as _

from learning.verdict.blocks import LEAST_BLOCKS, LEAST_SIGNALS, Figure
from learning.verdict.picks import ALL, Cut
from learning.verdict.questions import Question
from learning.verdict_report import Family
from tokens.cells import TITLES
from tokens.templatetags.figures import MINUS, UNKNOWN, age, count, percent

YES, REVERSED, NO, FEW = "yes", "reversed", "no", "few"
MONEY_FIRST = 5
SMALLEST_P = 0.0001


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict: of what kind it is, in a few words, and what they rest on."""

    kind: str
    short: str
    long: str


def answer(family: Family, predictor: str, horizon: int) -> Answer:
    """What can be said of a predictor: of the clearest horizon where something is claimed, else of the one asked for."""
    mine = [one for one in family.questions if one.predictor == predictor]
    enough = [one for one in mine if one.enough]
    if not enough:
        return _few([one for one in mine if one.horizon == horizon] or mine)
    clearest = min(enough, key=lambda one: (one.corrected, one.found.p))
    if clearest.claimed:
        if clearest.found.value > 0:
            return Answer(YES, _("Yes: tokens that stood higher by it went on to do better than the others."), rests_on(clearest, family))
        return Answer(
            REVERSED, _("Yes, but the other way round: tokens that stood higher by it went on to do worse."), rests_on(clearest, family)
        )
    told = next((one for one in enough if one.horizon == horizon), clearest)
    return Answer(NO, _("Not as far as can be told: what there is may well be chance."), rests_on(told, family))


def _few(asked: Sequence[Question]) -> Answer:
    signals, blocks = (asked[0].signals, asked[0].blocks) if asked else (0, 0)
    sentence = _("%(signals)s signals with an outcome, in %(blocks)s stretches of time; it takes %(least)s in %(stretches)s.")
    numbers = {"signals": count(signals), "blocks": blocks, "least": LEAST_SIGNALS, "stretches": LEAST_BLOCKS}
    return Answer(FEW, _("Too few to tell."), sentence % numbers)


def rests_on(question: Question, family: Family) -> str:
    sentence = _(
        "Rank correlation with the return of the next %(horizon)s: %(value)s, interval %(low)s … %(high)s; p %(p)s, corrected for "
        "%(questions)s questions. %(signals)s signals at %(marks)s marks tell as much as %(effective)s independent ones would."
    )
    found = question.found
    return sentence % {
        "horizon": horizon_name(question.horizon),
        "value": correlation(found.value),
        "low": correlation(found.low),
        "high": correlation(found.high),
        "p": chance(question.corrected),
        "questions": family.asked,
        "signals": count(question.signals),
        "marks": count(question.marks),
        "effective": count(min(question.effective, question.signals)),
    }


def money(cuts: Sequence[Cut], horizon: int) -> str:
    """What following it would have brought; empty where there are too few."""
    mine = next((cut for cut in cuts if cut.first == MONEY_FIRST), cuts[0] if cuts else None)
    every = next((cut for cut in cuts if cut.first == ALL), None)
    if mine is None or every is None or not mine.mean.known:
        return ""
    sentence = _(
        "In money: who had taken the first %(first)s of each mark had, after %(horizon)s and after costs, %(mean)s each on average "
        "(interval %(low)s … %(high)s); all tokens: %(all)s."
    )
    return sentence % {
        "first": mine.first,
        "horizon": horizon_name(horizon),
        "mean": percent(mine.mean.value),
        "low": percent(mine.mean.low),
        "high": percent(mine.mean.high),
        "all": percent(every.mean.value),
    }


def correlation(value: float) -> str:
    """+0.083, −0.012."""
    if math.isnan(value):
        return UNKNOWN
    text = f"{value:+.3f}".replace("-", MINUS)
    return text[1:] if not text.strip("+0.−") else text


def chance(p: float) -> str:
    """= 0.034, < 0.0001."""
    if math.isnan(p):
        return UNKNOWN
    return f"< {SMALLEST_P:.4f}" if p < SMALLEST_P else f"= {p:.2g}" if p < 0.1 else f"= {p:.2f}"


def with_interval(found: Figure, write: Callable[[float], str] = percent) -> str:
    """+3 % (−1 % … +7 %); without its interval where there are too few."""
    value = write(found.value)
    return f"{value} ({write(found.low)} … {write(found.high)})" if found.known else value


def name(predictor: str, labels: Mapping[str, Callable[[], str]]) -> str:
    """What a predictor is called."""
    if predictor == "score":
        return _("Score")
    if predictor == "stage2":
        return _("Stage 2")
    if predictor in TITLES:
        return _(TITLES[predictor])
    return labels[predictor]() if predictor in labels else predictor


def horizon_name(minutes: int) -> str:
    """15 m, 4 h."""
    return age(minutes * 60)


def day_text(day: int) -> str:
    """A day since 1970 as 2026-11-21."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def tenth(place: int, of: int) -> str:
    """The first tenth is 1; of yes or no only two parts are left."""
    if of == 2:
        return _("with it") if place else _("without it")
    return str(place + 1)


def first(number: int) -> str:
    return _("all") if number == ALL else str(number)


def told_of(question: Question) -> str:
    """What stands behind one figure of the table."""
    found = question.found
    numbers = {"signals": count(question.signals), "blocks": question.blocks}
    if not found.known:
        return _("too few to tell: %(signals)s signals in %(blocks)s stretches of time") % numbers
    numbers |= {"low": correlation(found.low), "high": correlation(found.high), "p": chance(question.corrected)}
    return _("%(low)s … %(high)s, p %(p)s; %(signals)s signals in %(blocks)s stretches of time") % numbers
