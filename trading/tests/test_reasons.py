"""Reasons that always come together are one reason, and an alert needs more than one."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.names import FAMILY_OF, STRONG, Trigger
from trading.reasons import TRIGGERS, AlertRule, CoFiring, alert, effective_number, effective_of
from trading.triggers import Fired
from trading.triggers.firing import nothing_fired

RULE = AlertRule(least_effective=1.6)
MEASURED = replace(RULE, prior_firings=1e-9, half_life_bars=1e12, reason_bars=1)  # what was seen, and nothing else
NOTHING = CoFiring.nothing_seen()
SIDES = {"_down": -1, "_flat": 0, "": 1}
VOLUME, BREAKOUT, NEAR, VWAP, WIDE = (
    Trigger.VOLUME_SPIKE,
    Trigger.BREAKOUT,
    Trigger.NEAR_LEVEL,
    Trigger.VWAP_DEVIATION,
    Trigger.VOLATILITY_SPIKE,
)


def fired(bars: int, low_atr: bool = False, **rows: list[int]) -> Fired:
    """One token. `volume_spike=[3, 5]` fired at rows 3 and 5 for a rise; `…_down` for a fall; `…_flat` for neither."""
    shape = (bars, 1)
    found = nothing_fired(shape, np.ones(shape, dtype=bool), np.full(shape, 0.01), np.full(shape, low_atr), np.zeros(shape, dtype=bool))
    for name, at in rows.items():
        trigger, side = next((Trigger(name.removesuffix(end)), sign) for end, sign in SIDES.items() if name.endswith(end))
        found.on[trigger][at] = True
        found.direction[trigger][at] = side
    return found


def counted(seed: int, bars: int = 20_000, **always_with: str) -> CoFiring:
    """Triggers that fire independently, a tenth of the time; some only with another."""
    random = np.random.default_rng(seed)
    firing = fired(bars)
    for name in TRIGGERS:
        firing.on[name][:, 0] = random.random(bars) < 0.1
    for name, other in always_with.items():
        firing.on[Trigger(name)][:] = firing.on[Trigger(other)]
    return NOTHING.seen(firing, MEASURED)


# The effective number


dependences = st.integers(1, 6).flatmap(
    lambda size: st.lists(st.floats(0, 1), min_size=size * size, max_size=size * size).map(
        lambda flat: symmetric(np.reshape(flat, (size, size)))
    )
)


def symmetric(square: np.ndarray) -> np.ndarray:
    both = np.maximum(np.triu(square, 1), np.triu(square, 1).T)
    np.fill_diagonal(both, 1.0)
    return both


@given(dependences)
def test_it_lies_between_one_and_their_number(dependence: np.ndarray) -> None:
    assert 1 - 1e-9 <= effective_number(dependence) <= len(dependence) + 1e-9


@pytest.mark.parametrize("size", range(1, 9))
def test_independent_reasons_count_in_full_and_identical_ones_once(size: int) -> None:
    assert effective_number(np.eye(size)) == pytest.approx(size)
    assert effective_number(np.ones((size, size))) == 1.0


@given(st.integers(1, 8), st.floats(0, 0.99))
def test_among_equally_dependent_ones_it_is_the_design_effect(size: int, dependence: float) -> None:
    found = effective_number(np.full((size, size), dependence) + (1 - dependence) * np.eye(size))
    assert found == pytest.approx(size / (1 + (size - 1) * dependence), rel=1e-6)


@given(dependences)
def test_a_further_reason_never_lowers_it(dependence: np.ndarray) -> None:
    numbers = [effective_number(dependence[:size, :size]) for size in range(1, len(dependence) + 1)]
    assert all(after >= before - 1e-9 for before, after in pairwise(numbers))


@given(dependences)
def test_naming_one_twice_makes_it_no_more(dependence: np.ndarray) -> None:
    twice = np.ix_([*range(len(dependence)), 0], [*range(len(dependence)), 0])
    assert effective_number(dependence[twice]) == pytest.approx(effective_number(dependence), rel=1e-6)


@given(dependences, st.integers(0, 1000))
def test_no_weights_make_more_of_them(dependence: np.ndarray, seed: int) -> None:
    weights = np.random.default_rng(seed).random(len(dependence))
    assert weights.sum() ** 2 / (weights @ dependence @ weights) <= effective_number(dependence) + 1e-6


# What depends on what


def test_until_something_was_seen_families_count_as_dependent() -> None:
    dependence = NOTHING.dependence(RULE)
    for i, one in enumerate(TRIGGERS):
        for j, other in enumerate(TRIGGERS):
            family = RULE.family_dependence if FAMILY_OF[one] == FAMILY_OF[other] else RULE.other_dependence
            assert dependence[i, j] == (1.0 if i == j else family)


def test_reasons_that_meet_by_chance_are_independent() -> None:
    dependence = counted(1).dependence(MEASURED)
    assert np.abs(dependence - np.eye(len(TRIGGERS))).max() < 0.1


def test_one_that_never_comes_alone_depends_wholly_however_rare_it_is() -> None:
    seen = counted(2, breakout="near_level")
    assert effective_of([BREAKOUT, NEAR], seen, MEASURED) == pytest.approx(1)
    rare = fired(10_000, volume_spike=list(range(0, 10_000, 10)), breakout=list(range(0, 10_000, 100)))
    assert effective_of([BREAKOUT, VOLUME], NOTHING.seen(rare, MEASURED), MEASURED) == pytest.approx(1)


def test_those_that_shun_each_other_count_in_full_and_not_more() -> None:
    apart = fired(1000, volume_spike=list(range(0, 1000, 10)), breakout=list(range(5, 1000, 10)))
    assert effective_of([VOLUME, BREAKOUT], NOTHING.seen(apart, MEASURED), MEASURED) == pytest.approx(2)


def test_what_was_measured_takes_over_from_the_prior_little_by_little() -> None:
    rule = replace(RULE, prior_firings=100, reason_bars=1)
    together = fired(10_000, volume_spike=list(range(0, 10_000, 100)), breakout=list(range(0, 10_000, 100)))
    before, after = (effective_of([VOLUME, BREAKOUT], seen, rule) for seen in (NOTHING, NOTHING.seen(together, rule)))
    assert before == pytest.approx(2 / (1 + rule.other_dependence))
    assert after == pytest.approx(2 / (1 + (rule.other_dependence + 1) / 2))


def test_the_past_fades() -> None:
    rule = replace(MEASURED, half_life_bars=1000)
    old = NOTHING.seen(fired(1000, volume_spike=[1, 2, 3]), rule)
    later = old.seen(fired(1000), rule)
    assert later.bars == old.bars / 2 + 1000
    assert later.together[0, 0] == old.together[0, 0] / 2


def test_a_missing_bar_is_no_bar_at_which_nothing_fired() -> None:
    firing = fired(10, volume_spike=[1])
    firing.seen[5:] = False
    assert NOTHING.seen(firing, MEASURED).bars == 5


def test_counts_survive_storage_and_a_trigger_that_is_gone() -> None:
    seen = counted(3, bars=500)
    stored = json.loads(json.dumps(seen.stored()))
    stored["together"]["volume_spike gone_since"] = 4.0
    again = CoFiring.restored(stored)
    assert again.bars == seen.bars
    np.testing.assert_array_equal(again.together, seen.together)
    assert CoFiring.restored({}).bars == 0


# Alerts


def test_two_dependent_reasons_are_no_alert_and_two_of_other_families_are() -> None:
    """The predecessor counted breakout and near-level, or low ATR and low volatility, as two."""
    assert not alert(fired(3, breakout=[1], near_level_flat=[1]), NOTHING, RULE).on.any()
    found = alert(fired(3, breakout=[1], volume_spike=[1]), NOTHING, RULE)
    assert found.on[:, 0].tolist() == [False, True, True]
    assert found.begins[:, 0].tolist() == [False, True, False]
    assert found.names(1, 0) == [VOLUME, BREAKOUT]
    assert found.effective[1, 0] == pytest.approx(2 / 1.2)


def test_the_three_steps_of_one_breakout_are_hardly_more_than_one_reason() -> None:
    found = alert(fired(3, breakout=[1], breakout_confirmed=[1], breakout_retested=[1]), NOTHING, RULE)
    assert 1 < found.effective[1, 0] < 1.3
    assert not found.on.any()


def test_one_reason_is_never_an_alert() -> None:
    assert not alert(fired(3, vwap_deviation=[1]), NOTHING, RULE).on.any()


def test_a_reason_counts_for_some_bars_and_then_no_more() -> None:
    late = fired(12, volume_spike=[2], breakout=[4])
    assert alert(late, NOTHING, replace(RULE, reason_bars=3)).on[:, 0].tolist() == [False] * 4 + [True] + [False] * 7
    assert not alert(late, NOTHING, replace(RULE, reason_bars=2)).on.any()


def test_reasons_for_a_rise_and_for_a_fall_are_not_added_up() -> None:
    found = alert(fired(2, breakout=[1], volume_spike_down=[1]), NOTHING, RULE)
    assert found.effective[1, 0] == 1.0
    assert not found.on.any()


def test_the_better_case_is_the_alerts_direction() -> None:
    found = alert(fired(2, breakout_down=[1], volume_spike_down=[1], vwap_deviation=[1], near_level_flat=[1]), NOTHING, RULE)
    assert found.direction[1, 0] == -1
    assert found.names(1, 0) == [VOLUME, BREAKOUT, NEAR]
    assert alert(fired(2, near_level_flat=[1]), NOTHING, RULE).direction[1, 0] == 0


@pytest.mark.parametrize("name", [name for name in Trigger if name not in (VOLUME, WIDE)])
def test_below_the_low_atr_gate_a_strong_reason_must_be_among_them(name: Trigger) -> None:
    rows = {"volume_spike": [1], "volatility_spike": [1], name.value: [1]}
    assert alert(fired(2, **rows), NOTHING, RULE).on[1, 0]
    assert alert(fired(2, low_atr=True, **rows), NOTHING, RULE).on[1, 0] == (name in STRONG)


def test_the_limit_is_the_operators() -> None:
    both = fired(2, breakout=[1], volume_spike=[1])
    assert not alert(both, NOTHING, replace(RULE, least_effective=1.7)).on.any()
    assert alert(both, NOTHING, replace(RULE, least_effective=2 / 1.2)).on.any()


def test_the_rule_is_built_from_the_settings() -> None:
    assert AlertRule.from_settings({"trigger_alert_reason_bars": 5.0}) == AlertRule(reason_bars=5)
