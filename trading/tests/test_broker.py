"""The paper broker bar by bar: every doubt is decided against the position."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading import exits
from trading.book import Book, BrokerRules, Order, Position, Tape, from_settings, valued
from trading.broker import opened_book, step
from trading.exits import stop_level, target_level
from trading.fills import paid_in, paid_out
from trading.judge_rule import JudgeRule
from trading.names import Deal, Skip
from trading.sizing import loss_share, size
from trading.tests.markets import FREE, NAN, grid_of, market, one_signal, rules_of, signals_on, walk

SEEDS = st.integers(0, 2**32 - 1)
FLAT = (100.0, 100.0, 100.0, 100.0)


def deals(bars: list, rules=FREE, **changed) -> list[tuple[str, float]]:
    """What one long at 100 (stop 90, targets 110, 120, 130), decided after the first bar, came to: deals and their prices."""
    tape = Tape(grid_of(bars), atr=np.full((len(bars), 1), 5.0))
    return [(str(fill.deal), fill.price) for events in walk(tape, one_signal(**changed), rules)[1] for fill in events.fills]


def skips(bars: list, rules=FREE, **changed) -> list[str]:
    tape = Tape(grid_of(bars))
    return [str(skip.reason) for events in walk(tape, one_signal(**changed), rules)[1] for skip in events.skipped]


def test_the_rules_are_the_settings_of_the_paper_account_and_of_nothing_else() -> None:
    assert from_settings({"paper_most_open": 3, "most_open": 4}) == BrokerRules(most_open=3)
    assert from_settings({}) == BrokerRules()


# fills


def test_a_purchase_moves_a_constant_product_pool_as_arithmetic_has_it() -> None:
    usd, tokens = 5_000.0, 50_000.0  # a price of 0.1; 1,000 dollars come in
    quantity, _ = paid_in(1, 1_000.0, usd / tokens, usd)
    assert quantity == pytest.approx(tokens - usd * tokens / (usd + 1_000.0))
    assert paid_out(1, quantity, usd / tokens, usd) == pytest.approx(usd - usd * tokens / (tokens + quantity))


def test_a_short_takes_back_what_it_sold_and_pays_for_the_impact() -> None:
    usd, tokens = 5_000.0, 50_000.0
    quantity, proceeds = paid_in(-1, 1_000.0, usd / tokens, usd)
    assert quantity == pytest.approx(10_000.0)
    assert proceeds == pytest.approx(usd - usd * tokens / (tokens + quantity))
    assert paid_out(-1, quantity, usd / tokens, usd) == pytest.approx(usd * tokens / (tokens - quantity) - usd)


def test_no_pool_sells_all_it_has() -> None:
    assert paid_out(-1, 60_000.0, 0.1, 5_000.0) == pytest.approx(60_000.0)


@given(st.floats(1e-9, 1e5), st.floats(1, 1e6), st.floats(1e3, 1e9), st.sampled_from([1, -1]))
def test_there_and_back_never_pays(price: float, usd: float, reserve: float, side: int) -> None:
    quantity, changed = paid_in(side, usd, price, reserve)
    assert side * (paid_out(side, quantity, price, reserve) - changed) <= 1e-9 * changed


def test_an_entry_takes_the_worst_price_of_its_bar_and_never_beats_the_decision() -> None:
    assert deals([FLAT, (100, 104, 98, 99)], replace(FREE, worse_side=1)) == [("entry", 104)]
    assert deals([FLAT, (97, 98, 96, 97)], replace(FREE, worse_side=1)) == [("entry", 100)]


def test_a_share_of_the_way_to_the_worst_price_is_paid_going_in_and_coming_out() -> None:
    assert deals([FLAT, (100, 104, 98, 99)], replace(FREE, worse_side=0.25)) == [("entry", 101)]
    out = [FLAT, FLAT, FLAT, (101, 102, 97, 101)]
    assert deals(out, replace(FREE, time_stop_sec=120, worse_side=0.25))[1:] == [("time", 100)]


def test_an_order_waits_through_a_gap_and_is_given_up_when_patience_ends() -> None:
    assert deals([FLAT, None, FLAT]) == [("entry", 100)]
    assert deals([FLAT, None, None, None, FLAT]) == []
    assert skips([FLAT, None, None, None, FLAT]) == [Skip.NO_PRICE]


def test_a_token_that_is_no_longer_among_the_bars_is_held_and_not_filled() -> None:
    bars, other = Tape(grid_of([FLAT] * 4)), Tape(grid_of([FLAT] * 4, token=8))
    book = walk(bars, one_signal(), FREE, range(2))[0]
    after, happened = walk(other, one_signal(), FREE, range(2, 4), book)
    assert [events.fills for events in happened] == [(), ()]
    assert [(position.token, position.left) for position in after.positions] == [(7, book.positions[0].left)]


def test_a_token_that_left_the_bars_is_written_down_at_a_pools_costs_and_the_assumed_liquidity() -> None:
    rules = replace(FREE, time_stop_sec=60, dead_after_sec=120, dead_haircut=0.5, fee=0.01, slippage=0.02, unknown_liquidity_usd=10_000)
    book = walk(Tape(grid_of([FLAT] * 6)), one_signal(), rules, range(2))[0]
    _, happened = walk(Tape(grid_of([FLAT] * 6, token=8)), one_signal(), rules, range(2, 6), book)
    (dead,) = [fill for events in happened for fill in events.fills]
    assert (dead.deal, dead.price, dead.assumed) == (Deal.DEAD, 50.0, True)
    assert dead.usd == pytest.approx(paid_out(1, dead.quantity, 50.0 * 0.98, 5_000.0))
    assert dead.fee == pytest.approx(dead.usd * 0.01 + rules.fixed_fee_usd)


def test_latency_skips_bars() -> None:
    assert deals([FLAT, (101, 101, 101, 101), (102, 102, 102, 102)], replace(FREE, latency_bars=1)) == [("entry", 102)]


def test_a_price_that_ran_away_is_not_chased() -> None:
    assert skips([FLAT, (111, 112, 111, 112)]) == [Skip.PRICE_MOVED]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"confidence": 0.3}, Skip.LOW_CONFIDENCE),
        ({"confidence": NAN}, Skip.LOW_CONFIDENCE),
        ({"refused": "low_atr"}, Skip.GATED),
        ({"stop": NAN}, Skip.NO_LEVELS),
        ({"stop": 101.0}, Skip.NO_LEVELS),
        ({"targets": [110.0, 105.0, NAN]}, Skip.NO_LEVELS),
        ({"targets": [NAN, 110.0, 120.0]}, Skip.NO_LEVELS),
        ({"side": -1.0, "stop": 110.0, "targets": [90.0, NAN, NAN]}, Skip.SIDE),
    ],
)
def test_a_skipped_signal_is_kept_with_its_reason(changed: dict, reason: Skip) -> None:
    assert skips([FLAT, FLAT], **changed) == [reason]


# exits


def test_in_one_bar_the_stop_counts_before_the_target() -> None:
    assert deals([FLAT, FLAT, (100, 140, 80, 120)])[1:] == [("stop", 90)]


def test_a_price_that_touches_a_level_has_reached_it() -> None:
    assert deals([FLAT, FLAT, (100, 101, 90, 95)])[1:] == [("stop", 90)]
    assert deals([FLAT, FLAT, (100, 110, 99, 105)])[1:] == [("target_1", 110)]


def test_the_price_after_a_gap_is_the_worse_of_trigger_and_open() -> None:
    assert deals([FLAT, FLAT, None, (70, 75, 65, 72)])[1:] == [("stop", 70)]
    assert deals([FLAT, FLAT, None, (115, 116, 112, 113)])[1:] == [("target_1", 110)]


def test_targets_sell_their_shares_and_the_last_takes_the_rest() -> None:
    assert deals([FLAT, FLAT, (100, 131, 100, 131)])[1:] == [("target_1", 110), ("target_2", 120), ("target_3", 130)]
    assert deals([FLAT, FLAT, (100, 131, 100, 131)], targets=[110, NAN, NAN])[1:] == [("target_1", 110)]


def test_in_the_bar_of_a_late_fill_only_the_stop_counts() -> None:
    late = replace(FREE, worse_side=1)
    assert deals([FLAT, (100, 109, 80, 100)], late) == [("entry", 109), ("stop", 90)]
    assert deals([FLAT, (100, 109, 95, 100), (100, 111, 99, 100)], late)[1:] == [("target_1", 110)]


def test_after_the_first_target_the_stop_stands_at_the_costs() -> None:
    rules = replace(FREE, break_even=True, fee=0.001)
    found = deals([FLAT, FLAT, (100, 111, 100, 111), (111, 111, 99, 99)], rules)
    assert found[1:] == [("target_1", 110), ("break_even", pytest.approx(100.2))]


def test_the_stop_trails_the_best_price_from_the_first_target_on() -> None:
    rules = replace(FREE, trail_atr=2.0)
    bars = [FLAT, FLAT, (100, 108, 100, 108), (108, 119, 108, 119), (119, 119, 108, 109)]
    assert deals(bars, rules)[1:] == [("target_1", 110), ("trail", 109)]
    assert deals([FLAT, FLAT, (100, 108, 100, 108), (108, 108, 97, 97)], rules, targets=[NAN] * 3)[1:] == [("trail", 98)]


def test_time_closes_at_the_worse_side_of_the_next_bar() -> None:
    rules = replace(FREE, time_stop_sec=120, worse_side=1)
    assert deals([FLAT, FLAT, FLAT, (101, 102, 97, 101)], rules)[1:] == [("time", 97)]


def test_a_judgement_that_turned_closes() -> None:
    tape = Tape(grid_of([FLAT] * 4), leave_long=np.array([[False], [True], [False], [False]]))
    assert [fill.deal for events in walk(tape, one_signal(), FREE)[1] for fill in events.fills] == [Deal.ENTRY, Deal.CONTEXT]


def test_a_dead_token_is_written_down_after_its_time_and_only_while_somebody_looked() -> None:
    rules = replace(FREE, time_stop_sec=60, dead_after_sec=120, dead_haircut=0.8)
    bars = [FLAT, FLAT, None, None, None]
    grid = grid_of(bars)
    seen = Tape(grid, observed=np.ones(5, dtype=bool))
    found = [(fill.deal, fill.price) for events in walk(seen, one_signal(), rules)[1] for fill in events.fills]
    assert found[1:] == [(Deal.DEAD, pytest.approx(20.0))]
    assert len(walk(Tape(grid), one_signal(), rules)[0].positions) == 1  # an outage: nobody looked


def test_targets_follow_the_volatility_from_the_entry_not_from_the_bar_before() -> None:
    position = Position(1, 7, 1.0, 0, 100.0, 1.0, 1.0, 90.0, (110.0, NAN, NAN), 0, 5.0, 2.5, 100.0, 100.0, 0)
    rules = replace(FREE, adapt_share=0.5)
    assert [target_level(position, rules) for _ in range(3)] == [107.5] * 3
    assert stop_level(position, rules.costs(in_pool=True), rules) == (92.5, Deal.STOP)
    wild = replace(position, atr_now=50.0)
    assert target_level(wild, rules) == 115.0
    assert stop_level(wild, rules.costs(in_pool=True), rules) == (90.0, Deal.STOP)  # never farther than judged


def test_a_stop_that_was_judged_beyond_the_costs_or_the_best_price_is_not_taken_back() -> None:
    """Break-even would be 102, and trailing 118 − 2 × 5 = 108: a stop at 103 gives way to the second only, one at 109 to neither."""
    rules = replace(FREE, break_even=True, fee=0.01)
    position = Position(1, 7, 1.0, 0, 100.0, 1.0, 0.5, 103.0, (110.0, 120.0), 1, 5.0, NAN, 118.0, 118.0, 0)
    assert stop_level(position, rules.costs(in_pool=True), rules) == (103.0, Deal.STOP)
    trails = replace(rules, trail_atr=2.0)
    assert stop_level(position, rules.costs(in_pool=True), trails) == (108.0, Deal.TRAIL)
    assert stop_level(replace(position, stop=109.0), rules.costs(in_pool=True), trails) == (109.0, Deal.STOP)


@pytest.mark.parametrize(("atr", "atr_now"), [(0.0, 5.0), (5.0, 0.0), (NAN, 5.0), (5.0, NAN)])
def test_where_a_volatility_is_unknown_or_none_nothing_is_stretched(atr: float, atr_now: float) -> None:
    assert exits.scale(atr, atr_now, 0.5) == 1.0


def test_after_the_last_target_there_is_none() -> None:
    position = Position(1, 7, 1.0, 0, 100.0, 1.0, 0.5, 90.0, (110.0, 120.0), 1, NAN, NAN, 100.0, 100.0, 0)
    assert target_level(position, FREE) == 120.0
    assert np.isnan(target_level(replace(position, reached=2), FREE))


# sizes


def test_the_stop_costs_the_share_of_the_equity_that_was_set() -> None:
    rules = replace(FREE, fee=0.01, slippage=0.005, risk_share=0.01, position_share=1.0, liquidity_share=1.0)
    costs = rules.costs(in_pool=True)
    loss = loss_share(100.0, 90.0, costs)
    assert loss == pytest.approx(0.1 + 2 * 0.015)
    assert size(10_000.0, 10_000.0, loss, 1e9, costs, rules) == (pytest.approx(100 / 0.13), None)
    assert size(10_000.0, 10_000.0, loss, 50.0, costs, rules) == (50.0, None)
    assert size(10_000.0, 10_000.0, loss, 5.0, costs, rules) == (0.0, Skip.TOO_SMALL)
    assert size(10_000.0, 5.0, loss, 1e9, costs, rules) == (0.0, Skip.NO_CASH)


def test_what_is_free_pays_the_fees_too_and_nothing_buys_nothing() -> None:
    rules = replace(FREE, fee=0.25, fixed_fee_usd=5.0, risk_share=1.0, position_share=1.0, least_usd=0)
    costs = rules.costs(in_pool=True)
    assert size(10_000.0, 105.0, 0.1, 1e9, costs, rules) == (80.0, None)
    assert size(10_000.0, 5.0, 0.1, 1e9, costs, rules) == (0.0, Skip.NO_CASH)


def test_an_exchange_takes_its_own_costs_and_no_network_fee() -> None:
    rules = replace(FREE, fee=0.01, fixed_fee_usd=5.0, slippage=0.02, exchange_fee=0.001, exchange_slippage=0.0005)
    tape = Tape(grid_of([FLAT] * 4), in_pools=np.array([False]))
    (bought,) = [fill for events in walk(tape, one_signal(), rules)[1] for fill in events.fills]
    assert bought.fee == bought.usd * 0.001
    assert bought.usd / bought.quantity == pytest.approx(100 * 1.0005)


def test_an_exchange_symbol_breaks_even_nearer_to_its_entry_than_a_token_of_a_pool() -> None:
    rules = replace(FREE, break_even=True, fee=0.01, exchange_fee=0.001, exchange_slippage=0)
    position = Position(1, 7, 1.0, 0, 100.0, 1.0, 0.5, 90.0, (110.0, 120.0), 1, NAN, NAN, 100.0, 100.0, 0)
    assert stop_level(position, rules.costs(in_pool=True), rules) == (pytest.approx(102), Deal.BREAK_EVEN)
    assert stop_level(position, rules.costs(in_pool=False), rules) == (pytest.approx(100.2), Deal.BREAK_EVEN)


def test_what_a_signal_is_judged_at_is_what_its_fills_take() -> None:
    rules, judge = BrokerRules(), JudgeRule()
    assert rules.costs(in_pool=True).both_ways == pytest.approx(judge.round_trip_cost)
    assert rules.costs(in_pool=False).both_ways == pytest.approx(judge.exchange_round_trip_cost)


@pytest.mark.parametrize("shares", [{"share_1": 0}, {"share_1": 1}, {"share_2": 0}, {"share_2": 1}])
def test_a_target_that_is_not_the_last_sells_a_part(shares: dict) -> None:
    with pytest.raises(ValueError, match=r"^a target sells a part: its share lies between 0 and 1$"):
        BrokerRules(**shares)


def test_whether_somebody_looked_is_told_or_seen_from_the_bars() -> None:
    grid, looked = grid_of([FLAT, None, FLAT]), np.array([False, True, False])
    assert Tape(grid, observed=looked).watched().tolist() == looked.tolist()
    assert Tape(grid).watched().tolist() == [True, False, True]
    assert [Tape(grid, observed=looked).bar(row).observed for row in range(3)] == looked.tolist()


# invariants


def stored_and_read(book: Book) -> Book:
    """Through text, as a row of a table would hold it."""
    values = json.loads(json.dumps(asdict(book)))
    positions = (Position(**{**row, "targets": tuple(row["targets"])}) for row in values["positions"])
    orders = (Order(**{**row, "targets": tuple(row["targets"])}) for row in values["orders"])
    pairs = {name: tuple(tuple(pair) for pair in values[name]) for name in ("entered", "closed")}
    return Book(values["cash"], values["until"], tuple(positions), tuple(orders), **pairs)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_bar_taken_in_twice_and_a_restart_change_nothing(seed: int) -> None:
    tape, rules = market(seed, bars=40), rules_of(seed)
    signals = signals_on(tape, seed)
    book = opened_book(rules)
    for row in range(len(tape)):
        some, bar = signals.only(signals.row == row), tape.bar(row)
        after, events = step(book, bar, some, rules)
        again = stored_and_read(book)
        assert repr(step(again, bar, some, rules)) == repr((after, events))
        assert step(after, bar, some, rules) == (after, type(events)())
        book = after


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_what_must_hold_in_every_bar(seed: int) -> None:
    tape, rules = market(seed, bars=50), rules_of(seed)
    signals = signals_on(tape, seed)
    place = {int(token): column for column, token in enumerate(tape.grid.tokens)}
    quote = dict(zip(signals.key.tolist(), (signals.side * signals.quote).tolist(), strict=True))
    side = dict(zip(signals.key.tolist(), signals.side.tolist(), strict=True))
    book, bought, sold, over, cash = opened_book(rules), {}, {}, set(), rules.capital_usd
    for row in range(len(tape)):
        book, events = step(book, tape.bar(row), signals.only(signals.row == row), rules)
        for fill in events.fills:
            assert fill.fee >= 0
            assert fill.key not in over  # what is closed never changes
            there = not np.isnan(tape.grid.close[row, place[fill.token]])
            assert there or fill.deal == Deal.DEAD  # nothing is filled in a gap
            way = side[fill.key] if fill.deal == Deal.ENTRY else -side[fill.key]
            cash -= way * fill.usd + fill.fee
            amounts = bought if fill.deal == Deal.ENTRY else sold
            amounts[fill.key] = amounts.get(fill.key, 0.0) + fill.quantity
            if fill.deal == Deal.ENTRY:
                assert side[fill.key] * fill.price >= quote[fill.key]  # no better than the decision
        held = {position.key for position in book.positions}
        over |= set(bought) - held
        for key in over:
            assert sold[key] == pytest.approx(bought[key], rel=1e-12)  # sold is what was bought
        assert len(book.positions) + len(book.orders) <= rules.most_open
        assert book.cash == pytest.approx(cash)
        assert book.equity == valued(book.cash, book.positions)


@given(st.floats(0.5, 0.999), st.floats(0, 0.02), st.floats(0, 0.02))
@settings(max_examples=50, deadline=None)
def test_a_long_loses_when_the_price_falls(fall: float, fee: float, slippage: float) -> None:
    rules = replace(FREE, fee=fee, slippage=slippage, unknown_liquidity_usd=50_000, time_stop_sec=60, worse_side=1)
    low = 100 * fall
    tape = Tape(grid_of([FLAT, FLAT, (low, low, low, low), (low, low, low, low)]))
    book, _ = walk(tape, one_signal(), rules)
    assert not book.positions
    assert book.cash < rules.capital_usd


@given(SEEDS, st.sampled_from([1e-9, 1e5]))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_money_changes_nothing(seed: int, unit: float) -> None:
    rules = rules_of(seed)
    told = []
    for scale in (1.0, unit):
        tape = market(seed, bars=40, scale=scale)
        fills = [fill for events in walk(tape, signals_on(tape, seed), rules)[1] for fill in events.fills]
        told.append([(fill.key, fill.time, fill.deal, round(fill.usd, 4)) for fill in fills])
    assert told[0] == told[1]
