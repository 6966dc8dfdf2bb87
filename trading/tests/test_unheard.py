"""Triggers that led to no alert: by the functions of the live cycle, and each with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from scoring.models import ScoringSettings
from trading.asset_chart import _unheard
from trading.models import Judgement
from trading.names import Unheard
from trading.pipeline import Memory, StageRules, decide
from trading.reasons import CoFiring
from trading.tests.moods import EAGER, moody
from trading.tests.test_run import BEGIN, live, market
from trading.tests.test_run import EAGER as VERY_EAGER
from trading.unheard import Event, events

RULES = StageRules.from_settings(EAGER)
GRID = moody(600, 1)
FIRST = 100


def found(judged: list[int] | None = None, rules: StageRules = RULES) -> list[Event]:
    return events(GRID, "1", rules, CoFiring.nothing_seen(), FIRST, judged or [])


def test_what_led_to_no_alert_is_told_with_what_was_missing() -> None:
    decided = decide(GRID, RULES, Memory.empty(1), first_row=FIRST)
    row = {int(end): place for place, end in enumerate(GRID.open_time + 60)}
    told = [event for event in found() if event.why != Unheard.NOT_JUDGED]
    assert len(told) > 10
    for event in told:
        at = row[event.end]
        assert all(decided.fired.on[name][at, 0] and not decided.fired.on[name][at - 1, 0] for name in event.triggers)
        assert not decided.alerts.on[at : at + RULES.alert.reason_bars].any()
        assert event.effective == decided.alerts.effective[at, 0]
        assert (event.why == Unheard.TOO_FEW) == (event.effective < RULES.alert.least_effective)


def test_an_alert_in_which_nothing_was_judged_is_told_once() -> None:
    decided = decide(GRID, RULES, Memory.empty(1), first_row=FIRST)
    begins = (GRID.open_time + 60)[FIRST:][decided.alerts.begins[FIRST:, 0]].tolist()
    silent = [event.end for event in found() if event.why == Unheard.NOT_JUDGED]
    assert silent == begins != []
    assert [event.end for event in found(begins[:2]) if event.why == Unheard.NOT_JUDGED] == begins[2:]


def test_where_it_moves_too_little_that_is_the_reason() -> None:
    calm = replace(RULES, thresholds=replace(RULES.thresholds, atr_low=0.5), alert=replace(RULES.alert, least_effective=0.5))
    assert {event.why for event in found(rules=calm)} >= {Unheard.TOO_CALM}


def test_nothing_of_the_future_changes_it() -> None:
    before = [event for event in found() if event.end <= int(GRID.open_time[500])]
    until = GRID.rows(slice(0, 500 + RULES.alert.reason_bars))
    again = events(until, "1", RULES, CoFiring.nothing_seen(), FIRST, [])
    assert [event for event in again if event.end <= int(GRID.open_time[500])] == before


@pytest.mark.django_db
def test_the_chart_has_those_of_the_time_in_which_the_stages_looked() -> None:
    ScoringSettings.objects.revise(VERY_EAGER, None, "trades a lot")
    token = market(10, 2)[0]
    token.activated_at = BEGIN
    since = BEGIN + timedelta(hours=9)
    live(since, 20)
    points = _unheard(token, BEGIN.timestamp(), (BEGIN + timedelta(hours=10)).timestamp())
    assert points
    assert all(since.timestamp() <= point["ts"] <= (since + timedelta(minutes=20)).timestamp() for point in points)
    judged = {ts.timestamp() for ts in Judgement.objects.filter(token=token).values_list("ts", flat=True)}
    assert not judged & {point["ts"] for point in points}
    assert all(" → no alert: " in point["text"] or " → an alert that was not judged" in point["text"] for point in points)


@pytest.mark.django_db
def test_of_an_asset_that_nobody_looked_at_nothing_is_told() -> None:
    token = market(1, 1)[0]
    assert _unheard(token, BEGIN.timestamp(), BEGIN.timestamp() + 3600) == []
