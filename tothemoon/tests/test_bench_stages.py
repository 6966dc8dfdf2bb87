"""What `./run bench stages` compares, in a small form."""

import numpy as np

from tothemoon.benches import stages


def test_a_market_is_the_same_for_the_same_seed_and_has_no_jumps_between_bars() -> None:
    first, second = stages.market(200, 3), stages.market(200, 3)
    np.testing.assert_array_equal(first.close, second.close)
    np.testing.assert_array_equal(first.open[1:], first.close[:-1])


def test_medians_are_of_runs_in_turns_without_the_first() -> None:
    order: list[str] = []
    ours, theirs = stages.in_turns(lambda: order.append("ours"), lambda: order.append("theirs"), rounds=2)
    assert order == ["ours", "theirs"] * 3
    assert ours >= 0
    assert theirs is not None


def test_what_is_not_installed_is_said_and_fails_no_floor() -> None:
    line = stages._line("vectorbt", "ms", 0.5, None, 1.0, "not installed", 3.0, None)
    assert (line.holds, line.theirs, line.against) == (True, None, "vectorbt: not installed")


def test_a_floor_that_is_missed_is_told() -> None:
    assert not stages._line("vectorbt", "ms", 0.5, 0.4, 1.0, "", 3.0, 4.0).holds


def test_the_whole_back_test_finds_something_to_trade() -> None:
    line = stages._backtest(stages.market(2000, 4))
    assert line.ours > 0
    assert "points judged" in line.against
