"""The make-believe market keeps its promises: the same for the same seed, figures that add up, and the lives it says tokens lead."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingestion.simulator.births import DAY, MIGRATIONS_A_DAY, Kind, Quirk
from ingestion.simulator.chance import crossed, share, uniform
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.market import Market, Trades, still_living
from ingestion.simulator.reports import change, told

moments = st.floats(0, 2 * DAY)
seeds = st.integers(0, 3)


market_of = cache(Market)


def market(seed: int = 0) -> Market:
    return market_of(seed)


def rows_of(kind: Kind, count: int = 40, least_age: float = 4 * 3600.0) -> np.ndarray:
    t = market().tokens
    return np.flatnonzero((t.kind == kind) & (t.born < -least_age))[-count:]


def trades_at(now: float, seconds: float = 3600.0, seed: int = 0) -> tuple[np.ndarray, Trades]:
    market(seed).reach(now)
    rows = np.array(list(market(seed).born_between(now - 3 * 3600, now))[-30:])
    return rows, market(seed).trades(rows, now, seconds)


def test_the_same_seed_gives_the_same_market_whatever_was_asked_before() -> None:
    asked, fresh = Market(9), Market(9)
    asked.trades(np.arange(30), 7000.0, 86_400)
    rows = np.arange(100, 130)
    assert asked.tokens.mint == fresh.tokens.mint
    for one, other in zip(asked.trades(rows, 0, 3600).window(0, 3600), fresh.trades(rows, 0, 600).window(0, 600), strict=True):
        assert (one >= other).all()
    np.testing.assert_array_equal(asked.trades(rows, 0, 3600).window(0, 300), fresh.trades(rows, 0, 600).window(0, 300))


def test_another_seed_gives_another_market() -> None:
    assert not set(market(0).tokens.mint) & set(market(1).tokens.mint)


def test_a_day_drawn_later_changes_nothing_about_the_days_before() -> None:
    early, late = Market(5), Market(5)
    late.reach(3 * DAY)
    assert late.tokens.mint[: len(early.tokens.mint)] == early.tokens.mint


def test_threads_that_reach_a_new_day_together_draw_it_once() -> None:
    shared = Market(6)
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: len(shared.born_between(DAY, 2 * DAY)), range(32)))
    assert set(counts) == {len(Market(6).born_between(DAY, 2 * DAY))}


@given(moments, seeds)
def test_five_minutes_lie_inside_the_hour(now: float, seed: int) -> None:
    _, trades = trades_at(now, seed=seed)
    for short, long in zip(trades.window(now, 300)[:4], trades.window(now, 3600)[:4], strict=True):
        assert (short <= long).all()
        assert (short >= 0).all()


@given(moments, st.floats(1, 3000))
def test_two_windows_side_by_side_add_up_exactly_to_the_long_one(now: float, cut: float) -> None:
    _, trades = trades_at(now)
    whole, recent, before = trades.window(now, 3600), trades.window(now, cut), trades.window(now - cut, 3600 - cut)
    np.testing.assert_array_equal(whole.trades, recent.trades + before.trades)
    np.testing.assert_array_equal(whole.usd, recent.usd + before.usd)


@given(moments)
def test_the_pools_add_up_exactly_to_the_token(now: float) -> None:
    rows, trades = trades_at(now)
    sums = np.zeros((2, len(rows)))
    for positions, pool in market().trades_by_pool(rows, now, 3600):
        window = pool.window(now, 3600)
        assert (window.trades >= 0).all()
        sums[0, positions] += window.trades
        sums[1, positions] += window.usd
    np.testing.assert_array_equal(sums, [trades.window(now, 3600).trades, trades.window(now, 3600).usd])


@given(moments)
def test_there_is_volume_exactly_where_there_are_trades(now: float) -> None:
    _, trades = trades_at(now)
    window = trades.window(now, 300)
    np.testing.assert_array_equal(window.buys > 0, window.buys_usd > 0)
    np.testing.assert_array_equal(window.sells > 0, window.sells_units > 0)


@given(moments)
def test_the_last_trade_lies_in_the_past_and_in_a_window_that_has_trades(now: float) -> None:
    _, trades = trades_at(now)
    last = trades.last_moment(now)
    assert (last[~np.isnan(last)] <= now).all()
    recent = trades.window(now, 300).trades > 0
    assert (last[recent] >= now - 360).all()


@given(moments, seeds)
def test_wallets_are_never_more_than_trades_and_grow_with_them(now: float, seed: int) -> None:
    rows, trades = trades_at(now, seed=seed)
    few = market(seed).wallets(rows, trades.window(now, 300).trades)
    many = market(seed).wallets(rows, trades.window(now, 3600).trades)
    assert (few <= trades.window(now, 300).trades).all()
    assert (few <= many).all()


@given(moments, seeds)
def test_prices_liquidity_and_holders_are_positive_and_finite(now: float, seed: int) -> None:
    rows, _ = trades_at(now, seed=seed)
    for figure in (market(seed).price(rows, now), market(seed).liquidity(rows, now), market(seed).holders(rows, now)):
        assert np.isfinite(figure).all()
        assert (figure > 0).all()


def test_about_1200_tokens_migrate_a_day_some_of_them_a_second_apart() -> None:
    day = market().born_between(-DAY, 0)
    gaps = np.diff(market().tokens.born[day.start : day.stop])
    assert 0.85 * MIGRATIONS_A_DAY < len(day) < 1.15 * MIGRATIONS_A_DAY
    assert (gaps < 2).mean() > 0.1


def test_three_thousand_tokens_of_all_ages_are_there_at_the_start() -> None:
    born = market().tokens.born[: market().born_between(-3 * DAY, 0).stop]
    assert len(born) > 3000
    assert {int(-moment // DAY) for moment in born} == {0, 1, 2}


def test_those_still_living_at_the_start_are_the_young_and_the_busy_in_order_of_birth() -> None:
    everyone, some = still_living(market(), 10_000), still_living(market(), 25)
    assert some == everyone[-25:] == sorted(some)
    dead = set(market().born_between(-3 * DAY, -DAY)) - set(everyone)
    window = market().trades(np.array(sorted(dead)), 0, 3600).window(0, 300)
    assert np.mean(window.trades < 25) > 0.95
    assert still_living(market(), 0) == []


def test_a_token_is_unknown_before_it_migrates() -> None:
    row = market().born_between(0, DAY)[0]
    mint, born = market().tokens.mint[row], float(market().tokens.born[row])
    assert market().rows([mint], born - 1) == []
    assert market().rows([mint, "unheard-of"], born) == [row]


def test_a_rug_loses_its_liquidity_and_its_price_within_minutes() -> None:
    rows = rows_of(Kind.RUG, least_age=0)
    for row in rows:
        end = float(market().tokens.born[row] + 60 * market().tokens.end_at[row])
        one = np.array([row])
        assert market().liquidity(one, end + 180)[0] < 100 < market().liquidity(one, end - 1)[0]
        assert market().price(one, end + 180)[0] < market().price(one, end - 1)[0] / 10


def test_dust_ends_with_cents_of_liquidity_and_a_price_of_hundreds_or_more() -> None:
    rows = rows_of(Kind.DUST)
    assert (market().liquidity(rows, 0) < 0.05).all()
    assert (market().price(rows, 0) > 100).all()


def test_washed_tokens_trade_much_between_few_wallets_with_balanced_flow() -> None:
    rows = rows_of(Kind.WASH)
    window = market().trades(rows, 0, 3600).window(0, 3600)
    wallets = market().wallets(rows, window.trades)
    busy = window.trades > 50
    assert busy.sum() > 10
    assert (wallets[busy] / window.trades[busy] < 0.12).all()
    assert (np.abs(window.buys - window.sells) <= 2).all()


def test_most_fizzles_are_dead_within_the_day_and_runners_are_not() -> None:
    dead = market().trades(rows_of(Kind.FIZZLE, least_age=DAY), 0, 3600).window(0, 3600).trades
    alive = market().trades(rows_of(Kind.RUNNER, least_age=DAY), 0, 3600).window(0, 3600).trades
    assert np.median(dead) <= 5 < np.median(alive)


def test_a_wave_brings_more_trades_and_a_higher_price() -> None:
    t = market().tokens
    row = next(row for row in rows_of(Kind.PUMP, 200) if 60 < t.wave_at[row, 0] < 300 and t.wave_gain[row, 0] > 1)
    one, peak = np.array([row]), t.wave_at[row, 0]
    assert market().rate(one, np.array([[peak]]))[0, 0] > market().rate(one, np.array([[peak + 8 * t.wave_width[row, 0]]]))[0, 0]


def test_holders_are_counted_late_and_seldom() -> None:
    rows = rows_of(Kind.RUNNER, 20, least_age=0)
    counts = np.array([market().holders(rows, float(now)) for now in range(0, 1800, 10)])
    changes = (np.diff(counts, axis=0) != 0).sum(axis=0)
    assert (changes <= 16).all()
    assert changes.any()


def test_some_figures_contradict_each_other_on_purpose() -> None:
    _, trades = trades_at(0.0)
    five, hour = trades.window(0, 300), trades.window(0, 3600)
    busy = int(np.argmax(five.trades))
    bent = {quirk: (told(five, [quirk] * 30, 300)[busy], told(hour, [quirk] * 30, 3600)[busy]) for quirk in Quirk}
    assert bent[Quirk.NONE][0].trades <= bent[Quirk.NONE][1].trades
    assert bent[Quirk.TRADES_WITHOUT_VOLUME][0].trades > 0 == bent[Quirk.TRADES_WITHOUT_VOLUME][0].usd
    assert bent[Quirk.VOLUME_WITHOUT_TRADES][0].usd > 0 == bent[Quirk.VOLUME_WITHOUT_TRADES][0].trades
    assert bent[Quirk.SHORT_HOUR][0].trades > bent[Quirk.SHORT_HOUR][1].trades
    assert set(Quirk) == set(market().tokens.quirk.tolist())


def test_a_change_is_null_exactly_when_there_was_nothing_before() -> None:
    assert change(5, 0) is None
    assert change(0, 4) == -100
    assert change(3, 2) == 50


@given(st.integers(0, 2**64 - 1), st.integers(-(2**40), 2**40))
def test_chance_is_between_nought_and_one_and_always_the_same(key: int, moment: int) -> None:
    draw = uniform(crossed(np.array([key], dtype=np.uint64), np.array([moment])), 2)
    assert 0 < draw[0] < 1
    assert draw == uniform(crossed(np.array([key], dtype=np.uint64), np.array([moment])), 2)
    assert 0 < share(str(key), salt=moment % 7) < 1


def test_the_clock_tells_moments_on_our_time_and_never_in_the_future() -> None:
    clock = MarketClock(speed=100)
    now = clock.now()
    assert clock.unix(0) - clock.unix(-3600) == 3600
    assert round(clock.unix(now) - clock.unix(now - 100) if now > 100 else 1.0, 6) == 1
    assert len(clock.human(0)) == len("2026-11-21T12:00:00")
