from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.turns import LONGEST_WAIT_SEC, PATIENCE, SLOWEST, Pace, next_failures, reach, wait_sec, worth_asking

PACE = Pace(
    interval_sec=30, young_minutes=60, freshness_limit_sec=180, holders_freshness_sec=1800, min_tx_count=25, min_active_liquidity=500.0
)
HOUR = 3600.0


@pytest.mark.parametrize(
    ("age", "expected"), [(0, 30), (HOUR, 30), (2 * HOUR, 60), (10 * HOUR, 300), (24 * HOUR, 600), (30 * 24 * HOUR, 600)]
)
def test_an_initial_token_is_asked_about_less_often_as_it_ages(age, expected):
    assert wait_sec(False, age, 0.1, 0, PACE) == expected


def test_an_active_token_and_one_near_activation_keep_the_full_pace_at_any_age():
    assert wait_sec(True, 30 * 24 * HOUR, None, 0, PACE) == 30
    assert wait_sec(False, 30 * 24 * HOUR, 0.5, 0, PACE) == 30
    assert wait_sec(False, 30 * 24 * HOUR, 0.49, 0, PACE) == 600


@pytest.mark.parametrize(("failures", "expected"), [(0, 30), (5, 30), (6, 60), (7, 120), (11, 1920), (12, 3600), (10**9, 3600)])
def test_who_brings_nothing_again_and_again_waits_twice_as_long_each_time_up_to_an_hour(failures, expected):
    assert wait_sec(False, 0.0, None, failures, PACE) == expected
    assert wait_sec(True, 0.0, None, failures, PACE) == expected


@given(st.booleans(), st.floats(-60, 1e9), st.none() | st.floats(0, 1e6), st.integers(0, 10**9), st.floats(1, 3600))
def test_a_wait_is_never_shorter_than_an_interval_nor_longer_than_an_hour(active, age, reached, failures, interval):
    waiting = wait_sec(active, age, reached, failures, replace(PACE, interval_sec=interval))
    assert interval <= waiting <= LONGEST_WAIT_SEC


@given(st.floats(0, 1e8), st.floats(0, 1e8))
def test_an_older_token_never_waits_less(age, more):
    assert wait_sec(False, age + more, None, 0, PACE) >= wait_sec(False, age, None, 0, PACE)


def test_the_polls_of_a_day_without_activity_are_some_hundreds():
    age, polls = 0.0, 0
    while age < 24 * HOUR:
        age += wait_sec(False, age, 0.0, 0, PACE)
        polls += 1
    assert 450 < polls < 520
    assert wait_sec(False, age, 0.0, 0, PACE) == SLOWEST * 30


@pytest.mark.parametrize(
    ("liquidity", "trades", "expected"),
    [(250.0, 5, 0.5), (250.0, 25, 1.0), (None, 5, 0.2), (1_000.0, None, 2.0), (0.0, 0, 0.0), (None, None, None)],
)
def test_reach_is_the_better_of_the_two_roads_to_active(liquidity, trades, expected):
    assert reach(liquidity, trades, PACE) == expected


def test_a_threshold_of_nothing_is_reached_by_whatever_is_known():
    assert reach(0.0, None, replace(PACE, min_active_liquidity=0.0)) == 1.0


@pytest.mark.parametrize(
    ("failures", "answered", "brought", "expected"),
    [(0, True, True, 0), (9, True, True, 0), (0, True, False, 1), (9, True, False, 10), (2, False, False, 3), (9, False, False, 9)],
)
def test_only_an_answer_without_anything_in_it_speaks_against_a_token(failures, answered, brought, expected):
    assert next_failures(failures, answered, brought) == expected


def test_an_outage_alone_never_reaches_the_waiting():
    failures = 0
    for _ in range(1_000):
        failures = next_failures(failures, answered=False, brought_something=False)
    assert failures == PATIENCE
    assert wait_sec(False, 0.0, None, failures, PACE) == 30


def test_a_paid_answer_is_worth_most_about_who_becomes_active_and_nothing_about_who_is_far_from_it():
    assert worth_asking(0.2, 1e6) == 0
    assert worth_asking(0.3, 600) < worth_asking(None, 600) < worth_asking(0.9, 600) < worth_asking(1.0, 600) == worth_asking(80.0, 600)
    assert worth_asking(0.5, 1200) == worth_asking(1.0, 600)
    assert worth_asking(1.0, 0.0) > 0
