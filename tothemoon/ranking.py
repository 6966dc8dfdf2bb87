"""The ranking as a document for programs, in JSON and TOML: what it rests on, how old that is, and nothing stale called fresh."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from scoring.models import ScoringSettings
from scoring.ranking import RankedPool, Ranking, Stale, ranking
from scoring.revisions import dexes
from tokens.answers import age_sec, amount, estimated, moment, states
from tokens.freshness import CLOCKS_DIFFER
from tothemoon.pulse import Pulse, pulse

FORMATS = ("json", "toml")


def in_force(alive: Pulse, now: datetime) -> ScoringSettings:
    """The revision to go by. Raises Stale where it cannot be read or no tick has used it in time."""
    revision = alive.revision
    if revision is None:
        raise Stale(alive.settings_trouble or "The settings cannot be read.")
    if alive.tick_at is None:
        raise Stale("Nothing has been scored yet: the scheduler has not run.")
    age = (now - alive.tick_at).total_seconds()
    if age > revision.export_max_age_sec:
        raise Stale(f"The last tick was {age:.0f} s ago; the settings allow {revision.export_max_age_sec} s.")
    if -age > CLOCKS_DIFFER.total_seconds():
        raise Stale("The last tick lies in the future: a clock is wrong.")
    return revision


def document(now: datetime) -> dict[str, Any]:
    """The whole ranking. Raises Stale."""
    alive = pulse(now)
    revision = in_force(alive, now)
    return written(ranking(revision, now), revision, alive, now)


def written(found: Ranking, revision: ScoringSettings, alive: Pulse, now: datetime) -> dict[str, Any]:
    return {
        "simulated": settings.SIMULATED,
        "generated_at": moment(now),
        "revision": {"id": revision.pk, "score_model": revision.score_model, "since": moment(revision.created_at)},
        "limits": {
            "top_n": revision.export_top_n,
            "min_score": revision.export_min_score,
            "dexes": dexes(revision.export_dexes),
            "max_age_sec": revision.export_max_age_sec,
        },
        "freshness": {
            "tick_state": alive.tick_state,
            "tick_at": moment(alive.tick_at),
            "tick_age_sec": age_sec(alive.tick_at, now),
            "feed_state": alive.feed_state,
            "feed_age_sec": age_sec(alive.feed_at, now),
            "newest_score_age_sec": age_sec(found.newest_score_at, now),
            "oldest_score_age_sec": age_sec(found.oldest_score_at, now),
        },
        "counts": {
            "active": found.active,
            "above_minimum": found.above_minimum,
            "too_old": found.too_old,
            "given": len(found.tokens),
        },
        "tokens": [_token(place, token, pools, now) for place, (token, pools) in enumerate(found.tokens, 1)],
    }


def _token(place: int, token: Any, pools: Sequence[RankedPool], now: datetime) -> dict[str, Any]:
    return {
        "rank": place,
        "address": token.address,
        "chain": token.chain,
        "symbol": token.symbol,
        "name": token.name,
        "score": token.last_score_value,
        "scored_at": moment(token.last_scored_at),
        "age_sec": age_sec(token.last_scored_at, now),
        "estimated": estimated(token.components),
        "states": states(token.components),
        "contradictions": token.contradictions.split() if token.contradictions else [],
        "price": amount(token.price),
        "liquidity": amount(token.liquidity),
        "volume_5m": amount(token.volume_5m),
        "tx_count_5m": token.tx_count_5m,
        "holders": token.holders,
        "pools": [_pool(row, now) for row in pools],
    }


def _pool(row: RankedPool, now: datetime) -> dict[str, Any]:
    return {
        "address": row.pool.pool_address,
        "dex": row.pool.dex_name,
        "quote": row.pool.quote_symbol,
        "liquidity": amount(row.newest.liquidity) if row.newest else None,
        "volume_5m": amount(row.newest.volume_5m) if row.newest else None,
        "seen_at": moment(row.newest.ts) if row.newest else None,
        "age_sec": age_sec(row.newest.ts if row.newest else None, now),
    }


def as_json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def as_toml(body: Mapping[str, Any]) -> str:
    """The same values; what is unknown (null in JSON) is left out, because TOML has no word for it."""
    return "\n".join(_table(body, ())).lstrip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """Plain values first: in TOML, what follows a table's heading belongs to that table."""
    lines = [f"{name} = {_value(value)}" for name, value in table.items() if value is not None and not _is_tables(value)]
    for name, value in table.items():
        inner = (*path, name)
        if isinstance(value, Mapping):
            lines += ["", f"[{'.'.join(inner)}]", *_table(value, inner)]
        elif _is_tables(value):
            for row in value:
                lines += ["", f"[[{'.'.join(inner)}]]", *_table(row, inner)]
    return lines


def _is_tables(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(inner) for inner in value)}]"
    return json.dumps(value, allow_nan=False, ensure_ascii=False).replace("\x7f", "\\u007f")


WRITERS = {"json": as_json, "toml": as_toml}


def replace_file(path: Path, text: str) -> None:
    """Whoever opens `path` finds the old document or the new one, never a part. Rights are those of a new file, or of the old one."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8") as file:
            if path.exists():
                os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            beside.unlink()
        raise
