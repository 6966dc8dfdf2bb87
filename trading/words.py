"""What the stages call things, for people: triggers, states of the market, the filter's refusals, why a signal was left, what a fill was.
Scenarios, recommendations, gates and levels have theirs in `trading.texts`. Lazy, so that each reader reads his own language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from trading.gate_ledger import TRADED
from trading.names import Deal, MarketState, Refusal, Skip, Trigger, Unheard
from trading.texts import GATES, LEVELS, RECOMMENDATIONS, RISKS, SCENARIOS

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

TRIGGERS: dict[str, _StrPromise] = {
    Trigger.VOLUME_SPIKE: _("volume spike"),
    Trigger.RSI_DIVERGENCE: _("RSI divergence"),
    Trigger.BREAKOUT: _("breakout"),
    Trigger.BREAKOUT_CONFIRMED: _("breakout confirmed"),
    Trigger.BREAKOUT_RETESTED: _("breakout retested"),
    Trigger.NEAR_LEVEL: _("near a level"),
    Trigger.VOLATILITY_SPIKE: _("volatility spike"),
    Trigger.VWAP_DEVIATION: _("far from VWAP"),
}

MARKET_STATES: dict[str, _StrPromise] = {
    MarketState.UNKNOWN: _("not known yet"),
    MarketState.RANGE: _("range"),
    MarketState.TREND: _("trend"),
    MarketState.HIGH_VOL: _("high volatility"),
}

REFUSALS: dict[str, _StrPromise] = {
    Refusal.LIQUIDITY_LOW: _("liquidity too low"),
    Refusal.LIQUIDITY_UNKNOWN: _("liquidity not known"),
    Refusal.VOLUME_LOW: _("volume too low"),
    Refusal.VOLUME_UNKNOWN: _("volume not known"),
    Refusal.TURNOVER_LOW: _("turnover too low"),
    Refusal.TURNOVER_HIGH: _("turnover too high"),
    Refusal.TURNOVER_UNKNOWN: _("turnover not known"),
    Refusal.DEPTH_LOW: _("order book too thin"),
    Refusal.DEPTH_UNKNOWN: _("depth not known"),
    Refusal.OPEN_INTEREST_LOW: _("open interest too low"),
    Refusal.OPEN_INTEREST_UNKNOWN: _("open interest not known"),
}

SKIPS: dict[str, _StrPromise] = {
    Skip.GATED: _("held back by a gate"),
    Skip.SIDE: _("this side is not traded"),
    Skip.NO_LEVELS: _("no stop or targets"),
    Skip.LOW_CONFIDENCE: _("confidence below the account's minimum"),
    Skip.TOKEN_OPEN: _("already in this asset"),
    Skip.COOLING_DOWN: _("pause after the last exit"),
    Skip.TOKEN_LIMIT: _("enough trades in this asset today"),
    Skip.NO_SLOT: _("as many positions open as allowed"),
    Skip.NO_PRICE: _("no price came in time"),
    Skip.PRICE_MOVED: _("the price had run away"),
    Skip.TOO_SMALL: _("the position would be too small"),
    Skip.NO_CASH: _("no cash left"),
    Skip.TOO_LATE: _("judged too late to enter"),
}

DEALS: dict[str, _StrPromise] = {
    Deal.ENTRY: _("entry"),
    Deal.TARGET_1: _("target 1"),
    Deal.TARGET_2: _("target 2"),
    Deal.TARGET_3: _("target 3"),
    Deal.STOP: _("stop"),
    Deal.BREAK_EVEN: _("stop at break-even"),
    Deal.TRAIL: _("trailing stop"),
    Deal.TIME: _("time stop"),
    Deal.CONTEXT: _("the judgement turned against it"),
    Deal.DEAD: _("the token died"),
}

UNHEARD: dict[str, _StrPromise] = {
    Unheard.TOO_FEW: _("no alert: too few independent reasons"),
    Unheard.TOO_CALM: _("no alert: it moves too little"),
    Unheard.NOT_JUDGED: _("an alert that was not judged: left out by the filter, or nobody looked"),
}

GROUPS: dict[str, _StrPromise] = {
    "trigger": _("By trigger"),
    "scenario": _("By scenario"),
    "exit": _("By exit"),
    "revision": _("By settings revision"),
}

BOOKS: dict[str, Mapping[str, _StrPromise]] = {
    "trigger": TRIGGERS,
    "market_state": MARKET_STATES,
    "refusal": REFUSALS,
    "skip": SKIPS,
    "exit": DEALS,
    "unheard": UNHEARD,
    "scenario": SCENARIOS,
    "recommendation": RECOMMENDATIONS,
    "gate": GATES,
    "level": LEVELS,
    "risk": RISKS,
    "account": {TRADED: _("traded")},
}


def word(kind: str, name: str) -> str:
    """A stored name in words. One that no book has (written by another version) is shown as it stands."""
    known = BOOKS.get(kind, {}).get(name)
    return str(known) if known is not None else name.replace("_", " ")


def of_ledger(name: str) -> str:
    """An account of the gate ledger: a gate's, the broker's own, or what was traded."""
    if name.startswith("gate: "):
        return word("gate", name.removeprefix("gate: "))
    return word("account" if name == TRADED else "skip", name)


def way(side: float) -> str:
    return "long" if side > 0 else "short"
