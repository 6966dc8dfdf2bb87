from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingestion.budget import budget_at

MIDNIGHT = datetime(2026, 11, 2, tzinfo=UTC)


def test_a_day_gets_an_equal_share_of_what_is_left() -> None:
    budget = budget_at(MIDNIGHT + timedelta(hours=12), 30_000, spent_month=1000, spent_today=0)
    assert budget.share_today == 1000
    assert budget.left_today == 500


def test_what_was_not_spent_goes_to_the_days_that_remain() -> None:
    assert budget_at(datetime(2026, 11, 21, tzinfo=UTC), 30_000, spent_month=10_000, spent_today=0).share_today == 2000


def test_the_first_day_of_use_has_its_whole_share_at_once_and_at_least_a_tenth_of_the_month() -> None:
    assert budget_at(datetime(2026, 11, 1, tzinfo=UTC), 30_000, 0, 0).left_today == 3000
    assert budget_at(datetime(2026, 11, 1, tzinfo=UTC), 30_000, 2900, 2900).left_today == 100
    assert budget_at(datetime(2026, 11, 26, tzinfo=UTC), 30_000, 0, 0).left_today == 6000
    assert budget_at(MIDNIGHT, 30_000, 2900, 0).left_today == 0


def test_a_spent_budget_leaves_nothing_until_the_month_ends() -> None:
    budget = budget_at(MIDNIGHT, 30_000, 30_000, 10)
    assert budget.used_up
    assert budget.left_today == 0
    assert budget.month_ends_at == datetime(2026, 12, 1, tzinfo=UTC)


def test_the_last_day_of_december_is_a_day_too() -> None:
    budget = budget_at(datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 30_000, 29_000, 0)
    assert budget.month_ends_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert budget.left_today == 999


def test_a_pace_that_is_too_fast_names_the_day_it_ends() -> None:
    budget = budget_at(MIDNIGHT, 30_000, spent_month=10_000, spent_today=0)
    assert budget.runs_out_at == MIDNIGHT + timedelta(days=2)
    assert budget_at(MIDNIGHT, 30_000, spent_month=500, spent_today=0).runs_out_at is None


@given(st.integers(0, 100_000), st.floats(0.01, 1.0), st.lists(st.integers(0, 23), min_size=1, max_size=60))
def test_whoever_spends_all_that_is_left_at_any_time_never_exceeds_the_month(limit: int, eagerness: float, hours: list[int]) -> None:
    spent = 0
    for day in range(30):
        today = 0
        for hour in sorted(hours):
            left = budget_at(datetime(2026, 11, day + 1, hour, tzinfo=UTC), limit, spent + today, today).left_today
            today += int(left * eagerness)
        spent += today
    assert spent <= limit


def test_a_budget_that_would_last_for_ten_thousand_years_has_no_end() -> None:
    assert budget_at(MIDNIGHT, 10_000_000_000, spent_month=30, spent_today=30).runs_out_at is None
