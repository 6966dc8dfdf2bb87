"""The console's preview over two hours of N tokens looked at every 30 s: the first answer, and the answers to a slider that moves."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from scoring import console
from scoring.console_form import values_of
from scoring.history import History
from scoring.run import score_tokens
from scoring.settings_in_force import active_settings
from tokens.bulk_rows import insert_rows
from tokens.models import Pool, Token, TokenSnapshot
from tothemoon.benches.tick import Line, NotEmpty

TICKS = 240
INTERVAL = timedelta(seconds=30)
MOVES = 15
FIRST_MS, WARM_MS = 2000.0, 300.0


def measure(number: int, database: str, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """The lines of the result, measured on the present database, which must be empty. Each answer is the whole one: form, replay, page."""
    if Token.objects.exists():
        raise NotEmpty("this database holds tokens: a bench writes, and writes only where nothing is")
    _market(number, say)
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("bench"))
    values, at = values_of(active_settings()), reverse("console_preview")
    clock = time.process_time if database == "sqlite" else time.perf_counter  # SQLite works in this process, undisturbed by its neighbours
    first, moved, other = [], [], []
    for turn in range(3):
        say(f"{database}: round {turn + 1} of 3")
        console.HISTORY = History(hours=3)
        first.append(_answer(client, clock, at, {**values, "weight_tx_accel": "0.3"}))
        for move in range(MOVES):
            moved.append(_answer(client, clock, at, {**values, "weight_tx_accel": f"{0.31 + move / 100:.2f}"}))
            other.append(_answer(client, clock, at, {**values, "ewma_alpha": f"{0.1 + move / 100:.2f}", "min_tx_count": f"{20 + move}"}))
    rows = f"{console.HISTORY.present(datetime.now(UTC)).rows:,} snapshots"
    return [
        _limit(database, f"limit: the first answer, {rows} read", first, FIRST_MS),
        _limit(database, f"limit: a weight moves, {rows} replayed", moved, WARM_MS),
        _limit(database, f"limit: α and a threshold move, {rows} replayed", other, WARM_MS),
    ]


def _answer(client: Client, clock: Callable[[], float], address: str, draft: dict[str, str]) -> float:
    began = clock()
    answer = client.post(address, draft)
    seconds = clock() - began
    if answer.status_code != 200 or b"places move" not in answer.content:
        raise RuntimeError(f"the preview answered {answer.status_code} without a preview")
    return seconds


def _limit(database: str, against: str, ours: list[float], most: float) -> Line:
    mine = statistics.median(ours) * 1000
    return Line("whatif", database, against, "ms", round(mine, 1), most, round(mine / most, 2), 1.0, mine <= most)


def _market(number: int, say: Callable[[str], None]) -> None:
    """Tokens of five hours ago with two hours of figures that walk at random; half of them Active, the first tick scored."""
    chance = random.Random(7)  # noqa: S311 - a market, not a secret
    end = datetime.now(UTC).replace(microsecond=0)
    begin = end - INTERVAL * (TICKS - 1)
    born = end - timedelta(hours=5)
    fields = ("address", "chain", "status", "symbol", "name", "created_at", "migrated_signature", "first_pool_label", "status_changed_at")
    rest = ("held", "next_poll_at", "poll_failures", "units_spent", "observed_sec", "low_checks", "last_snapshot_at")
    tokens = [
        (f"T{n:043}", "solana", "Active" if n % 2 else "Initial", f"S{n}", "", born, "s", "", born, False, end, 0, 0, 0.0, 0, begin)
        for n in range(number)
    ]
    insert_rows(Token, [*fields, *rest], tokens)
    pks = list(Token.objects.order_by("pk").values_list("pk", flat=True))
    pools = [(pk, f"P{pk:043}", "pumpswap", "SOL", born, end) for pk in pks]
    insert_rows(Pool, ["token", "pool_address", "dex_name", "quote_symbol", "first_seen", "last_seen"], pools)
    pace = {pk: chance.randrange(10, 200) for pk in pks}
    for tick in range(TICKS):
        say(f"making a market: tick {tick + 1} of {TICKS}")
        _snapshots(pks, pace, begin + INTERVAL * tick, chance)
        if not tick:
            score_tokens(begin)
    Token.objects.update(last_snapshot_at=end)


def _snapshots(pks: list[int], pace: dict[int, int], at: datetime, chance: random.Random) -> None:
    figures = ("price", "liquidity", "holders", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h")
    flow = ("buys_5m", "sells_5m", "buys_volume_5m", "sells_volume_5m", "last_trade_at", "birdeye_at")
    rows = []
    for pk in pks:
        pace[pk] = trades = max(1, pace[pk] + chance.randrange(-6, 7))
        buys = chance.randrange(trades + 1)
        known = (0.001, pk % 40 * 30.0, 500 + trades, trades, trades * 11, trades * 21.0, trades * 240.0)
        rows.append((pk, at, "birdeye", *known, buys, trades - buys, buys * 21.0, (trades - buys) * 20.0, at, at, ""))
    insert_rows(TokenSnapshot, ["token", "ts", "source", *figures, *flow, "contradictions"], rows)
