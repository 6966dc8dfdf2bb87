"""Who is asked about, and when: every living token's pools from DexScreener, Birdeye where it matters most, nobody forgotten.

A token's next turn stands in the database. What is due longest comes first, so whatever does not fit into one tick is first in the
next. HTTP happens outside any transaction; the rows are written at the end, in two short ones.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction

from ingestion.due import DueToken, active_tokens_to_ask, due_tokens
from ingestion.facts import PoolFacts, TokenFacts
from ingestion.intake import Snapshots, record_snapshots, record_spend
from ingestion.leases import Lease, Terms
from ingestion.snapshot_rows import Answer, Freshness, LastRow
from ingestion.turns import NEAR, PATIENCE, SINGLE_RUN_SEC, Pace, next_failures, reach, wait_sec, worth_asking
from tokens.models import Status

__all__ = ["Pace", "PollReport", "PoolSource", "TokenSource", "poll"]

MINTS_A_CALL = 240  # eight requests of 30: then a look at the clock
MINTS_OF_A_SHARE = 60  # two: a share is renewed each time, and may not run out between
SUSPECTS_FROM = 3  # polls in vain; such a token may be the one that spoils the request it is part of
SUSPECTS_A_CALL, SUSPECT_CALLS = 5, 20
BIRDEYE_A_CALL = (5, 20)  # the first look at the clock comes early where the rate is low
ALONE_A_TICK = 10
POOLS_SHARE, BIRDEYE_SHARE = 0.6, 0.85  # of the interval: after this no request is begun, so that the tick fits into it
POOLS_ALONE_SHARE = 0.95  # where nobody asks Birdeye: by then what was begun has ended


class TokenSource(Protocol):
    """Birdeye, as far as polling needs it."""

    def usable(self, now: datetime) -> bool: ...
    def affordable(self, now: datetime) -> int: ...
    def overviews(self, addresses: Sequence[str], now: datetime) -> dict[str, TokenFacts]: ...
    def take_spend(self) -> dict[str, int]: ...


class PoolSource(Protocol):
    """DexScreener, as far as polling needs it."""

    def pools(self, mints: Sequence[str], now: datetime) -> dict[str, list[PoolFacts]]: ...
    def pools_of(self, mint: str, now: datetime) -> list[PoolFacts] | None: ...


@dataclass(frozen=True, slots=True)
class PollReport:
    """What one poll did. `left` were due but did not fit in: they are first in the next tick."""

    due: int = 0
    left: int = 0
    answered: int = 0
    asked_alone: int = 0
    birdeye_asked: int = 0
    birdeye_answered: int = 0
    token_rows: int = 0
    pool_rows: int = 0
    new_pools: int = 0


@dataclass
class _Tick:
    """What is known so far in this tick."""

    status: Status
    now: datetime
    pace: Pace
    tokens: Sequence[DueToken]
    asked: set[str] = field(default_factory=set)
    pools: dict[str, list[PoolFacts]] = field(default_factory=dict)
    facts: dict[str, TokenFacts] = field(default_factory=dict)
    alone: int = 0
    birdeye_asked: int = 0
    spend: dict[str, int] = field(default_factory=dict)
    share: Lease | None = None

    def reached(self, token: DueToken) -> float | None:
        """How near to activation, by what is newest: Birdeye's answer, else the pools', else the last row."""
        facts, pools = self.facts.get(token.address), self.pools.get(token.address)
        if facts is not None:
            return reach(facts.liquidity, facts.tx_count_5m, self.pace)
        if pools:
            return reach(_sum(pool.liquidity for pool in pools), _sum(pool.tx_count_5m for pool in pools), self.pace)
        return reach(token.last.liquidity, token.last.tx_count_5m, self.pace) if token.last is not None else None

    def birdeye_age(self, token: DueToken) -> float:
        """Seconds since Birdeye last told of this token. Where it never did, as much as makes everything of it stale, and its age."""
        if token.last is not None and token.last.birdeye_at is not None:
            return (self.now - token.last.birdeye_at).total_seconds()
        return self.pace.holders_freshness_sec + (self.now - token.created_at).total_seconds()


def poll(
    status: Status,
    now: datetime,
    pace: Pace,
    birdeye: TokenSource,
    dexscreener: PoolSource,
    *,
    once: bool = False,
    clock: Callable[[], float] = time.monotonic,
    writing: Callable[[], AbstractContextManager[None]] = nullcontext,
    terms: Terms | None = None,
) -> PollReport:
    """Ask about the tokens of this status that are due, and store what was answered, inside `writing()`: it may refuse by raising.

    A turn that comes before the middle of the next tick is taken now: ticks are never exact to the millisecond, and a token that is
    due a moment after this one would otherwise wait twice its time. In a single run (`once`) no tick comes after it: every turn within
    a whole interval is taken, so all but who is asked less often on purpose, and a short interval does not cut the run short.

    With `terms` one share of a tick's tokens is taken and asked about, while other machines have theirs: whatever is due then is due by
    the tick, however late the share is taken, so that nobody is asked twice in it.
    """
    ahead_sec = pace.interval_sec if once else pace.interval_sec / 2
    time_sec = max(pace.interval_sec, SINGLE_RUN_SEC) if once else pace.interval_sec
    share = None
    if terms is not None:
        share = Lease(terms)
        share.take(status, terms.tick + timedelta(seconds=ahead_sec))
    tick = _Tick(status, now, pace, due_tokens(status, now, ahead_sec, share), share=share)
    began = clock()

    def in_time(of: float, for_sec: float = 0.0) -> bool:
        return clock() - began + for_sec < of * time_sec and (share is None or share.renew())

    def in_time_for_pools(longest_sec: float) -> bool:
        """Where nobody asks Birdeye afterwards its time is the pools' too, as far as what is begun in it also ends in it."""
        return in_time(POOLS_SHARE) or (not birdeye.usable(now) and in_time(POOLS_ALONE_SHARE, longest_sec))

    _ask_pools(tick, dexscreener, in_time_for_pools, clock)
    _ask_birdeye(tick, birdeye, lambda: in_time(BIRDEYE_SHARE))
    answers = [_answer(token, tick) for token in tick.tokens if token.address in tick.asked]
    with writing():
        rows = _record(answers, tick)
        record_spend(tick.spend)
    return PollReport(
        due=len(tick.tokens),
        left=len(tick.tokens) - len(answers),
        answered=sum(answer.answered for answer in answers),
        asked_alone=tick.alone,
        birdeye_asked=tick.birdeye_asked,
        birdeye_answered=len(tick.facts),
        token_rows=rows.tokens,
        pool_rows=rows.pools,
        new_pools=rows.new_pools,
    )


def _record(answers: Sequence[Answer], tick: _Tick) -> Snapshots:
    """What was answered becomes rows; of a share only for those tokens that nobody else has taken since."""
    freshness = Freshness(tick.pace.freshness_limit_sec, tick.pace.holders_freshness_sec)
    share = tick.share
    if share is None:
        return record_snapshots(answers, tick.now, freshness)
    with transaction.atomic():
        ours = share.ours()
        rows = record_snapshots([answer for answer in answers if answer.token_id in ours], tick.now, freshness)
        silent = [answer.token_id for answer in answers if not answer.answered]
        share.give_back(silent, share.terms.tick + timedelta(seconds=tick.pace.interval_sec / 2))
    return rows


def _ask_pools(tick: _Tick, dexscreener: PoolSource, in_time: Callable[[float], bool], clock: Callable[[], float]) -> None:
    longest_sec = 0.0
    for mints in _calls(tick):
        if tick.asked and not in_time(longest_sec):
            return
        tick.asked.update(mints)
        asked_at = clock()
        tick.pools.update({mint: pools for mint, pools in dexscreener.pools(mints, tick.now).items() if mint in tick.asked})
        longest_sec = max(longest_sec, clock() - asked_at)
    for token in _to_ask_alone(tick):
        if not in_time(longest_sec):
            return
        tick.alone += 1
        every = dexscreener.pools_of(token.address, tick.now)
        if every:
            known = {pool.pool_address: pool for pool in [*tick.pools[token.address], *every]}
            tick.pools[token.address] = list(known.values())


def _calls(tick: _Tick) -> Iterator[list[str]]:
    """Suspects by themselves, many of them in groups mixed anew each tick: one that spoils its request keeps no others from an answer."""
    suspects = [token.address for token in tick.tokens if token.poll_failures >= SUSPECTS_FROM]
    random.Random(tick.now.timestamp()).shuffle(suspects)  # noqa: S311 - a mixture, not a secret
    suspects = suspects[: SUSPECTS_A_CALL * SUSPECT_CALLS]
    apart = set(suspects)
    size = MINTS_A_CALL if tick.share is None else MINTS_OF_A_SHARE
    yield from _groups([token.address for token in tick.tokens if token.address not in apart], size)
    yield from _groups(suspects, -(-len(suspects) // SUSPECT_CALLS) or 1)


def _groups(mints: list[str], size: int) -> Iterator[list[str]]:
    return (mints[start : start + size] for start in range(0, len(mints), size))


def _to_ask_alone(tick: _Tick) -> list[DueToken]:
    """Requests of 30 leave out small pools: asked by itself is who they may make Active, who just became it, and who has none."""
    ranked: list[tuple[int, int, DueToken]] = []
    for token in tick.tokens:
        pools = tick.pools.get(token.address)
        if pools is None:
            continue
        reached = tick.reached(token) or 0.0
        if pools and tick.status == Status.INITIAL and NEAR <= reached < 1:
            ranked.append((0, token.poll_failures, token))
        elif tick.status == Status.ACTIVE and _just_activated(token):
            ranked.append((1, token.poll_failures, token))
        elif not pools:
            ranked.append((2, token.poll_failures, token))
    return [token for _, _, token in sorted(ranked, key=lambda entry: entry[:2])][:ALONE_A_TICK]


def _just_activated(token: DueToken) -> bool:
    """Active, and never looked at since."""
    return token.activated_at is not None and (token.last is None or token.last.ts <= token.activated_at)


def _ask_birdeye(tick: _Tick, birdeye: TokenSource, in_time: Callable[[], bool]) -> None:
    if not tick.tokens or not birdeye.usable(tick.now):
        return
    room = birdeye.affordable(tick.now)
    if tick.status == Status.INITIAL and room > 0:
        room -= active_tokens_to_ask(tick.now, tick.pace.freshness_limit_sec / 2)
    addresses = _by_worth(tick)[: max(room, 0)]
    last_rows = {token.address: token.last for token in tick.tokens}
    least, most = BIRDEYE_A_CALL
    for group in _groups(addresses, max(least, min(most, room // 4))):
        if tick.birdeye_asked and not (in_time() and birdeye.usable(tick.now)):
            break
        tick.asked.update(group)
        tick.birdeye_asked += len(group)
        told = {address: facts for address, facts in birdeye.overviews(group, tick.now).items() if address in tick.asked}
        tick.facts.update({address: facts for address, facts in told.items() if not _older(facts, last_rows[address])})
    tick.spend = birdeye.take_spend()


def _older(facts: TokenFacts, last: LastRow | None) -> bool:
    """Whether this answer is from before the newest row: it knows only of an earlier last trade. Somebody on its way had kept it."""
    if last is None or last.last_trade_at is None or facts.last_trade_at is None:
        return False
    return facts.last_trade_at < last.last_trade_at


def _by_worth(tick: _Tick) -> list[str]:
    """Active tokens by the age of what Birdeye last told, Initial ones by what an answer is worth; the first is asked first."""
    if tick.status == Status.ACTIVE:
        worth = {token.address: tick.birdeye_age(token) for token in tick.tokens}
    else:
        worth = {token.address: worth_asking(tick.reached(token), tick.birdeye_age(token)) for token in tick.tokens}
    return sorted((address for address, value in worth.items() if value > 0), key=lambda address: -worth[address])


def _answer(token: DueToken, tick: _Tick) -> Answer:
    facts, pools = tick.facts.get(token.address), tick.pools.get(token.address)
    answered = facts is not None or pools is not None
    failures = next_failures(token.poll_failures, answered, facts is not None or bool(pools))
    age = (tick.now - token.created_at).total_seconds()
    waiting = wait_sec(tick.status == Status.ACTIVE, age, tick.reached(token), failures, tick.pace)
    next_poll_at = tick.now + timedelta(seconds=waiting)
    if not answered and failures <= PATIENCE:
        next_poll_at = token.next_poll_at  # still due, and so among the first to be asked when the service is back
    return Answer(
        token_id=token.pk,
        next_poll_at=next_poll_at,
        last=token.last,
        facts=facts,
        pools=pools,
        poll_failures=failures,
        units=tick.spend.pop(token.address, 0),
        names=_names(token, [facts, *(pools or ())]),
    )


def _names(token: DueToken, told: Sequence[TokenFacts | PoolFacts | None]) -> tuple[str, str] | None:
    """Symbol and name where one of them was unknown and is known now. The first to come is kept."""
    symbol = token.symbol or next((each.symbol for each in told if each is not None and each.symbol), "")
    name = token.name or next((each.name for each in told if each is not None and each.name), "")
    return None if (symbol, name) == (token.symbol, token.name) else (symbol, name)


def _sum(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None
