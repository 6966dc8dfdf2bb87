"""Why a score differs: the steps sum to the difference, and each says what it should."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.attribution import Scored, attribute
from scoring.metrics import METRICS
from scoring.models import ScoringSettings, TokenScore
from scoring.run import score_tokens
from scoring.tests.rows import make_token, see

FIGURES = st.fixed_dictionaries(
    {
        "tx_count_5m": st.integers(0, 400) | st.none(),
        "volume_5m": st.floats(1, 9000) | st.none(),
        "buys_volume_5m": st.floats(0, 1e5) | st.none(),
        "liquidity": st.floats(0, 1e6),
    }
)


def stored(token, at):
    row = TokenScore.objects.select_related("settings").get(token=token, ts=at)
    return Scored(row.score or 0.0, row.components, row.settings.score_model)


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["hybrid_momentum", "hybrid_momentum_fair"])
@given(first=FIGURES, second=FIGURES, weight=st.floats(0.01, 3))
def test_the_steps_sum_to_the_difference_whatever_the_figures(model, first, second, weight):
    from datetime import UTC, datetime

    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    TokenScore.objects.all().delete()
    token = make_token(now, name=f"T{TokenScore.objects.count()}{id(first)}")
    score_with(model, token, now, first, 0.25)
    score_with(model, token, now + timedelta(seconds=40), second, weight)
    found = attribute(stored(token, now), stored(token, now + timedelta(seconds=40)))
    assert sum(found.steps.values()) == pytest.approx(found.difference, abs=1e-9)
    token.delete()


def score_with(model, token, at, figures, weight):
    keep = 20 if model.endswith("fair") else 0.1
    revision = ScoringSettings.objects.revise(
        {"score_model": model, "weight_tx_accel": weight, "min_score_keep_active": keep}, None, "test"
    )
    see(token, at, **figures)
    score_tokens(at, revision)


def parts(smoothed, raw=None, weight=0.25, **changed):
    """A stored score of a token whose four metrics all are as said."""
    raw = smoothed if raw is None else raw
    part = {"raw": raw, "smoothed": smoothed, "weight": weight, "contribution": weight * smoothed}
    components = {name: {**part, **changed.get(name, {})} for name in METRICS}
    score = sum(part["contribution"] or 0.0 for part in components.values())
    return Scored(score, components, "hybrid_momentum")


def test_one_moved_metric_is_the_whole_difference():
    moved = parts(1.0, tx_accel={"raw": 2.0, "smoothed": 2.0, "contribution": 0.5})
    steps = attribute(parts(1.0), moved).steps
    assert {name: step for name, step in steps.items() if abs(step) > 1e-12} == {"tx_accel": 0.25}


def test_what_is_not_felt_yet_is_held_back_by_the_smoothing():
    moved = parts(1.0, tx_accel={"raw": 2.0, "smoothed": 1.3, "contribution": 0.325})
    steps = attribute(parts(1.0), moved).steps
    assert steps["tx_accel"] == pytest.approx(0.25)
    assert steps["smoothing"] == pytest.approx(-0.175)


def test_a_changed_weight_is_settings_and_a_metric_that_fell_away_is_a_gap():
    assert attribute(parts(1.0), parts(1.0, weight=0.5)).steps["settings"] == pytest.approx(1.0)
    third = 1 / 3
    others = {name: {"contribution": third * 2} for name in METRICS[1:3]}
    without = parts(
        2.0, tx_accel={"contribution": None, "raw": None}, orderflow_imbalance={"smoothed": 1.0, "contribution": third}, **others
    )
    whole = parts(2.0, orderflow_imbalance={"smoothed": 1.0, "contribution": 0.25})
    assert attribute(whole, without).steps["gaps"] == pytest.approx(without.score - whole.score)


def test_scores_of_two_models_differ_by_settings_alone():
    other = Scored(50.0, {}, "hybrid_momentum_fair")
    assert attribute(parts(1.0), other).steps == {"settings": 49.0}
