"""The gate ledger of the live account: the plans of the last two days, each followed on paper over the bars that came after, as a back-test
does with its own. Written anew each time; a plan whose trade would still be open counts as blocked and not yet as followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction

from scoring.models import ScoringSettings
from scoring.settings_in_force import active_settings
from scoring.stage_columns import stage_settings
from tokens.bars import LATENESS, MINUTE_SEC, read_grid
from trading import facts
from trading.book import Signals, Tape
from trading.gate_ledger import TRADED, Entry, ledger, shadow
from trading.market_state import states_of
from trading.models import Judgement, LedgerAccount
from trading.names import Gate, Skip
from trading.pipeline import AGAINST_LONG, AGAINST_SHORT, StageRules
from trading.windows import WINDOW

FOLLOWED = timedelta(hours=48)
MOST_SIGNALS, MOST_TOKENS = 3_000, 150  # the newest
NEEDED = ("pk", "ts", "token_id", "side", "confidence", "entry", "stop", "target_1", "target_2", "target_3", "price", "context", "gate")
BECAME = ("skip__reason", "position__pk")


def reckon(
    now: datetime, revision: ScoringSettings | None = None, writing: Callable[[], AbstractContextManager[None]] = nullcontext
) -> int:
    """How many plans were followed. A number of statements that does not depend on theirs."""
    revision = revision or active_settings()
    rules = StageRules.from_settings(stage_settings(revision))
    edge = int((now - LATENESS).timestamp()) // MINUTE_SEC * MINUTE_SEC
    plans = _plans(now - FOLLOWED)
    entries = _reckoned(plans, edge, rules) if plans else []
    since = min((plan["ts"] for plan in plans), default=now)
    with writing(), transaction.atomic():
        LedgerAccount.objects.all().delete()
        LedgerAccount.objects.bulk_create(_row(entry, now, since) for entry in entries)
    return len(plans)


def _plans(since: datetime) -> list[dict[str, Any]]:
    """The newest plans, of not more assets than can be followed at once."""
    found = Judgement.objects.filter(ts__gte=since, entry__isnull=False, stop__isnull=False).exclude(side=0).order_by("-ts", "pk")
    rows = list(found.values(*NEEDED, *BECAME)[:MOST_SIGNALS])
    chosen = list(dict.fromkeys(row["token_id"] for row in rows))[:MOST_TOKENS]
    return [row for row in reversed(rows) if row["token_id"] in chosen]


def _reckoned(plans: Sequence[dict[str, Any]], edge: int, rules: StageRules) -> list[Entry]:
    oldest = min(int(plan["ts"].timestamp()) for plan in plans)
    bars = WINDOW + max(1, (edge - oldest) // MINUTE_SEC + 1)
    of = facts.assets(sorted({plan["token_id"] for plan in plans}))
    grid = read_grid("1m", of.pks.tolist(), datetime.fromtimestamp(edge, tz=plans[0]["ts"].tzinfo), bars, as_it_was=True)
    ends = (grid.open_time + grid.interval_sec).tolist()
    row_of = {end: row for row, end in enumerate(ends)}
    plans = [plan for plan in plans if int(plan["ts"].timestamp()) in row_of]
    signals = _signals(plans, row_of)
    figures = facts.marked(of.pks, np.asarray(ends))
    liquidity = figures.liquidity[figures.at(np.asarray(ends))] if len(figures.marks) else None
    leave_long, leave_short = _leaving(of.pks, row_of, grid.close.shape, plans[0]["ts"]) if plans else (None, None)
    tape = Tape(grid, liquidity, states_of(grid, rules.state).atr, leave_long, leave_short, in_pools=of.in_pools)
    return ledger(shadow(tape, signals, rules.broker), _reasons(plans))


def _signals(plans: Sequence[dict[str, Any]], row_of: dict[int, int]) -> Signals:
    def numbers(name: str) -> Any:
        return np.array([np.nan if plan[name] is None else plan[name] for plan in plans], dtype=np.float64)

    atr = np.array([np.nan if plan["context"].get("atr") is None else plan["context"]["atr"] for plan in plans], dtype=np.float64)
    return Signals(
        key=np.array([plan["pk"] for plan in plans], dtype=np.int64),
        row=np.array([row_of[int(plan["ts"].timestamp())] for plan in plans], dtype=np.int64),
        token=np.array([plan["token_id"] for plan in plans], dtype=np.int64),
        side=numbers("side"),
        confidence=numbers("confidence"),
        quote=numbers("entry"),
        stop=numbers("stop"),
        targets=np.column_stack([numbers(f"target_{place}") for place in (1, 2, 3)]) if plans else np.zeros((0, 3)),
        atr=atr * numbers("price"),
        refused=np.array(["" if plan["gate"] == Gate.NONE else plan["gate"] for plan in plans], dtype=np.str_),
    )


def _leaving(pks: Any, row_of: dict[int, int], shape: tuple[int, ...], since: datetime) -> tuple[Any, Any]:
    """Where a judgement spoke against a long, and against a short: as a live cycle marks it."""
    found = np.zeros((2, *shape), dtype=bool)
    rows = Judgement.objects.filter(token__in=pks.tolist(), ts__gte=since).values_list("ts", "token_id", "recommendation_original", "side")
    for ts, token, said, side in rows:
        row, column = row_of.get(int(ts.timestamp())), int(np.searchsorted(pks, token))
        if row is not None:
            found[0, row, column] |= said in AGAINST_LONG or side == -1
            found[1, row, column] |= said in AGAINST_SHORT or side == 1
    return found[0], found[1]


def _reasons(plans: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The places of the plans that each gate and each reason kept out, and of those that were traded."""
    found: dict[str, list[int]] = {}
    for place, plan in enumerate(plans):
        if plan["gate"] != Gate.NONE:
            found.setdefault(f"gate: {plan['gate']}", []).append(place)
        elif plan["position__pk"] is not None:
            found.setdefault(TRADED, []).append(place)
        elif plan["skip__reason"] not in (None, Skip.GATED):
            found.setdefault(plan["skip__reason"], []).append(place)
    return {reason: np.array(places, dtype=np.int64) for reason, places in found.items()}


def _row(entry: Entry, now: datetime, since: datetime) -> LedgerAccount:
    told = entry.would_have
    risks = told.expectancy_risks
    return LedgerAccount(
        reason=entry.reason,
        ts=now,
        since=since,
        blocked=entry.blocked,
        followed=entry.followed,
        won=told.won,
        saved=entry.saved,
        expectancy=risks.value,
        expectancy_low=risks.low,
        expectancy_high=risks.high,
    )
