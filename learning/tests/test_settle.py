"""The arithmetic of outcomes, held against the same said in plain Python, and against what must be so."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learning.settle import BLIND_SEC, DEAD, MINUTE, PRICED, UNKNOWN, Due, Minutes, Outcomes, longest_blindness, outcomes

START = 1_795_262_400
LAST = 40  # minutes that a market may have
PRICE = st.floats(1e-6, 1e3)
BAR = st.tuples(PRICE, PRICE, PRICE).map(sorted)
BARS = st.dictionaries(st.tuples(st.integers(1, 3), st.integers(0, LAST)), BAR, max_size=60)
SEEN = st.sets(st.integers(0, LAST))
DECISION = st.tuples(
    st.integers(0, 20), st.sampled_from([1, 5, 15]), st.integers(1, 3), PRICE, st.sampled_from([60, 180, 900]), st.booleans()
)
DECISIONS = st.lists(DECISION, min_size=1, max_size=8)


def minutes_of(bars: dict[tuple[int, int], list[float]]) -> Minutes:
    rows = [(token, START + MINUTE * minute, high, low, close) for (token, minute), (low, close, high) in bars.items()]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return Minutes.of(dict(zip(("token", "open_time", "high", "low", "close"), columns, strict=True)))


def due_of(decisions: list[Any], cost: float = 0.02, loss: float = 0.8) -> Due:
    begin, horizon, token, price, fresh, exchange = (np.array(column) for column in zip(*decisions, strict=True))
    same = np.ones(len(begin))
    whole = (START + MINUTE * begin, MINUTE * horizon, token)
    return Due(*(part.astype(np.int64) for part in whole), price, same * cost, fresh.astype(float), same * loss, exchange)


def opened(seen: set[int]) -> np.ndarray:
    return np.array(sorted(START + MINUTE * minute for minute in seen), dtype=np.int64)


def plainly(
    decision: Any, bars: dict[tuple[int, int], list[float]], seen: set[int], cost: float = 0.02, loss: float = 0.8
) -> tuple[float, ...]:
    begin, horizon, token, price, fresh, _ = decision
    end = begin + horizon
    mine = [(minute, bars[token, minute]) for minute in range(begin, end) if (token, minute) in bars]
    age = MINUTE * (end - mine[-1][0] - 1) if mine else np.inf
    before = [minute for minute in seen if minute < end]
    ended_blind = not before or MINUTE * (end - max(before) - 1) > BLIND_SEC
    if age <= fresh and (not ended_blind or age <= BLIND_SEC):
        state = PRICED
    else:
        state = UNKNOWN if blindness(seen, max(begin, end - fresh / MINUTE), end) > BLIND_SEC else DEAD
    if state == UNKNOWN:
        return (state, *[np.nan] * 7)
    last = mine[-1][1][1] if mine else price
    gross = last * (0.2 if state == DEAD else 1) / price - 1
    net = (1 + gross) * (1 - cost) - 1
    if blindness(seen, begin, end) > BLIND_SEC:
        return state, mine[-1][1][1] if mine else np.nan, gross, net, *[np.nan] * 4
    if not mine:
        return state, np.nan, gross, net, gross, gross, MINUTE * horizon, MINUTE * horizon
    high, low = max(bar[2] for _, bar in mine), min(bar[0] for _, bar in mine)
    high_at = next(minute for minute, bar in mine if bar[2] == high)
    low_at = next(minute for minute, bar in mine if bar[0] == low)
    worst, worst_sec = low / price - 1, MINUTE * (low_at + 1 - begin)
    if gross < worst:
        worst, worst_sec = gross, MINUTE * horizon
    return state, last, gross, net, high / price - 1, worst, MINUTE * (high_at + 1 - begin), worst_sec


def blindness(seen: set[int], begin: float, end: float) -> float:
    inside = sorted(minute for minute in seen if begin <= minute < end)
    edges = [begin, *[minute + 1 for minute in inside]], [*inside, end]
    return max(MINUTE * (until - since) for since, until in zip(*edges, strict=True))


def rows_of(found: Outcomes) -> np.ndarray:
    return np.stack([np.asarray(getattr(found, name), dtype=np.float64) for name in Outcomes.__dataclass_fields__], axis=1)


@given(DECISIONS, BARS, SEEN, SEEN)
def test_it_is_what_plain_python_says_row_by_row(decisions: Any, bars: Any, seen: set[int], at_exchange: set[int]) -> None:
    found = rows_of(outcomes(due_of(decisions), minutes_of(bars), opened(seen), opened(at_exchange)))
    wanted = [plainly(decision, bars, at_exchange if decision[5] else seen) for decision in decisions]
    np.testing.assert_allclose(found, np.array(wanted, dtype=np.float64), rtol=1e-9, atol=1e-9)


@given(DECISIONS, BARS, SEEN, BARS)
def test_what_comes_after_the_horizon_and_what_was_before_change_nothing(decisions: Any, bars: Any, seen: set[int], others: Any) -> None:
    due = due_of(decisions)
    before = outcomes(due, minutes_of(bars), opened(seen), opened(seen))
    later = {(token, minute + 1000): bar for (token, minute), bar in others.items()}
    earlier = {(token, minute - 1000): bar for (token, minute), bar in others.items()}
    more = opened(seen | {minute + 1000 for minute in seen} | {minute - 1000 for minute in seen})
    after = outcomes(due, minutes_of({**bars, **later, **earlier}), more, more)
    np.testing.assert_array_equal(rows_of(before), rows_of(after))


@given(DECISIONS, BARS, SEEN, st.sampled_from([0.25, 8.0, 1024.0]))
def test_another_currency_is_the_same_return(decisions: Any, bars: Any, seen: set[int], rate: float) -> None:
    due = due_of(decisions)
    once = outcomes(due, minutes_of(bars), opened(seen), opened(seen))
    other = {at: [price * rate for price in bar] for at, bar in bars.items()}
    again = outcomes(replace(due, price=due.price * rate), minutes_of(other), opened(seen), opened(seen))
    np.testing.assert_array_equal(again.gross, once.gross)
    np.testing.assert_array_equal(again.best, once.best)


@given(DECISIONS, BARS, SEEN)
def test_worst_is_least_and_times_lie_within_the_horizon(decisions: Any, bars: Any, seen: set[int]) -> None:
    due = due_of(decisions)
    found = outcomes(due, minutes_of(bars), opened(seen), opened(seen))
    told = ~np.isnan(found.best)
    assert (found.worst[told] <= found.gross[told]).all()
    assert (found.gross[told] <= found.best[told] + 1e-12).all()
    for seconds in (found.best_sec[told], found.worst_sec[told]):
        assert ((seconds > 0) & (seconds <= due.horizon_sec[told])).all()
    known = found.state != UNKNOWN
    assert np.isfinite(found.gross[known]).all()
    assert np.isnan(found.gross[~known]).all()
    assert (found.net[known] <= found.gross[known] + 1e-12).all()


@given(SEEN, st.integers(0, 30), st.integers(1, 15))
def test_the_longest_blindness_is_that_of_plain_python(seen: set[int], begin: int, length: int) -> None:
    edges = (np.array([START + MINUTE * at]) for at in (begin, begin + length))
    assert longest_blindness(opened(seen), *edges)[0] == blindness(seen, begin, begin + length)


ALL = set(range(LAST + 1))
ONE = (0, 15, 1, 1.0, 900, False)


def came(bars: dict[int, list[float]], seen: set[int], decision: Any = ONE) -> tuple[int, float]:
    found = outcomes(due_of([decision]), minutes_of({(1, minute): bar for minute, bar in bars.items()}), opened(seen), opened(set()))
    return int(found.state[0]), round(float(found.gross[0]), 9)


def test_a_token_without_a_price_while_we_looked_is_dead_and_loses_what_the_settings_say() -> None:
    assert came({}, ALL) == (DEAD, -0.8)
    assert came({2: [1.0, 1.5, 2.0]}, ALL, (0, 15, 1, 1.0, 180, False)) == (DEAD, round(1.5 * 0.2 - 1, 9))


def test_an_outage_at_the_end_is_unknown_and_no_death() -> None:
    assert came({2: [1.0, 1.5, 2.0]}, set(range(3)))[0] == UNKNOWN


def test_a_token_that_had_its_turn_after_an_outage_only_later_is_not_called_dead() -> None:
    assert came({0: [1.0, 1.5, 2.0]}, {0, 13, 14}, (0, 15, 1, 1.0, 600, False))[0] == UNKNOWN


def test_an_outage_on_the_way_leaves_the_return_and_takes_best_and_worst() -> None:
    found = outcomes(due_of([ONE]), minutes_of({(1, 14): [1.0, 1.5, 2.0]}), opened({0, 13, 14}), opened(set()))
    assert (found.state[0], found.gross[0]) == (PRICED, 0.5)
    assert np.isnan([found.best[0], found.worst[0], found.best_sec[0]]).all()


def test_a_price_at_the_last_minute_counts_though_it_is_the_only_one() -> None:
    assert came({14: [1.0, 1.1, 1.2]}, ALL) == (PRICED, 0.1)
    assert came({15: [1.0, 1.1, 1.2]}, ALL)[0] == DEAD
