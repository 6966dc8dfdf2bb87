"""The tokens a trading program should look at now: scored high enough, by figures young enough, with pools it may use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, Q, Subquery
from django.db.models.functions import Lower

from scoring.models import ScoringSettings
from scoring.revisions import dexes
from tokens.freshness import CLOCKS_DIFFER
from tokens.models import Pool, PoolSnapshot, Status, Token

MOST_POOLS = 20  # of one token
MOST_POOLS_READ = 5_000  # of all; nobody makes a document that grows with somebody's hundred thousand pools


class Stale(Exception):
    """There is no ranking that could be called fresh; the message says why, in words for whoever asked."""


@dataclass(frozen=True)
class RankedPool:
    pool: Any
    newest: Any  # its newest snapshot, or None


@dataclass(frozen=True)
class Ranking:
    tokens: Sequence[tuple[Any, Sequence[RankedPool]]]  # tokens with their newest figures as attributes, the highest score first
    active: int
    above_minimum: int
    too_old: int  # of those above the minimum
    newest_score_at: datetime | None  # of any Active token
    oldest_score_at: datetime | None  # of the tokens in the ranking


def ranking(revision: ScoringSettings, now: datetime) -> Ranking:
    """What `revision` lets through; four queries, whatever the number of tokens. Raises Stale when every score is too old."""
    since, until = now - timedelta(seconds=revision.export_max_age_sec), now + CLOCKS_DIFFER
    active = Token.objects.of_pump_fun().filter(status=Status.ACTIVE)
    above = Q(last_score_value__gte=revision.export_min_score)
    fresh = Q(last_scored_at__gte=since, last_scored_at__lte=until)
    seen = active.aggregate(
        active=Count("pk"),
        above=Count("pk", filter=above),
        above_and_fresh=Count("pk", filter=above & fresh),
        newest=Max("last_scored_at", filter=Q(last_scored_at__lte=until)),
    )
    refuse_old(seen["newest"], revision, now)
    chosen = active.filter(above & fresh, pk__in=_pools(revision).values("token"))
    tokens = list(chosen.with_newest_figures().order_by("-last_score_value", "pk")[: revision.export_top_n])
    pools = pools_of(tokens, revision)
    return Ranking(
        tokens=[(token, pools[token.pk]) for token in tokens],
        active=seen["active"],
        above_minimum=seen["above"],
        too_old=seen["above"] - seen["above_and_fresh"],
        newest_score_at=seen["newest"],
        oldest_score_at=min((token.last_scored_at for token in tokens), default=None),
    )


def _pools(revision: ScoringSettings) -> Any:
    allowed = dexes(revision.export_dexes)
    pools = Pool.objects.order_by()
    return pools.alias(dex=Lower("dex_name")).filter(dex__in=allowed) if allowed else pools


def pools_of(tokens: Sequence[Any], revision: ScoringSettings) -> dict[int, list[RankedPool]]:
    """The allowed pools of all these tokens, the deepest first; two queries."""
    newest = PoolSnapshot.objects.filter(pool=OuterRef("pk")).order_by("-ts").values("pk")[:1]
    asked = _pools(revision).filter(token__in=[token.pk for token in tokens]).annotate(newest_pk=Subquery(newest))
    pools = list(asked.order_by("-last_seen", "pk")[:MOST_POOLS_READ])
    snapshots = PoolSnapshot.objects.in_bulk([pool.newest_pk for pool in pools if pool.newest_pk])
    found: dict[int, list[RankedPool]] = defaultdict(list)
    for pool in pools:
        found[pool.token_id].append(RankedPool(pool, snapshots.get(pool.newest_pk)))
    for rows in found.values():
        rows.sort(key=lambda row: -(row.newest.liquidity or 0.0) if row.newest else 1.0)
        del rows[MOST_POOLS:]
    return found


def version(revision: ScoringSettings, now: datetime) -> str:
    """Changes whenever the ranking may have changed, but for time alone; one query. Raises Stale, as the ranking itself would."""
    seen = (
        Token.objects.of_pump_fun()
        .filter(status=Status.ACTIVE)
        .aggregate(
            active=Count("pk"),
            newest=Max("last_scored_at", filter=Q(last_scored_at__lte=now + CLOCKS_DIFFER)),
            changed=Max("status_changed_at"),
            seen=Max("last_snapshot_at"),
        )
    )
    refuse_old(seen["newest"], revision, now)
    return f"{revision.pk} {seen}"


def refuse_old(newest: datetime | None, revision: ScoringSettings, now: datetime) -> None:
    """Raise Stale when even the newest score of an Active token is older than the settings allow."""
    if newest is not None and (age := (now - newest).total_seconds()) > revision.export_max_age_sec:
        raise Stale(f"The newest score is {age:.0f} s old; the settings allow {revision.export_max_age_sec} s.")
