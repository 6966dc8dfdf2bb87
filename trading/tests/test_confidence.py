"""How far a judgement is to be believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.stage_parameters import STAGE_2
from trading.confidence import WEIGHTS, agreement, higher_agreement
from trading.judge_rule import JudgeRule
from trading.scenarios import SIDE_OF
from trading.tests.points import NAN, context, decided, levels, market, newest

trends = st.one_of(st.just(NAN), st.floats(-1, 1))


def test_the_weights_sum_to_one():
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


@given(seed=st.integers(0, 300))
def test_a_score_lies_between_0_and_1_and_is_there_where_a_scenario_is(seed):
    found = newest(market(seed, width=8, gaps=0.1))
    assert (np.isnan(found.score) == (found.scenario == 0)).all()
    assert not (found.score < 0).any()
    assert not (found.score > 1).any()


@given(minutes=trends, fives=trends, hours=trends, side=st.sampled_from([-1, 0, 1]))
def test_agreement_lies_between_0_and_1_and_turns_with_the_side(minutes, fives, hours, side):
    seen = context(trend_minutes=minutes, trend_fives=fives, trend_hours=hours)
    one, other = (agreement(seen, np.array([way], dtype=np.int8))[0] for way in (side, -side))
    if np.isnan([minutes, fives, hours]).all():
        assert np.isnan(one)
    else:
        assert 0 <= one <= 1
        assert side == 0 or one + other == pytest.approx(1)


def test_longer_bars_alone_are_asked_for_the_higher_agreement():
    seen = context(trend_minutes=-1.0, trend_fives=1.0, trend_hours=0.0)
    assert higher_agreement(seen, np.array([1], dtype=np.int8))[0] == 0.75


def test_missing_bars_lower_the_score():
    rising = {"trend_fives": 0.8, "trend_hours": 0.9, "adx": 40, "volatility": 0.9, "atr": 0.01}
    whole, half = (decided(context(**rising, missing=missing), levels()).score[0] for missing in (0.0, 0.5))
    assert half < whole


def test_a_side_speaks_for_its_scenario():
    found = newest(market(1, width=300))
    assert set(np.sign(found.side[found.side != 0])) == {1}
    assert (SIDE_OF[found.scenario][found.side > 0] >= 0).all()


def test_every_parameter_of_the_stage_is_a_field_of_the_rule_and_the_other_way_round():
    assert [parameter.name for parameter in STAGE_2] == [f"judge_{name}" for name in JudgeRule.__dataclass_fields__]


@pytest.mark.parametrize("parameter", STAGE_2, ids=lambda parameter: parameter.name)
def test_every_parameter_says_what_it_does_and_begins_in_its_range(parameter):
    assert parameter.least <= parameter.default <= parameter.most
    assert parameter.help.endswith(".")
    assert getattr(JudgeRule(), parameter.name.removeprefix("judge_")) == parameter.default


def test_a_rule_is_built_from_a_settings_revision():
    values = {parameter.name: parameter.default for parameter in STAGE_2} | {"judge_stop_atr": "2.5", "judge_short": 1, "prefilter_x": 3}
    assert JudgeRule.from_settings(values) == JudgeRule(stop_atr=2.5, short=True)
