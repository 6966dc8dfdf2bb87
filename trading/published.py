"""The state of all assets as one document, for programs: what `/api/trading/state` answers and what is published over Redis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import BooleanField, Count, ExpressionWrapper, Max, Q

from tokens.answers import moment
from trading.models import AssetState, EquityPoint, PaperAccount, PaperPosition

TYPE = "asset_state_update"
SCHEMA = "tothemoon.trading.state/1"
MOST_ASSETS = 2_000
LEVELS_TOLD = 6


def document(now: datetime) -> dict[str, Any]:
    """Five queries, however many assets there are. Those that the newest cycle has looked at first, of them alerts first, then by address;
    the counters are of all that it has looked at, told or not."""
    account = PaperAccount.objects.filter(pk=1).first()
    equity = EquityPoint.objects.order_by("-ts").first()
    positions = {row.token_id: row for row in PaperPosition.objects.filter(closed_at__isnull=True)}
    seen = AssetState.objects.current().aggregate(
        assets=Count("pk"), alerts=Count("pk", filter=Q(alert=True)), filtered=Count("pk", filter=Q(kept=False)), newest=Max("ts")
    )
    newest = seen.pop("newest")
    current = ExpressionWrapper(Q(ts=newest), BooleanField())
    states = AssetState.objects.select_related("token", "judgement").order_by(current.desc(), "-alert", "-kept", "token__address")
    return {
        "type": TYPE,
        "meta": {
            "ts": moment(now),
            "seq": account.cycles if account else 0,
            "schema": SCHEMA,
            "as_of": moment(newest),
            "simulated": settings.SIMULATED,
            "paper_only": True,
        },
        "counters": {
            **seen,
            "open_positions": len(positions),
            "equity": equity.equity if equity else None,
        },
        "assets": [asset(state, positions.get(state.token_id), newest) for state in states[:MOST_ASSETS]],
    }


def asset(state: AssetState, position: PaperPosition | None, newest: datetime | None) -> dict[str, Any]:
    """One asset. What was judged is as of `judged_at`; an asset that is no longer looked at says so by its own `as_of`."""
    judged = state.judgement
    return {
        "symbol": state.token.symbol or state.token.address,
        "address": state.token.address,
        "chain": state.token.chain,
        "state": "ALERT" if state.alert else "NORMAL" if state.kept else "FILTERED",
        "as_of": moment(state.ts),
        "current": state.ts == newest,
        "price": state.price,
        "market_state": state.market_state,
        "trigger_reasons": [trigger["name"] for trigger in state.triggers],
        "triggers": state.triggers,
        "effective_reasons": state.effective_reasons,
        "refusals": state.refusals.split(),
        "judgement": judgement(judged) if judged is not None else None,
        "position": open_position(position) if position is not None else None,
    }


def judgement(judged: Any) -> dict[str, Any]:
    return {
        "key": judged.pk,
        "judged_at": moment(judged.ts),
        "scenario": judged.scenario,
        "recommendation": judged.recommendation,
        "recommendation_original": judged.recommendation_original,
        "gate": judged.gate,
        "confidence": judged.confidence,
        "confidence_is_probability": judged.confidence_is_probability,
        "risk_parameters": {
            "side": judged.side,
            "entry": judged.entry,
            "stop": judged.stop,
            "targets": [target for target in (judged.target_1, judged.target_2, judged.target_3) if target is not None],
            "reward_risk": judged.reward_risk,
            "risk_class": judged.risk_class,
        },
        "key_levels": [_level(level) for level in _strongest(judged.levels)],
    }


def _strongest(levels: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(levels, key=lambda level: -(level.get("strength") or 0.0))[:LEVELS_TOLD]


def _level(level: dict[str, Any]) -> dict[str, Any]:
    return {name: level.get(name) for name in ("kind", "price", "strength", "distance")}


def open_position(position: PaperPosition) -> dict[str, Any]:
    side = 1.0 if position.side > 0 else -1.0
    return {
        "side": int(side),
        "opened_at": moment(position.opened_at),
        "entry": side * position.entry,
        "quantity": position.quantity,
        "left": position.left,
        "stop": side * position.stop,
        "targets": [side * target for target in position.targets],
        "targets_reached": position.reached,
        "last_price": side * position.last_close,
    }
