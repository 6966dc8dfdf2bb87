"""Trades out of fills, and figures that say nothing where there is little to say it from."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest_report import _figure
from trading.book import Tape
from trading.broker import run
from trading.names import Deal
from trading.results import TOO_FEW, Trades, by_name, drawdown, lines, summary, trades_of
from trading.tests.markets import FREE, grid_of, market, one_signal, rules_of, signals_on


def trades(results: list[float], tokens: list[int] | None = None, days: list[int] | None = None) -> Trades:
    n = len(results)
    zero, one = np.zeros(n), np.ones(n)
    opened = np.array(days if days is not None else range(n)) * 86_400
    return Trades(
        *(np.arange(n), np.arange(n), np.array(tokens or [1] * n), one, opened, opened + 60, one, one, one, zero, one, zero),
        result=np.array(results, dtype=np.float64),
        risked=2 * one,
        how=np.array(["stop"] * n),
        targets=np.zeros(n, dtype=np.int64),
        assumed=np.zeros(n, dtype=bool),
    )


def test_a_trade_is_what_its_fills_paid() -> None:
    tape = Tape(grid_of([(100, 100, 100, 100), (100, 104, 99, 103), (103, 112, 102, 111), (111, 111, 85, 88)]))
    outcome = run(tape, one_signal(), FREE)
    made = trades_of(outcome.fills, one_signal(), tape.grid.open_time)
    assert made.how.tolist() == [Deal.STOP]
    assert made.targets.tolist() == [1]
    assert made.result[0] == pytest.approx(made.quantity[0] * (0.5 * 10 + 0.5 * -10), abs=1e-6)
    assert made.closed.tolist() == [6180]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_results_and_what_is_held_come_to_the_equity(seed: int) -> None:
    tape = market(seed)
    signals, rules = signals_on(tape, seed), rules_of(seed)
    outcome = run(tape, signals, rules)
    made = trades_of(outcome.fills, signals, tape.grid.open_time)
    if made.over.all():
        assert outcome.cash - rules.capital_usd == pytest.approx(made.result.sum(), abs=1e-6)
    assert made.left.sum() == pytest.approx(outcome.held.sum())


def test_three_trades_are_no_rate() -> None:
    told = summary(trades([1.0, 2.0, -1.0]))
    assert (told.trades, told.won, told.result) == (3, 2, 2.0)
    assert told.too_few
    assert told.profit_factor.value is None


def test_many_trades_of_one_day_are_one_piece_of_luck() -> None:
    assert summary(trades([1.0] * 200, days=[0] * 200)).too_few


def test_figures_are_the_plain_formulae_inside_their_intervals() -> None:
    results = [3.0, -1.0, -1.0] * 20
    told = summary(trades(results))
    assert told.expectancy.value == pytest.approx(np.mean(results))
    assert told.expectancy_risks.value == pytest.approx(np.mean(results) / 2)
    assert told.profit_factor.value == pytest.approx(60 / 40)
    assert told.win_rate.value == pytest.approx(1 / 3)
    assert told.expectancy.low < told.expectancy.value < told.expectancy.high


def test_the_interval_is_wider_where_trades_share_their_luck() -> None:
    results = ([5.0] * 10 + [-5.0] * 10) * 5
    apart, together = summary(trades(results)), summary(trades(results, days=[place // 10 for place in range(100)]))
    assert together.expectancy.high - together.expectancy.low > 2 * (apart.expectancy.high - apart.expectancy.low)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        told = summary(trades(chance.normal(0.2, 1.0, 60).tolist())).expectancy
        held += told.low <= 0.2 <= told.high
    assert 175 <= held <= 199


def test_nothing_lost_is_an_infinite_profit_factor_not_an_error() -> None:
    found = summary(trades([1.0] * 30)).profit_factor
    assert found.value == float("inf")
    assert _figure(found, "{:.2f}") == "∞ (∞ to ∞)"


def test_where_nothing_was_gained_lost_or_risked_there_is_nothing_to_divide_by_and_no_figure() -> None:
    told = summary(replace(trades([0.0] * 60), risked=np.full(60, np.nan)))
    assert (told.win_rate.value, told.expectancy.value) == (0.0, 0.0)
    assert told.profit_factor == told.expectancy_risks == TOO_FEW


def test_groups_are_summed_up_apart() -> None:
    made = trades([1.0] * 30 + [-1.0] * 30)
    found = lines(made, {"exit": by_name(made.how), "half": {"first": np.arange(60) < 30, "none": np.zeros(60, dtype=bool)}})
    assert [(line.group, line.name, line.summary.result) for line in found] == [("exit", "stop", 0.0), ("half", "first", 30.0)]


def test_the_deepest_fall_and_the_longest_wait() -> None:
    found = drawdown(np.array([100.0, 120.0, 60.0, 90.0, 120.0, 119.0, 130.0]))
    assert (found.depth, found.high_at, found.low_at, found.longest) == (0.5, 1, 2, 2)
    assert drawdown(np.zeros(0)).depth == 0
