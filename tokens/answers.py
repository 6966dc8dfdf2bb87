"""What programs are told of a token: strict numbers, null with its reason where nothing is known, and how old everything is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tokens import cells
from tokens.freshness import CLOCKS_DIFFER, age_at, is_young
from tokens.models import Source
from tokens.questions import FIGURES
from tokens.templatetags.figures import finite

BIRDEYE_ONLY = {"holders", "buys_volume_5m", "sells_volume_5m"}


def moment(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if value else None


def age_sec(value: datetime | None, now: datetime) -> float | None:
    """Seconds since then; a clock slightly ahead of ours makes nothing younger than now."""
    return None if value is None else round(max(0.0, (now - value).total_seconds()), 1)


def state_and_age(token: Any, seen_at: datetime | None, now: datetime) -> tuple[str, float | None]:
    """Is what was seen then fresh? Of a moment that our clock has yet to come to, nobody knows how long ago it was."""
    if seen_at is None:
        return "unknown", None
    age = None if seen_at > now + CLOCKS_DIFFER else age_sec(seen_at, now)
    return "fresh" if is_young(token, seen_at, now) else "stale", age


amount = finite


def states(components: Mapping[str, Any] | None) -> dict[str, str]:
    """The state of each metric of a stored score."""
    return {metric: part.state or "not_scored" for metric, part in cells.parts(components).items()}


def estimated(components: Mapping[str, Any] | None) -> bool:
    """Whether a part of the score rests on an estimate."""
    return "estimated" in states(components).values()


def unknown(seen: Any) -> dict[str, str]:
    """Why each figure that is null is null. `seen` has a snapshot's fields."""
    if seen.source is None:
        return dict.fromkeys(FIGURES, "no source has answered for this token, or its figures were cleaned up")
    return {name: _why_unknown(name, seen.source) for name in FIGURES if getattr(seen, name) is None}


def _why_unknown(name: str, source: str) -> str:
    if name in BIRDEYE_ONLY and source == Source.POOLS:
        return "only Birdeye knows it, and it has not answered for this token lately"
    return "the source did not say"


def figures_of(token: Any, now: datetime) -> dict[str, Any]:
    """The newest figures of a token that carries them (TokenQuerySet.with_newest_figures)."""
    state, age = state_and_age(token, token.last_snapshot_at, now)
    known = token.source is not None
    return {
        "state": state if known else "unknown",
        "at": moment(token.last_snapshot_at),
        "age_sec": age,
        "source": token.source,
        "birdeye_at": moment(token.birdeye_at),
        **{name: finite(getattr(token, name)) if known else None for name in FIGURES},
        "unknown": unknown(token),
        "contradictions": token.contradictions.split() if token.contradictions else [],
    }


def score_of(token: Any, now: datetime) -> dict[str, Any]:
    """Its score and what state that is in: `ok`, `estimated`, `stale`, `unknown` (with the reason)."""
    value = finite(token.last_score_value)
    of_its_age, age = state_and_age(token, token.last_scored_at, now)
    metrics = states(token.components)
    guessed = "estimated" in metrics.values()
    state = "ok"
    if value is None or of_its_age != "fresh":
        state = "unknown" if value is None else of_its_age
    elif guessed:
        state = "estimated"
    return {
        "value": value,
        "state": state,
        "why": cells.why_here(value, token.components, state == "stale", age_at(token, token.last_scored_at)),
        "at": moment(token.last_scored_at),
        "age_sec": age,
        "estimated": guessed,
        "metrics": metrics,
    }


def token_of(token: Any, now: datetime) -> dict[str, Any]:
    return {
        "address": token.address,
        "chain": token.chain,
        "symbol": token.symbol,
        "name": token.name,
        "status": token.status,
        "held": token.held,
        "created_at": moment(token.created_at),
        "age_sec": age_sec(token.created_at, now),
        "status_changed_at": moment(token.status_changed_at),
        "pool_count": token.pool_count,
        "score": score_of(token, now),
        "figures": figures_of(token, now),
    }


def explanation_of(explained: Any, components: Mapping[str, Any]) -> dict[str, Any]:
    """A stored score taken apart (tokens.page.Explanation): the contributions add up to it. `inputs` are the numbers as stored."""
    return {
        "score": explained.score,
        "at": moment(explained.ts),
        "revision": explained.settings.pk,
        "score_model": explained.settings.score_model,
        "note": explained.note,
        "parts": [
            {
                "metric": part.metric,
                "title": part.title,
                "state": part.state,
                "reason": part.reason,
                "raw": part.raw,
                "part": part.part,
                "smoothed": part.smoothed,
                "weight": part.weight,
                "share": part.share,
                "contribution": part.contribution,
                "inputs": _numbers(components.get(part.metric)),
            }
            for part in explained.parts
        ],
        "factors": {name.replace(" ", "_"): finite(value) for name, value in explained.factors},
    }


def _numbers(stored: Any) -> dict[str, float | None]:
    inputs = stored.get("inputs") if isinstance(stored, Mapping) else None
    return {str(name): finite(value) for name, value in inputs.items()} if isinstance(inputs, Mapping) else {}


def pool_of(pool: Any, newest: Any, now: datetime) -> dict[str, Any]:
    return {
        "address": pool.pool_address,
        "dex": pool.dex_name,
        "quote": pool.quote_symbol,
        "opened_at": moment(pool.opened_at),
        "first_seen": moment(pool.first_seen),
        "seen_at": moment(newest.ts) if newest else None,
        "age_sec": age_sec(newest.ts if newest else None, now),
        **{name: finite(getattr(newest, name)) if newest else None for name in ("price", "liquidity", "volume_5m", "volume_1h")},
        "tx_count_5m": newest.tx_count_5m if newest else None,
        "tx_count_1h": newest.tx_count_1h if newest else None,
    }
