"""The same bad input at every door: the console's form, `full_clean()`, and the database itself. Each of the first two says a sentence."""

import pytest
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from scoring.console_form import DraftForm, values_of
from scoring.models import EVERY_RANGE, RANGES, ScoringSettings
from scoring.tests.test_settings import CROSSED, insert

pytestmark = pytest.mark.django_db

NO_NUMBERS = ["", "0,5", "1,000", "abc", "1_000", "٣", "½", "１", "0y10", "--1", "+-1", "1.0.0", "1 000", "1e", "e5", ".", "-", "1;1"]
NO_NUMBERS += ["<b>1</b>", "null", "[]", "{}", "1/2", "50%", "$5", "1e400", "-1e400", "1e9999", "NaN", "nan", "-nan", "inf", "-inf"]
NO_NUMBERS += ["Infinity", "9" * 400, "1\u00a00", "\u22121"]
NUMBERS_OUT_OF_RANGE = [-1, -0.5, -1e-9, -1e300, 1e300, 1e13, float("nan"), float("inf"), -float("inf")]
BAD = [
    *((name, value) for name in ("ewma_alpha", "min_active_liquidity") for value in [*NO_NUMBERS, *NUMBERS_OUT_OF_RANGE]),
    *((name, bound) for name, (least, most) in RANGES.items() for bound in (least - 1, most + 1)),
]
WHOLE_ROWS = [({name: value}, name) for name, value in BAD]
WHOLE_ROWS += [(values, field) for values, field in CROSSED if field not in ("note",)]


def test_there_are_more_than_a_few():
    assert len(WHOLE_ROWS) >= 60
    assert len({str(value) for _, value in BAD}) >= 60


@pytest.mark.parametrize(("values", "field"), WHOLE_ROWS, ids=lambda value: str(value)[:40])
def test_it_is_refused_at_every_door(values, field):
    form = DraftForm({**values_of(ScoringSettings()), **{name: str(value) for name, value in values.items()}})
    assert len(form.errors[field][0]) > 10
    with pytest.raises(ValidationError) as refused:
        ScoringSettings(**values).full_clean()
    assert len(refused.value.message_dict[field][0]) > 10
    with pytest.raises((IntegrityError, DataError, ValueError, OverflowError)), transaction.atomic():
        insert(values)


@pytest.mark.parametrize(
    "edge",
    [
        {"min_score_keep_active": 11.999, "export_min_score": 11.999},
        {"score_model": "hybrid_momentum_fair", "min_score_keep_active": 0, "export_min_score": 99.9},
        {"degrade_checks": 721, "interval_active_sec": 30, "degrade_window_hours": 6},
        {"interval_active_sec": 180, "freshness_limit_sec": 180, "holders_freshness_sec": 180, "export_max_age_sec": 180},
        {"min_tx_count": 999_999, "activation_tx_margin": 1},
        {"weight_tx_accel": 0.1, "weight_vol_momentum": 0.7, "weight_holder_growth": 0.1, "weight_orderflow_imbalance": 0.1},
    ],
)
def test_what_just_fits_passes_every_door(edge):
    assert DraftForm({**values_of(ScoringSettings()), **edge}).errors == {}
    ScoringSettings(**edge).full_clean()
    insert(edge)


def test_every_setting_with_a_range_is_a_control_that_reads_plain_numbers_only():
    values = values_of(ScoringSettings())
    assert set(EVERY_RANGE) <= set(DraftForm(dict.fromkeys(values, "0,5")).errors)
