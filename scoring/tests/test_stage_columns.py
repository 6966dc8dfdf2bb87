"""The parameters of the stages as columns: one for each, typed, bounded, and the same at every door."""

import math
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from scoring.models import ScoringSettings, TokenScore
from scoring.stage_columns import STAGE_RANGES, stage_values
from scoring.stage_parameters import PARAMETERS, built, default_of
from scoring.tests.rows import make_token

BAD = (math.nan, math.inf, -math.inf, 1e400, "0,5", "", "many", None, True)
NUMBERS = [parameter for parameter in PARAMETERS if parameter.kind != "switch"]


def test_every_parameter_says_what_it_does_and_lies_in_its_range() -> None:
    assert len({parameter.name for parameter in PARAMETERS}) == len(PARAMETERS)
    for parameter in PARAMETERS:
        assert parameter.least <= parameter.default <= parameter.most, parameter.name
        assert len(parameter.help) > 10, parameter.name


@pytest.mark.django_db
def test_a_new_revision_has_the_defaults() -> None:
    assert stage_values(ScoringSettings.objects.get(active=True)) == {p.name: default_of(p.name) for p in PARAMETERS}


@pytest.mark.django_db
def test_a_revision_that_has_scored_keeps_the_cost_it_judged_at(now) -> None:
    older = ScoringSettings.objects.revise({"judge_round_trip_cost": 0.02}, None, "as it was")
    TokenScore.objects.create(token=make_token(now), ts=now, settings=older)
    import_module("scoring.migrations.0016_exchange_costs").judged_as_filled(apps, None)
    older.refresh_from_db()
    assert older.judge_round_trip_cost == 0.02


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_number_is_refused_with_a_sentence(bad: Any) -> None:
    for parameter in NUMBERS:
        with pytest.raises(ValidationError) as refusal:
            ScoringSettings(**{parameter.name: bad}).clean_fields()
        assert refusal.value.message_dict[parameter.name][0].endswith(".")


def test_what_is_out_of_range_is_refused() -> None:
    for name, (least, most) in STAGE_RANGES.items():
        for beyond in (least - 1, most + 1):
            with pytest.raises(ValidationError):
                ScoringSettings(**{name: beyond}).clean_fields()


@pytest.mark.django_db
def test_the_database_refuses_it_too() -> None:
    for name, (least, most) in STAGE_RANGES.items():
        for beyond in (least - 1, most + 1):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE scoring_settings SET {name} = %s", [beyond])


@pytest.mark.parametrize("overrides", [[], "x", {"state:nowhere": {}}, {"state:range": {"trigger_volume_z": -1}}, {"everybody": {}}])
def test_exceptions_that_mean_nothing_are_refused(overrides: Any) -> None:
    with pytest.raises(ValidationError):
        ScoringSettings(trigger_overrides=overrides).clean_fields()


@pytest.mark.django_db
def test_a_revision_carries_the_stages_along() -> None:
    overrides = {"state:high_vol": {"trigger_volume_z": 4.0}}
    ScoringSettings.objects.revise({"paper_most_open": 7, "trigger_overrides": overrides}, None, "more places")
    revision = ScoringSettings.objects.revise({"ewma_alpha": 0.5}, None, "smoother")
    assert (revision.paper_most_open, revision.trigger_overrides) == (7, overrides)


def test_a_rule_takes_from_the_settings_what_it_has_a_field_for() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Rule:
        most_open: int = 0
        something: str = "else"

    assert built(Rule, {"paper_most_open": 4.0}, "paper_") == Rule(4, "else")
