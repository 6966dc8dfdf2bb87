"""Every bad value is refused twice: by full_clean() with a sentence, and by the database whoever writes to it."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, models, transaction

from scoring.models import RANGES, ScoringSettings

pytestmark = pytest.mark.django_db

NAN, INF = float("nan"), float("inf")
NO_NUMBERS = [NAN, INF, -INF, None, "", " ", "0,5", "abc", "1e400", "-1e400", "NaN", "inf", "1_000", "٣", "0x10", "--1", "1.0.0", "1e9999"]
NO_NUMBERS += [
    True,
    False,
    [],
    {},
    b"1",
    1j,
    10**400,
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    "1" * 5000,
    "\x00",
    "½",
    "1 000",
]
WHOLE = [name for name in RANGES if isinstance(ScoringSettings._meta.get_field(name), models.IntegerField)]


def beyond(name):
    least, most = RANGES[name]
    return [least - 1, most + 1, -1e300, 1e300, least - 1e-6 if name not in WHOLE else least - 2, most * 10 + 1]


def bad_values(name):
    """All of them for one setting of each kind, for the others what differs by setting."""
    thorough = name in {"ewma_alpha", "min_tx_count"}
    return [*(NO_NUMBERS if thorough else (NAN, INF, "0,5", None)), *beyond(name), *([2.7] if name in WHOLE else [])]


def test_the_corpus_is_no_handful():
    assert sum(len(bad_values(name)) for name in RANGES) >= 200


@pytest.mark.parametrize("name", RANGES)
def test_full_clean_refuses_every_bad_value_with_a_sentence(name):
    for value in bad_values(name):
        with pytest.raises(ValidationError) as refused:
            ScoringSettings(**{name: value}).full_clean()
        assert refused.value.message_dict[name][0], value


@pytest.mark.parametrize("name", RANGES)
def test_the_database_refuses_what_gets_past_the_forms(name):
    for value in (NAN, INF, -INF, None, "", "0,5", "abc", "\x00", *beyond(name)):
        with pytest.raises((IntegrityError, DataError, ValueError)), transaction.atomic():
            insert({name: value})


def insert(values):
    """Past every model: one row of the defaults with some values of our own."""
    fields = [field for field in ScoringSettings._meta.concrete_fields if not field.primary_key]
    row = {field.name: field.get_default() for field in fields} | {"trigger_overrides": "{}"} | values
    names = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(fields))
        cursor.execute(f"INSERT INTO scoring_settings ({names}) VALUES ({places})", [row[field.name] for field in fields])


def test_the_defaults_themselves_get_past_both():
    before = ScoringSettings.objects.count()
    ScoringSettings().full_clean()
    insert({})
    assert ScoringSettings.objects.count() == before + 1


WEIGHTLESS = dict.fromkeys([name for name in RANGES if name.startswith("weight_")], 0)


@pytest.mark.parametrize(
    "values", [WEIGHTLESS, {"score_model": "os"}, {"score_model": ""}, {"degrade_mode": "sometimes"}, {"active": True}]
)
def test_the_database_knows_the_other_rules_too(values):
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        insert(values)


CROSSED = [
    (WEIGHTLESS, "weight_tx_accel"),
    ({"score_model": "hybrid_momentum_fair", "min_score_keep_active": -1}, "min_score_keep_active"),
    ({"score_model": "hybrid_momentum_fair", "min_score_keep_active": 100}, "min_score_keep_active"),
    ({"min_score_keep_active": 12}, "min_score_keep_active"),
    ({"min_score_keep_active": 13, "weight_tx_accel": 0.25}, "min_score_keep_active"),
    ({"degrade_checks": 100, "interval_active_sec": 600, "freshness_limit_sec": 600, "degrade_window_hours": 6}, "degrade_window_hours"),
    ({"freshness_limit_sec": 60, "interval_active_sec": 61}, "freshness_limit_sec"),
    ({"freshness_limit_sec": 600, "holders_freshness_sec": 599}, "holders_freshness_sec"),
    ({"min_tx_count": 1_000_000, "activation_tx_margin": 1}, "activation_tx_margin"),
    ({"judge_gaps_open": 0.5, "judge_gaps_close": 0.4}, "judge_gaps_close"),
    ({"judge_target_2_atr": 13}, "judge_target_3_atr"),
    ({"score_model": "os.system"}, "score_model"),
    ({"degrade_mode": "either"}, "degrade_mode"),
    ({"note": "x" * 301}, "note"),
]


@pytest.mark.parametrize(("values", "field"), CROSSED)
def test_values_that_do_not_go_together_are_refused_with_a_sentence(values, field):
    with pytest.raises(ValidationError) as refused:
        ScoringSettings(**values).full_clean()
    assert len(refused.value.message_dict[field][0]) > 10


@pytest.mark.parametrize(
    "values", [{"min_score_keep_active": 0, "score_model": "hybrid_momentum_fair"}, {"ewma_alpha": "0.5"}, {"ewma_alpha": 1}]
)
def test_good_values_at_the_edge_are_taken(values):
    ScoringSettings(**values).full_clean()
