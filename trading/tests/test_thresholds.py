"""Exceptions for a market state, and for one token."""

from dataclasses import fields

import numpy as np
import pytest

from scoring.stage_parameters import STAGE_1, default_of
from trading.market_state import STATES
from trading.names import MarketState
from trading.thresholds import OVERRIDABLE, PREFIX, Thresholds, in_force, of_tokens, overrides_problems

HIGH_VOL, RANGE = STATES.index(MarketState.HIGH_VOL), STATES.index(MarketState.RANGE)
FINE = {
    "state:high_vol": {"trigger_volume_z": 4.0, "trigger_vwap_on": False},
    "token:BTC": {"trigger_volume_z": 2, "trigger_atr_high": 0.01},
}


def test_what_is_right_has_no_problems() -> None:
    assert overrides_problems(FINE) == []
    assert overrides_problems({}) == []


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ([], "Exceptions are an object"),
        ({"state:wild": {}}, "“state:wild”: the market states are unknown, range, trend, high_vol."),
        ({"token:": {}}, "“token:” is neither “state:NAME” nor “token:ADDRESS”."),
        ({"BTC": {}}, "“BTC” is neither"),
        ({"token:BTC": 3}, "“token:BTC” must hold an object of names and numbers."),
        ({"token:BTC": {"volume_z": 3}}, "volume_z is not a threshold of a trigger."),
        ({"token:BTC": {"judge_near_atr": 3}}, "judge_near_atr is not a threshold of a trigger."),
        ({"token:BTC": {"trigger_volume_window": 20}}, "trigger_volume_window is the same for all."),
        ({"token:BTC": {"trigger_alert_least_effective": 2}}, "trigger_alert_least_effective is the same for all."),
        ({"token:BTC": {"trigger_volume_z": "3"}}, "trigger_volume_z must be a number."),
        ({"token:BTC": {"trigger_volume_z": True}}, "trigger_volume_z must be a number."),
        ({"token:BTC": {"trigger_volume_z": float("nan")}}, "trigger_volume_z must be a number."),
        ({"token:BTC": {"trigger_volume_z": 0.1}}, "trigger_volume_z must lie between 0.5 and 50."),
        ({"token:BTC": {"trigger_vwap_on": 1}}, "trigger_vwap_on is true or false."),
        ({"state:trend": {"trigger_atr_high": 0.1}}, "trigger_atr_high decides the market state, so it cannot depend on it."),
        ({f"token:{number}": {} for number in range(201)}, "There are 201 exceptions; 200 are the most."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(overrides: object, sentence: str) -> None:
    problems = overrides_problems(overrides)
    assert len(problems) == 1
    assert sentence in problems[0]


def test_a_state_has_its_own_numbers_and_a_token_has_the_last_word() -> None:
    code = np.array([[RANGE, RANGE], [HIGH_VOL, HIGH_VOL]], dtype=np.int8)
    found = in_force(Thresholds(volume_z=3.0), FINE, ["BTC", "PEPE"], code)
    assert found.volume_z.tolist() == [[2.0, 3.0], [2.0, 4.0]]
    assert found.vwap_on.tolist() == [[True, True], [False, False]]
    assert found.atr_high.tolist() == [0.01, default_of("trigger_atr_high")]


def test_what_nobody_excepts_stays_one_number() -> None:
    found = in_force(Thresholds(), {}, ["BTC"], np.zeros((2, 1), dtype=np.int8))
    assert found == Thresholds()
    assert of_tokens(Thresholds(), FINE, ["PEPE"]) == Thresholds()


def test_every_number_of_a_trigger_is_a_parameter_and_the_other_way_round() -> None:
    mine = {PREFIX + field.name for field in fields(Thresholds)}
    declared = {parameter.name for parameter in STAGE_1 if parameter.name.startswith(PREFIX)}
    assert {name for name in declared - mine if not name.startswith(("trigger_alert_", "trigger_state_"))} == set()
    assert mine <= declared
    assert set(OVERRIDABLE) < mine
    assert all(getattr(Thresholds(), name.removeprefix(PREFIX)) == default_of(name) for name in mine)


def test_the_thresholds_are_built_from_the_settings() -> None:
    found = Thresholds.from_settings({"trigger_volume_z": 5, "trigger_volume_window": 30.0, "trigger_vwap_on": 0})
    assert (found.volume_z, found.volume_window, found.vwap_on) == (5.0, 30, False)


def test_where_the_gates_are_off_there_is_no_high_gate() -> None:
    own = of_tokens(Thresholds(), {"token:BTC": {"trigger_atr_gates_on": False}}, ["BTC", "PEPE"])
    assert own.high_gate.tolist() == [np.inf, default_of("trigger_atr_high")]
