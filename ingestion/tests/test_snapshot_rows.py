import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.facts import PoolFacts, TokenFacts
from ingestion.snapshot_rows import ADDED_UP, AMOUNTS, COUNTS, FLOW, Answer, Freshness, LastRow, pool_columns, token_columns

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FRESH = Freshness(flow_sec=180, holders_sec=1800)
NUMBERS = (*AMOUNTS, *COUNTS, *FLOW, "holders")


def answer(pools=None, facts=None, last=None, token_id=1):
    return Answer(token_id, NOW, last=last, facts=facts, pools=pools)


def row(*answers):
    """The last of the rows, as the database would show it."""
    columns = token_columns(answers, NOW, FRESH)
    values = {name: column.tolist()[-1] if isinstance(column, np.ndarray) else column[-1] for name, column in columns.items()}
    return {name: None if value != value else value for name, value in values.items()}


def pool(address="P", **figures):
    return PoolFacts("T", address, "pumpswap", **figures)


def test_a_pool_of_which_something_is_unknown_adds_what_is_known():
    found = row(answer([pool(liquidity=5.0, tx_count_5m=3), pool("Q", tx_count_5m=4)]))
    assert (found["liquidity"], found["tx_count_5m"], found["volume_5m"], found["source"]) == (5.0, 7, None, "pools")


def test_zero_is_a_sum_and_unknown_is_none():
    assert row(answer([pool(volume_5m=0.0)]))["volume_5m"] == 0.0
    assert row(answer([pool()]))["volume_5m"] is None
    assert row(answer([]))["tx_count_5m"] is None


def test_the_price_is_that_of_the_deepest_pool_that_has_one():
    pools = [pool("A", liquidity=10.0, price=1.0), pool("B", liquidity=900.0), pool("C", liquidity=20.0, price=2.0), pool("D", price=3.0)]
    assert row(answer(pools))["price"] == 2.0
    assert row(answer([pool("D", price=3.0)]))["price"] == 3.0


def test_where_birdeye_answers_the_row_is_birdeyes_and_what_it_leaves_out_is_unknown():
    found = row(answer([pool(liquidity=5.0, volume_1h=9.0)], TokenFacts("T", liquidity=7.0, holders=0, last_trade_at=NOW)))
    assert (found["source"], found["liquidity"], found["volume_1h"], found["holders"]) == ("birdeye", 7.0, None, 0)
    assert (found["birdeye_at"], found["last_trade_at"]) == (NOW, NOW)


@pytest.mark.parametrize(
    ("age", "flow", "holders", "source"),
    [(0, 5.0, 70, "pools+birdeye"), (180, 5.0, 70, "pools+birdeye"), (181, None, 70, "pools+birdeye"), (1801, None, None, "pools")],
)
def test_what_birdeye_told_is_carried_as_long_as_it_is_fresh(age, flow, holders, source):
    told = NOW - timedelta(seconds=age)
    last = LastRow(NOW - timedelta(seconds=30), holders=70, buys_volume_5m=5.0, last_trade_at=told, birdeye_at=told)
    found = row(answer([pool(liquidity=1.0)], last=last))
    assert (found["buys_volume_5m"], found["holders"], found["source"], found["birdeye_at"]) == (flow, holders, source, told)
    assert found["last_trade_at"] == (told if flow else None)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -1.0, 1e19])
def test_no_number_beyond_sense_comes_through(poison):
    found = row(answer(facts=TokenFacts("T", price=poison, liquidity=poison, volume_5m=3.0)))
    assert (found["price"], found["liquidity"], found["volume_5m"]) == (None, None, 3.0)


def test_sums_that_leave_their_column_are_unknown():
    found = row(answer([pool("A", tx_count_5m=2_000_000_000), pool("B", tx_count_5m=2_000_000_000)]))
    assert found["tx_count_5m"] is None


def test_a_trade_of_the_future_is_no_fact():
    assert row(answer(facts=TokenFacts("T", last_trade_at=NOW + timedelta(seconds=1))))["last_trade_at"] is None


def test_contradictions_are_named_in_the_row():
    last = LastRow(NOW - timedelta(seconds=30), price=1.0)
    found = row(answer([pool(price=1e6, liquidity=5_000.0, tx_count_5m=3, volume_5m=0.0)], last=last))
    assert found["contradictions"] == "trades_without_volume price_jump"


FIGURE = st.none() | st.sampled_from([0.0, 0.5, 3.0, 1e9])
POOL = st.fixed_dictionaries(dict.fromkeys((*AMOUNTS, *COUNTS), FIGURE))


@given(st.lists(st.lists(POOL, max_size=4), min_size=1, max_size=6))
def test_all_tokens_at_once_are_as_plain_sums_token_by_token(crowd):
    answers = [answer([pool(str(n), **figures) for n, figures in enumerate(pools)], token_id=n) for n, pools in enumerate(crowd)]
    columns = token_columns(answers, NOW, FRESH)
    for place, pools in enumerate(crowd):
        for name in ADDED_UP:
            known = [figures[name] for figures in pools if figures[name] is not None]
            expected = sum(known) if known and not (name in COUNTS and sum(known) > 2e9) else math.nan
            assert columns[name][place] == pytest.approx(expected, nan_ok=True)


def test_pool_rows_hold_each_pools_own_figures():
    columns = pool_columns([pool(liquidity=2.0, buys_5m=3), pool("Q", price=-1.0)], [11, 12], NOW)
    assert columns["pool"] == [11, 12]
    assert columns["liquidity"].tolist()[0] == 2.0
    assert np.isnan(columns["price"]).all()
    assert columns["buys_5m"].tolist()[0] == 3
