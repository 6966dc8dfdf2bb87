from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.facts import PoolFacts, TokenFacts
from ingestion.polling import Pace, poll
from tokens.models import Pool, PoolSnapshot, Status, Token, TokenSnapshot

pytestmark = pytest.mark.django_db

PACE = Pace(
    interval_sec=30, young_minutes=60, freshness_limit_sec=180, holders_freshness_sec=1800, min_tx_count=25, min_active_liquidity=500.0
)


class Clock:
    """Seconds that pass only when somebody spends them."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


class Pools:
    """DexScreener as polling sees it: `known` pools by mint; `silent` mints spoil the request of 30 they are part of."""

    def __init__(self, known=None, *, silent=(), down=False, clock=None, seconds_a_request=0.0):
        self.known, self.silent, self.down = known or {}, set(silent), down
        self.clock, self.seconds_a_request = clock, seconds_a_request
        self.asked, self.asked_alone = Counter(), Counter()

    def pools(self, mints, now):
        self.asked.update(mints)
        found = {}
        for start in range(0, len(mints), 30):
            group = mints[start : start + 30]
            if self.clock is not None:
                self.clock.seconds += self.seconds_a_request
            if not self.down and not self.silent.intersection(group):
                found |= {mint: self.known.get(mint, []) for mint in group}
        return found

    def pools_of(self, mint, now):
        self.asked_alone[mint] += 1
        return self.known.get(f"all of {mint}")


class Birdeye:
    """Birdeye as polling sees it: it answers for whatever is in `facts`, or for all with `answers_all`."""

    def __init__(self, facts=(), *, affordable=1000, usable=True, answers_all=False):
        self.facts = {fact.address: fact for fact in facts}
        self.room, self.works, self.answers_all = affordable, usable, answers_all
        self.asked = []

    def usable(self, now):
        return self.works

    def affordable(self, now):
        return self.room

    def overviews(self, addresses, now):
        self.asked += addresses
        if self.answers_all:
            return {address: TokenFacts(address, holders=100) for address in addresses}
        return {address: self.facts[address] for address in addresses if address in self.facts}

    def take_spend(self):
        return dict.fromkeys(self.asked, 25)


NO_KEY = Birdeye(usable=False)


def tokens(number, now, status="Initial", **fields):
    fields = {"created_at": now, "next_poll_at": now} | fields
    return Token.objects.bulk_create([Token(address=f"T{n:043}", status=status, **fields) for n in range(number)])


def pool(mint, address="P", **figures):
    figures = {"price": 0.001, "liquidity": 200.0, "tx_count_5m": 5, "tx_count_1h": 60, "volume_5m": 10.0, "volume_1h": 120.0} | figures
    return PoolFacts(mint, f"{address}{mint[1:]}", "pumpswap", quote_symbol="SOL", **figures)


def test_one_tick_of_one_token_from_both_services(now):
    (token,) = tokens(1, now)
    facts = TokenFacts(token.address, price=2.0, liquidity=900.0, holders=70, tx_count_5m=30, buys_volume_5m=5.0, symbol="WIF", name="hat")
    report = poll("Initial", now, PACE, Birdeye([facts]), Pools({token.address: [pool(token.address)]}))
    row = TokenSnapshot.objects.get()
    assert (row.source, row.price, row.liquidity, row.holders, row.birdeye_at, row.ts) == ("birdeye", 2.0, 900.0, 70, now, now)
    assert PoolSnapshot.objects.get().liquidity == 200.0
    token.refresh_from_db()
    assert (token.symbol, token.name, token.units_spent, token.last_snapshot_at) == ("WIF", "hat", 25, now)
    assert (report.due, report.answered, report.token_rows, report.pool_rows, report.new_pools) == (1, 1, 1, 1, 1)


def test_without_birdeye_the_pools_are_added_up(now):
    (token,) = tokens(1, now)
    pools = [pool(token.address, "A", liquidity=10.0, price=9.0), pool(token.address, "B", liquidity=40.0, price=3.0, tx_count_1h=None)]
    poll("Initial", now, PACE, NO_KEY, Pools({token.address: pools}))
    row = TokenSnapshot.objects.get()
    assert (row.source, row.liquidity, row.price, row.tx_count_5m, row.tx_count_1h, row.holders) == ("pools", 50.0, 3.0, 10, 60, None)
    assert Pool.objects.count() == PoolSnapshot.objects.count() == 2


def test_the_same_tick_by_hand_a_second_time_changes_nothing(now):
    (token,) = tokens(1, now)
    for _ in range(2):
        poll("Initial", now, PACE, Birdeye(answers_all=True), Pools({token.address: [pool(token.address)]}))
    token.refresh_from_db()
    assert TokenSnapshot.objects.count() == PoolSnapshot.objects.count() == 1
    assert token.units_spent == 25


def test_a_turn_that_comes_in_the_first_half_of_the_interval_is_taken_now(now):
    soon, later = tokens(2, now)
    Token.objects.filter(pk=soon.pk).update(next_poll_at=now + timedelta(seconds=15))
    Token.objects.filter(pk=later.pk).update(next_poll_at=now + timedelta(seconds=16))
    assert poll("Initial", now, PACE, NO_KEY, Pools()).due == 1


def test_a_single_run_takes_every_turn_within_an_interval_and_leaves_out_who_is_asked_less_often(now):
    just_asked, old, silent = tokens(3, now)
    Token.objects.filter(pk=just_asked.pk).update(next_poll_at=now + timedelta(seconds=30))
    Token.objects.filter(pk=old.pk).update(next_poll_at=now + timedelta(seconds=31), created_at=now - timedelta(hours=2))
    Token.objects.filter(pk=silent.pk).update(next_poll_at=now + timedelta(seconds=60), poll_failures=6)
    pools = Pools()
    assert poll("Initial", now, PACE, NO_KEY, pools, once=True).due == 1
    assert set(pools.asked) == {just_asked.address}


@pytest.mark.parametrize(("once", "answered"), [(False, 1), (True, 3)])
def test_a_short_interval_does_not_cut_a_single_run_short(now, once, answered):
    clock, pace = Clock(), replace(PACE, interval_sec=1)
    tokens(3, now, poll_failures=3)
    found = poll("Initial", now, pace, NO_KEY, Pools(clock=clock, seconds_a_request=2.0), clock=clock, once=once)
    assert found.answered == answered


def test_archived_tokens_and_those_of_the_other_status_are_left_alone(now):
    tokens(1, now, status="Archived")
    assert poll("Active", now, PACE, NO_KEY, Pools()).due == 0


def test_what_was_not_asked_for_is_not_taken(now):
    (token,) = tokens(1, now)

    class Generous(Pools):
        def pools(self, mints, now):
            return {mint: [] for mint in mints} | {"X" * 44: [pool("X" * 44)]}

    poll("Initial", now, PACE, NO_KEY, Generous())
    assert not Pool.objects.exists()


def test_a_service_that_is_down_costs_nobody_his_turn(now):
    tokens(3, now)
    poll("Initial", now, PACE, NO_KEY, Pools(down=True))
    assert not TokenSnapshot.objects.exists()
    assert poll("Initial", now + timedelta(seconds=30), PACE, NO_KEY, Pools()).due == 3


def test_an_outage_of_any_length_slows_nobody_down(now):
    (token,) = tokens(1, now)
    for tick in range(20):
        poll("Initial", now + timedelta(seconds=30 * tick), PACE, NO_KEY, Pools(down=True))
    token.refresh_from_db()
    assert token.poll_failures == 5
    assert poll("Initial", now + timedelta(seconds=600), PACE, NO_KEY, Pools({token.address: [pool(token.address)]})).token_rows == 1
    token.refresh_from_db()
    assert (token.poll_failures, token.next_poll_at) == (0, now + timedelta(seconds=630))


def test_a_mint_that_never_appears_is_asked_about_less_and_less(now):
    (token,) = tokens(1, now)
    nowhere, asked, moment = Pools(), [], now
    while moment < now + timedelta(days=2):
        poll("Initial", moment, PACE, NO_KEY, nowhere)
        asked.append(moment)
        moment = Token.objects.get().next_poll_at
    first_day = sum(moment < now + timedelta(days=1) for moment in asked)
    assert first_day <= 40
    assert len(asked) - first_day <= 24


def test_one_mint_that_spoils_every_request_keeps_nobody_else_from_an_answer_for_long(now):
    crowd = tokens(60, now)
    source = Pools({token.address: [pool(token.address)] for token in crowd}, silent=[crowd[7].address])
    for tick in range(8):
        poll("Initial", now + timedelta(seconds=30 * tick), PACE, NO_KEY, source)
    stale = Token.objects.filter(last_snapshot_at__isnull=True)
    assert [token.address for token in stale] == [crowd[7].address]


def test_two_thousand_tokens_at_one_request_a_second_and_nobody_starves(now):
    """R23: N tokens at 30 a second; the longest wait of anybody stays below 1.5 × N / rate."""
    clock = Clock()
    crowd = tokens(2_000, now, status="Active")
    source = Pools({token.address: [pool(token.address)] for token in crowd}, clock=clock, seconds_a_request=1.0)
    for tick in range(1, 13):
        moment = now + timedelta(seconds=30 * tick)
        began = clock.seconds
        poll("Active", moment, PACE, NO_KEY, source, clock=clock)
        assert clock.seconds - began <= 30
        if tick > 3:
            oldest = Token.objects.order_by("last_snapshot_at").first()
            assert moment - oldest.last_snapshot_at <= timedelta(seconds=1.5 * 2_000 / 30)
    times = Counter(TokenSnapshot.objects.values_list("token", flat=True)).values()
    assert max(times) - min(times) <= 2


@pytest.mark.parametrize(("birdeye", "left"), [(NO_KEY, 0), (Birdeye(affordable=0), 40)])
def test_where_nobody_asks_birdeye_its_time_is_the_pools_as_well(now, birdeye, left):
    """Five questions of five seconds: the fifth would be begun at 20 s, after the pools' 0.6 of 30 s, and ends within the tick."""
    clock = Clock()
    crowd = tokens(1_000, now, status="Active")
    source = Pools({token.address: [pool(token.address)] for token in crowd}, clock=clock, seconds_a_request=5 / 8)
    assert poll("Active", now, PACE, birdeye, source, clock=clock).left == left


@pytest.mark.parametrize("holders_sec", [100_000, 60])
def test_birdeye_goes_round_all_active_tokens_however_few_it_can_afford(now, holders_sec):
    """200 tokens, 20 paid answers a tick: after 10 ticks everybody has had one, after 20 two, also when answers get stale meanwhile."""
    crowd = tokens(200, now, status="Active")
    source, birdeye = Pools({token.address: [pool(token.address)] for token in crowd}), Birdeye(affordable=20, answers_all=True)
    for tick in range(20):
        poll("Active", now + timedelta(seconds=30 * tick), replace(PACE, holders_freshness_sec=holders_sec), birdeye, source)
    assert set(Counter(birdeye.asked[: 10 * 20]).values()) == {1}
    assert set(Counter(birdeye.asked).values()) == {2}


def test_initial_tokens_get_what_the_active_ones_leave_and_the_nearest_first(now):
    tokens(3, now, status="Active")
    far, near, there = Token.objects.bulk_create([Token(address=f"I{n:043}", created_at=now, next_poll_at=now) for n in range(3)])
    liquidity = {far: 50.0, near: 300.0, there: 2_000.0}
    source = Pools({token.address: [pool(token.address, liquidity=money, tx_count_5m=0)] for token, money in liquidity.items()})
    birdeye = Birdeye(affordable=4)
    poll("Initial", now, PACE, birdeye, source)
    assert birdeye.asked == [there.address]
    birdeye.room = 100
    poll("Initial", now + timedelta(seconds=30), PACE, birdeye, source)
    assert birdeye.asked[1:] == [there.address, near.address]


def test_requests_of_thirty_leave_out_small_pools_so_a_candidate_is_asked_alone(now):
    almost, dead = tokens(2, now)
    mint = almost.address
    known = {mint: [pool(mint, liquidity=400.0)], f"all of {mint}": [pool(mint, liquidity=400.0), pool(mint, "small", liquidity=150.0)]}
    source = Pools(known | {dead.address: [pool(dead.address, liquidity=1.0, tx_count_5m=0)]})
    report = poll("Initial", now, PACE, NO_KEY, source)
    assert report.asked_alone == 1
    assert TokenSnapshot.objects.get(token=almost).liquidity == 550.0


def test_a_token_without_any_pool_and_one_just_activated_are_asked_alone(now):
    (lonely,) = tokens(1, now)
    fresh = Token.objects.create(address="A" * 44, status="Active", activated_at=now - timedelta(minutes=1), next_poll_at=now)
    source = Pools({fresh.address: [pool(fresh.address, liquidity=9_000.0)]})
    poll("Initial", now, PACE, NO_KEY, source)
    poll("Active", now, PACE, NO_KEY, source)
    assert source.asked_alone == {lonely.address: 1, fresh.address: 1}


def test_holders_and_flow_are_carried_as_long_as_each_is_fresh(now):
    (token,) = tokens(1, now)
    source = Pools({token.address: [pool(token.address)]})
    facts = TokenFacts(token.address, holders=70, buys_volume_5m=5.0, sells_volume_5m=0.0, unique_wallets_5m=4, last_trade_at=now)
    poll("Initial", now, PACE, Birdeye([facts]), source)
    for seconds in (60, 210, 1830):
        poll("Initial", now + timedelta(seconds=seconds), PACE, NO_KEY, source)
    fields = ("source", "holders", "buys_volume_5m", "sells_volume_5m", "unique_wallets_5m", "last_trade_at", "birdeye_at")
    assert list(TokenSnapshot.objects.order_by("ts").values_list(*fields)[1:]) == [
        ("pools+birdeye", 70, 5.0, 0.0, 4, now, now),
        ("pools+birdeye", 70, None, None, None, None, now),
        ("pools", None, None, None, None, None, now),
    ]


def test_an_answer_that_knows_only_of_an_earlier_trade_is_passed_over(now):
    (token,) = tokens(1, now)
    newer = TokenFacts(token.address, price=2.0, holders=70, last_trade_at=now)
    poll("Initial", now, PACE, Birdeye([newer]), Pools())
    older, later = replace(newer, price=9.0, last_trade_at=now - timedelta(seconds=1)), now + timedelta(seconds=30)
    assert poll("Initial", later, PACE, Birdeye([older]), Pools({token.address: [pool(token.address)]})).birdeye_answered == 0
    row = TokenSnapshot.objects.latest("ts")
    assert (row.source, row.holders, row.last_trade_at) == ("pools+birdeye", 70, now)
    assert row.price != 9.0


def test_an_older_answer_never_overwrites_a_newer_one(now):
    (token,) = tokens(1, now)
    source = Pools({token.address: [pool(token.address)]})
    poll("Initial", now, PACE, NO_KEY, source)
    Token.objects.update(next_poll_at=now - timedelta(hours=1))
    assert poll("Initial", now - timedelta(seconds=40), PACE, NO_KEY, source).token_rows == 0
    token.refresh_from_db()
    assert token.last_snapshot_at == now


def test_who_is_refused_the_writing_leaves_no_trace(now):
    (token,) = tokens(1, now)

    @contextmanager
    def refused():
        raise PermissionError
        yield

    with pytest.raises(PermissionError):
        poll("Initial", now, PACE, NO_KEY, Pools({token.address: [pool(token.address)]}), writing=refused)
    assert not TokenSnapshot.objects.exists()
    assert not Pool.objects.exists()


def test_units_spent_by_the_other_job_find_their_token(now):
    (token,) = tokens(1, now)
    other = Token.objects.create(address="A" * 44, status="Active", next_poll_at=now + timedelta(hours=1), units_spent=5)
    birdeye = Birdeye(answers_all=True)
    birdeye.take_spend = lambda: {token.address: 25, other.address: 30}
    poll("Initial", now, PACE, birdeye, Pools({token.address: []}))
    other.refresh_from_db()
    assert other.units_spent == 35


def test_the_number_of_statements_does_not_grow_with_the_tokens(now):
    def statements(crowd, moment):
        source = Pools({token.address: [pool(token.address, "A"), pool(token.address, "B")] for token in crowd})
        with CaptureQueriesContext(connection) as captured:
            poll("Initial", moment, PACE, Birdeye(answers_all=True), source)
        return len(captured)

    few = statements(tokens(5, now), now)
    Token.objects.all().delete()
    many = statements(tokens(300, now), now)
    assert few == many
    assert many <= 30


def test_status_is_taken_as_an_enum_too(now):
    tokens(1, now, status=Status.ACTIVE)
    assert poll(Status.ACTIVE, now, PACE, NO_KEY, Pools()).due == 1
