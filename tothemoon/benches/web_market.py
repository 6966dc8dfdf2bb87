"""A market for the bench of the web site: Active tokens with pools, snapshots and two hours of scores."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scoring.models import TokenScore
from scoring.run import score_tokens
from tokens.bulk_rows import insert_rows
from tokens.models import Pool, PoolSnapshot, StatusChange, Token, TokenSnapshot

INTERVAL = timedelta(seconds=30)
POOLS = 2
AT_ONCE = 20  # ticks written in one statement
FIGURES = ("price", "liquidity", "holders", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h")
FLOW = ("buys_5m", "sells_5m", "buys_volume_5m", "sells_volume_5m")


def make(number: int, ticks: int, say: Callable[[str], None] = lambda text: None) -> None:
    """Write the market into the present database. The newest tick is scored as the scheduler does it; the ones before get scores that
    walk at random, with components like the newest ones."""
    chance = random.Random(7)  # noqa: S311 - a market, not a secret
    end = datetime.now(UTC).replace(microsecond=0)
    pks = _tokens(number, end, chance)
    moments = [end - INTERVAL * (ticks - 1 - place) for place in range(ticks)]
    for first in range(0, ticks, AT_ONCE):
        say(f"making a market: snapshots, tick {first + 1} of {ticks}")
        _snapshots(pks, moments[first : first + AT_ONCE], chance)
    score_tokens(end)
    newest = {score.token_id: score for score in TokenScore.objects.all()}
    for first in range(0, ticks - 1, AT_ONCE):
        say(f"making a market: scores, tick {first + 1} of {ticks}")
        _scores(newest, moments[: ticks - 1][first : first + AT_ONCE], chance)


def _tokens(number: int, end: datetime, chance: random.Random) -> list[int]:
    """A third with names as people give them; migrated within the last two days."""
    fields = ("address", "chain", "status", "symbol", "name", "created_at", "migrated_signature", "first_pool_label", "status_changed_at")
    rest = ("held", "next_poll_at", "poll_failures", "units_spent", "observed_sec", "low_checks", "last_snapshot_at", "activated_at")
    rows = []
    for place in range(number):
        born = end - timedelta(minutes=chance.randrange(150, 2880))
        active = born + timedelta(minutes=chance.randrange(1, 60))
        names = (f"S{place}", "" if place % 3 else f"The token <{place}> & its friends")
        rows.append(
            (f"T{place:043}", "solana", "Active", *names, born, "s", "pump-amm", active, False, end, 0, 0, 0.0, 0, end, active),
        )
    insert_rows(Token, [*fields, *rest], rows)
    tokens = list(Token.objects.order_by("pk").values_list("pk", "created_at", "activated_at"))
    changes = [(pk, "Initial", "Active", "liquidity ≥ 10,000", "{}", "rule:activate", at) for pk, _, at in tokens]
    insert_rows(StatusChange, ["token", "old", "new", "reason", "evidence", "actor", "ts"], changes)
    pools = [(pk, f"P{pk:041}{side}", "pumpswap", "SOL", born, born, end) for pk, born, _ in tokens for side in range(POOLS)]
    insert_rows(Pool, ["token", "pool_address", "dex_name", "quote_symbol", "opened_at", "first_seen", "last_seen"], pools)
    seen = [(pk, end, 0.001, 20_000.0, 60, 700, 900.0, 11_000.0) for pk in Pool.objects.values_list("pk", flat=True)]
    insert_rows(PoolSnapshot, ["pool", "ts", "price", "liquidity", *FIGURES[3:]], seen)
    return [pk for pk, _, _ in tokens]


def _snapshots(pks: list[int], moments: list[datetime], chance: random.Random) -> None:
    rows = []
    for ts in moments:
        for pk in pks:
            trades = chance.randrange(10, 400)
            buys = chance.randrange(trades + 1)
            known = (0.001 * (pk % 90 + 1), 500.0 + pk % 400 * 130.0, 400 + pk % 3000 + trades, trades, trades * 11, trades * 21.0)
            flow = (trades * 240.0, buys, trades - buys, buys * 21.0, (trades - buys) * 20.0)
            rows.append((pk, ts, "birdeye", *known, *flow, ts, ts, ""))
    insert_rows(TokenSnapshot, ["token", "ts", "source", *FIGURES, *FLOW, "last_trade_at", "birdeye_at", "contradictions"], rows)


def _scores(newest: dict[int, TokenScore], moments: list[datetime], chance: random.Random) -> None:
    components = {pk: json.dumps(score.components) for pk, score in newest.items()}
    rows = [
        (pk, ts, (score.score or 0.0) * chance.uniform(0.6, 1.4), components[pk], score.settings_id)
        for ts in moments
        for pk, score in newest.items()
    ]
    insert_rows(TokenScore, ["token", "ts", "score", "components", "settings"], rows)
