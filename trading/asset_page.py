"""The page of one asset: what the stages make of it now and why, and what became of it on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from tokens.templatetags import figures
from trading import overview, positions, told, words
from trading.models import AssetState, PaperPosition
from trading.names import Gate
from trading.texts import number

RANGES_SEC = (7_200, 21_600, 86_400)
MOST_TRADES, MOST_JUDGED, MOST_LEVELS = 30, 30, 24

# Figures of the context, in the order of the page: name → words, and how it is written.
CONTEXT = {
    "atr": (_("ATR, of the price"), "part"),
    "rsi": (_("RSI"), "number"),
    "adx": (_("ADX"), "number"),
    "vwap_atr": (_("From VWAP, in ATR"), "signed"),
    "volume_z": (_("Volume, standard deviations"), "signed"),
    "buy_share": (_("Bought, of the last quarter of an hour"), "part"),
    "trend_minutes": (_("Trend of a quarter of an hour (−1 to 1)"), "signed"),
    "trend_fives": (_("Trend of two hours (−1 to 1)"), "signed"),
    "trend_hours": (_("Trend from hour to hour (−1 to 1)"), "signed"),
    "volatility": (_("Range of its bars, of the usual"), "number"),
    "band_place": (_("Place in its range"), "part"),
    "move_hour": (_("Move of the hour, in ATR"), "signed"),
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A scenario's bar. `width` of 100."""

    name: str
    score: float
    width: float
    chosen: bool


def context(token: Any, now: datetime) -> dict[str, Any]:
    """All that the page prints; six queries, whatever the asset."""
    state = AssetState.objects.select_related("judgement", "judgement__settings").filter(token=token).first()
    judged = state.judgement if state else None
    history = overview.decisions(token, MOST_JUDGED)
    if judged is None and history:
        judged = history[0].judged
    open_here = [position for position in positions.open_positions() if position.row.token_id == token.pk]
    return {
        "token": token,
        "now": now,
        "symbol": figures.tame(token.symbol) or figures.short(token.address),
        "name": figures.tame(token.name),
        "state": state,
        "triggers": [words.word("trigger", trigger["name"]) for trigger in state.triggers] if state else [],
        "refusals": [words.word("refusal", name) for name in state.refusals.split()] if state else [],
        "stale": state is not None and (now - state.ts).total_seconds() > overview.FRESH_SEC,
        "judged": judged,
        "gated": judged is not None and judged.gate != Gate.NONE,
        "why": told.sentences(judged) if judged else [],
        "flips": told.flips(judged) if judged else [],
        "fired": [words.word("trigger", trigger["name"]) for trigger in judged.triggers] if judged else [],
        "figures": _figures(judged.context) if judged else [],
        "scores": _scores(judged) if judged else [],
        "levels": _levels(judged) if judged else [],
        "open": open_here,
        "closed": positions.closed_positions(MOST_TRADES, token),
        "trades": PaperPosition.objects.filter(token=token).count(),
        "history": history,
        "ranges": [*((seconds, f"{seconds // 3600} h") for seconds in RANGES_SEC), ("all", _("All"))],
    }


def _figures(known: Mapping[str, Any]) -> list[tuple[Any, str]]:
    writers = {"part": _part, "number": number, "signed": figures.signed}
    return [(title, writers[form](known.get(name))) for name, (title, form) in CONTEXT.items() if name in known]


def _part(value: Any) -> str:
    """0.0007 → 0.07 %."""
    return figures.UNKNOWN if value is None else f"{number(value, 100.0)} %"


def _scores(judged: Any) -> list[Scored]:
    known = [(name, score) for name, score in judged.scenario_scores.items() if score is not None]
    known.sort(key=lambda pair: -pair[1])
    return [
        Scored(words.word("scenario", name), score, round(100 * min(max(score, 0.0), 1.0), 1), name == judged.scenario)
        for name, score in known
    ]


def _levels(judged: Any) -> Sequence[dict[str, Any]]:
    """From the highest price to the lowest, the strongest ones."""
    known = [level for level in judged.levels if level.get("price") is not None]
    known = sorted(known, key=lambda level: -(level.get("strength") or 0.0))[:MOST_LEVELS]
    known.sort(key=lambda level: -level["price"])
    return [{**level, "name": words.word("level", level["kind"])} for level in known]
