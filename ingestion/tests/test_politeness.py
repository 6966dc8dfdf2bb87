"""The gate and the retry budget by a clock of our own."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.errors import Temporary
from ingestion.politeness import FAILURES_IN_A_ROW, LONGEST_PAUSE, LONGEST_REST, RESTS_WAITED_OUT, Gate, Pass, RetryBudget, pause_asked_for


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def entered(gate: Gate) -> Pass:
    leave = gate.enter()
    assert leave is not None
    return leave


def test_the_gate_is_open_at_first(clock: Clock) -> None:
    gate = Gate(clock)
    gate.wait(clock.now)
    assert not entered(gate).trial


def test_enough_failures_in_a_row_close_it_and_one_less_does_not(clock: Clock) -> None:
    gate = Gate(clock)
    for _ in range(FAILURES_IN_A_ROW - 1):
        assert gate.failed(entered(gate)) is None
    gate.succeeded(entered(gate))
    for _ in range(FAILURES_IN_A_ROW - 1):
        assert gate.failed(entered(gate)) is None
    assert gate.failed(entered(gate)) is not None
    assert gate.enter() is None


def closed(clock: Clock) -> Gate:
    gate = Gate(clock)
    for leave in [entered(gate) for _ in range(FAILURES_IN_A_ROW)]:
        gate.failed(leave)
    return gate


def test_during_a_long_outage_nobody_waits(clock: Clock) -> None:
    gate = closed(clock)
    for _ in range(RESTS_WAITED_OUT):
        clock.now += LONGEST_REST
        gate.failed(entered(gate))
    with pytest.raises(Temporary) as refused:
        gate.wait(clock.now + 60)
    assert 0 < (refused.value.retry_after or 0) <= LONGEST_REST


def test_nobody_waits_longer_than_it_wants_to(clock: Clock) -> None:
    with pytest.raises(Temporary):
        closed(clock).wait(clock.now + 0.3)


def test_after_the_rest_one_goes_first(clock: Clock) -> None:
    gate = closed(clock)
    clock.now += 1.0
    assert entered(gate).trial
    assert gate.enter() is None


def test_a_good_trial_opens_the_gate_for_all(clock: Clock) -> None:
    gate = closed(clock)
    clock.now += 1.0
    assert gate.succeeded(entered(gate))
    assert not entered(gate).trial
    assert not entered(gate).trial


def test_bad_trials_rest_longer_but_never_longer_than_a_few_seconds(clock: Clock) -> None:
    gate = closed(clock)
    rests = []
    for _ in range(20):
        clock.now += LONGEST_REST
        rests.append(gate.failed(entered(gate)) or 0.0)
    assert max(rests) <= LONGEST_REST
    assert min(rests[5:]) >= LONGEST_REST / 2


def test_a_trial_that_said_nothing_lets_another_try(clock: Clock) -> None:
    gate = closed(clock)
    clock.now += 1.0
    gate.put_back(entered(gate))
    assert entered(gate).trial


def test_ten_minutes_of_429_cost_about_a_dozen_requests(clock: Clock) -> None:
    gate = Gate(clock)
    requests, end = 0, clock.now + 600
    while clock.now < end:
        requests += 1
        clock.now += gate.told_to_wait(entered(gate), 1.0)
    assert requests <= 14


def test_an_answer_from_before_the_pause_neither_ends_nor_shortens_it(clock: Clock) -> None:
    gate = Gate(clock)
    early, late = entered(gate), entered(gate)
    pause = gate.told_to_wait(early, 100.0)
    gate.told_to_wait(late, 1.0)
    gate.succeeded(late)
    assert gate.resting_for() == pytest.approx(pause)


@given(
    st.lists(st.text(max_size=30), max_size=3),
    st.none() | st.text(max_size=20),
    st.none() | st.text(max_size=40),
)
def test_whatever_the_headers_say_the_pause_is_none_or_within_bounds(retry_after: list[str], reset: str | None, date: str | None) -> None:
    pause = pause_asked_for(retry_after, reset, date, datetime(2026, 11, 21, tzinfo=UTC))
    assert pause is None or 1.0 <= pause <= LONGEST_PAUSE


def test_a_lone_request_has_a_second_try_and_the_next_has_none() -> None:
    budget = RetryBudget()
    budget.first_try()
    assert budget.may_try_again()
    budget.first_try()
    assert not budget.may_try_again()


@given(st.integers(5, 2000))
def test_second_tries_never_exceed_a_fifth(requests: int) -> None:
    budget, seconds = RetryBudget(), 0
    for _ in range(requests):
        budget.first_try()
        seconds += budget.may_try_again()
    assert seconds <= requests * 0.2


def test_after_a_long_calm_a_storm_gets_ten_second_tries_and_not_a_thousand() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.first_try()
    assert sum(budget.may_try_again() for _ in range(1000)) <= 10
