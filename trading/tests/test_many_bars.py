"""Many bars at once come to exactly what one bar after the other comes to."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokens.bar_grid import empty
from trading.book import BrokerRules, Signals, Tape
from trading.broker import run
from trading.market import Market
from trading.tests.markets import FREE, grid_of, market, one_signal, rules_of, signals_on, walk
from trading.timetable import _in_order

SEEDS = st.integers(0, 2**32 - 1)


def repeated(signal: Signals, times: int) -> Signals:
    return Signals(**{field.name: np.repeat(getattr(signal, field.name), times, axis=0) for field in fields(Signals)})


def same(tape: Tape, signals: Signals, rules: BrokerRules) -> int:
    """Compares to the last bit; returns how many fills there were."""
    whole = run(tape, signals, rules)
    book, happened = walk(tape, signals, rules)
    fills = [fill for events in happened for fill in events.fills]
    of = whole.fills
    key, token = signals.key[of.signal], signals.token[of.signal]
    time = tape.grid.open_time[of.row]
    found = list(zip(key, token, time, of.deal, of.price, of.quantity, of.usd, of.fee, of.assumed, strict=True))
    assert found == [(f.key, f.token, f.time, f.deal, f.price, f.quantity, f.usd, f.fee, f.assumed) for f in fills]
    skips = {(skip.key, skip.time, str(skip.reason)) for events in happened for skip in events.skipped}
    left_out = list(zip(signals.key[whole.skips.signal], tape.grid.open_time[whole.skips.row], whole.skips.reason, strict=True))
    assert set(left_out) == skips
    assert len(left_out) == len(skips)
    assert whole.cash == book.cash
    if len(tape):
        assert whole.equity[-1] == book.equity
    held = {int(signals.key[place]): whole.held[place] for place in np.flatnonzero(whole.held)}
    assert held == {position.key: position.left for position in book.positions}
    assert set(signals.key[whole.waiting]) == {order.key for order in book.orders}
    return len(fills)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_run_is_its_steps(seed: int) -> None:
    tape = market(seed)
    same(tape, signals_on(tape, seed + 1), rules_of(seed + 2))


def test_a_run_is_its_steps_where_positions_last_for_many_windows() -> None:
    tape = market(5, bars=600, width=2, gaps=0.02, scale=1e-9)
    rules = BrokerRules(time_stop_sec=40_000, short=True, trail_atr=9, dead_after_sec=600, token_trades_a_day=99)
    assert same(tape, signals_on(tape, 6, share=0.05), rules) > 20


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_a_run_with_fixed_sizes_and_longs_is_its_steps_too(seed: int) -> None:
    """Where money suffices amounts are worked out at once; where it does not, one after the other."""
    rules = replace(rules_of(seed), compound=False, short=False, most_open=seed % 3 + 1, position_share=seed % 2 * 0.5 + 0.25)
    tape = market(seed, gaps=0.1 if seed % 2 else 0.0)
    same(tape, signals_on(tape, seed + 1), rules)


@given(SEEDS, st.booleans())
@settings(max_examples=25, deadline=None)
def test_where_there_are_places_for_all_a_run_is_its_steps_too(seed: int, short: bool) -> None:
    rules = replace(rules_of(seed), compound=False, short=short, most_open=9, token_trades_a_day=999, position_share=0.001)
    tape = market(seed, gaps=0.1 if seed % 2 else 0.0)
    same(tape, signals_on(tape, seed + 1), rules)


@given(SEEDS, st.sampled_from([0.0, 0.1]))
@settings(max_examples=15, deadline=None)
def test_bars_that_are_passed_over_are_bars_in_which_nothing_happens(seed: int, gaps: float) -> None:
    """Levels far away, that stand still: most bars between the entry and the exit are not looked at one by one."""
    tape = market(seed, bars=400, width=2, gaps=gaps)
    near = signals_on(tape, seed + 1, share=0.05)
    away = near.side[:, None] * np.array([-0.25, 0.2, 0.3, 0.4])
    levels = near.quote[:, None] * (1 + away)
    signals = replace(near, stop=levels[:, 0], targets=np.where(np.isnan(near.targets), np.nan, levels[:, 1:]))
    rules = replace(rules_of(seed), adapt_share=0.0, trail_atr=0.0, time_stop_sec=100_000, short=True, leave_on_context=False)
    same(tape, signals, rules)


def test_the_equity_of_every_bar_is_that_of_its_step() -> None:
    tape = market(9, bars=200)
    signals, rules = signals_on(tape, 3), rules_of(4)
    curve = run(tape, signals, rules).equity
    for row in (0, 17, 90, 199):
        assert curve[row] == walk(tape, signals, rules, range(row + 1))[0].equity


@pytest.mark.parametrize("compound", [True, False])
def test_no_bars_and_no_signals_come_to_nothing(compound: bool) -> None:
    tape, rules = market(1, bars=4), BrokerRules(compound=compound, most_open=9)
    outcome = run(tape, signals_on(tape, 1, share=0.0), rules)
    assert len(outcome.fills) == 0
    assert (outcome.equity == rules.capital_usd).all()


def test_a_day_after_its_entry_a_token_may_be_traded_again_and_not_a_bar_sooner() -> None:
    tape = Tape(grid_of([(100.0, 100.0, 100.0, 100.0)] * 29, interval=3600))
    rules = replace(FREE, compound=False, token_trades_a_day=1, time_stop_sec=3600, cool_down_sec=0)
    rows = np.array([0, 22, 23, 24, 25])  # entered in bar 1, and a day has 24
    signals = replace(repeated(one_signal(), len(rows)), key=np.arange(len(rows)), row=rows)
    assert same(tape, signals, rules) == 4
    assert run(tape, signals, rules).fills.row.tolist() == [1, 2, 25, 26]


def test_who_has_the_money_for_a_purchase_but_not_for_its_fee_puts_in_less() -> None:
    """Half of the money for each of two, of which the first has paid its fee."""
    grid = empty(60, 6000, 3, np.array([7, 8]))
    for name in ("open", "high", "low", "close"):
        getattr(grid, name)[:] = 100.0
    signals = replace(repeated(one_signal(), 2), key=np.arange(2), token=np.array([7, 8]))
    rules = replace(FREE, compound=False, fee=0.02, position_share=0.495, risk_share=1.0, most_open=9, token_trades_a_day=9)
    assert same(Tape(grid), signals, rules) == 2
    assert run(Tape(grid), signals, rules).fills.usd.tolist() == pytest.approx([4950.0, 4951.0 / 1.02])


@pytest.mark.parametrize(("cool_down_sec", "fills"), [(0, 3), (1, 2)])
def test_in_the_bar_of_its_exit_a_token_rests_if_it_is_to_rest_at_all(cool_down_sec: int, fills: int) -> None:
    flat = (100.0, 100.0, 100.0, 100.0)
    tape = Tape(grid_of([flat, flat, (100.0, 101.0, 89.0, 100.0), flat]))
    signals = replace(repeated(one_signal(), 2), key=np.arange(2), row=np.array([0, 2]))
    rules = replace(FREE, compound=False, cool_down_sec=cool_down_sec, token_trades_a_day=9)
    assert same(tape, signals, rules) == fills


@pytest.mark.parametrize("adapt_share", [0.0, 0.5])
def test_a_run_is_its_steps_where_the_volatility_is_known_from_some_bar_on(adapt_share: float) -> None:
    """No bar is missing: what is known once stays known."""
    tape = market(11, bars=120, gaps=0.0)
    whole = np.linspace(0.01, 0.05, 120)[:, None] * np.ones((120, 3))
    for known in (whole, np.where(np.arange(120)[:, None] < [0, 7, 40], np.nan, whole)):
        of = replace(tape, atr=known)
        rules = replace(rules_of(12), adapt_share=adapt_share, trail_atr=1.0, time_stop_sec=6000)
        assert same(of, signals_on(of, 13), rules) > 5


def test_several_accounts_that_share_one_market_each_come_to_what_they_would_alone() -> None:
    tape = market(3, bars=400, width=2, gaps=0.0)
    near = signals_on(tape, 4, share=0.05)
    levels = near.quote[:, None] * (1 + near.side[:, None] * np.array([-0.25, 0.2, 0.3, 0.4]))
    signals = replace(near, stop=levels[:, 0], targets=levels[:, 1:])
    still = replace(rules_of(5), adapt_share=0.0, trail_atr=0.0, time_stop_sec=100_000, short=True, leave_on_context=False)
    shared = Market(tape)
    for rules in (still, replace(still, capital_usd=500.0)):
        alone, beside = run(tape, signals, rules), run(tape, signals, rules, shared)
        assert len(alone.fills) > 0
        assert (beside.cash, beside.equity.tolist()) == (alone.cash, alone.equity.tolist())
        assert beside.fills.price.tolist() == alone.fills.price.tolist()


@pytest.mark.parametrize("token", [6, 8])
def test_a_signal_for_a_token_without_bars_is_refused(token: int) -> None:
    with pytest.raises(ValueError, match="a token that the grid does not hold"):
        run(Tape(grid_of([(100.0, 100.0, 100.0, 100.0)] * 3)), one_signal(token=token), FREE)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)), max_size=20),
    st.sampled_from([1, 2**58]),
)
def test_what_happens_is_in_order_whether_or_not_it_fits_into_one_number(events: list[tuple[int, int, int, int]], far: int) -> None:
    """By row, phase, turn and leg; what is equal in all stays as it came."""
    columns = np.array(events, dtype=np.int64).reshape(-1, 4) * [far, 1, 1, 1]
    order = _in_order(*columns.T)
    assert order.tolist() == sorted(range(len(events)), key=lambda place: tuple(columns[place]))
