"""The questions people and workers ask the token table, named after their use."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from django.db.models import Count, F, FilteredRelation, FloatField, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Greatest, NullIf

FIGURES = (
    "price",
    "liquidity",
    "holders",
    "tx_count_5m",
    "tx_count_1h",
    "volume_5m",
    "volume_1h",
    "buys_5m",
    "sells_5m",
    "buys_volume_5m",
    "sells_volume_5m",
)
NEWEST_FIGURES = ("source", *FIGURES, "birdeye_at", "contradictions")
LONGEST_SEARCH = 80
NEAR = 0.5
NOTHING = Value(0.0, output_field=FloatField())


class TokenQuerySet(QuerySet[Any]):
    def living(self) -> TokenQuerySet:
        """Initial and Active: what is polled and scored."""
        return self.filter(status__in=("Initial", "Active"))

    def figures_until(self) -> datetime | None:
        """Of which moment the newest figures of any living token are."""
        newest: datetime | None = self.living().aggregate(newest=Max("last_snapshot_at"))["newest"]
        return newest

    def of_pump_fun(self) -> TokenQuerySet:
        """What the public list and the ranking are about: tokens that migrated. The exchange symbols of the watch-list belong to the
        stages alone."""
        return self.filter(chain="solana")

    def ranked(self, fresh_since: datetime | None = None) -> TokenQuerySet:
        """Active tokens that have a score, the highest first. With `fresh_since`, only scores of figures from then or later."""
        found = self.of_pump_fun().filter(status="Active", last_score_value__isnull=False)
        if fresh_since is not None:
            found = found.filter(last_scored_at__gte=fresh_since)
        return found.order_by("-last_score_value", "pk")

    def near_activation(self, share: float = NEAR) -> TokenQuerySet:
        """Initial tokens that are at least `share` of the way to a threshold, the nearest first; 1 is on it.

        `closeness` is that share: the better of liquidity and transactions, against the thresholds of the revision that scored the token.
        """
        settings = "newest_score__settings"
        enter = F(f"{settings}__min_tx_count") + F(f"{settings}__activation_tx_margin")
        found: TokenQuerySet = (
            self.of_pump_fun()
            .filter(status="Initial")
            .with_newest_figures()
            .annotate(
                closeness=Greatest(
                    Coalesce(F("newest__liquidity") / NullIf(F(f"{settings}__min_active_liquidity"), NOTHING), NOTHING),
                    Coalesce(F("newest__tx_count_5m") * 1.0 / NullIf(enter * 1.0, NOTHING), NOTHING, output_field=FloatField()),
                )
            )
            .filter(closeness__gte=share)
            .order_by("-closeness", "pk")
        )
        return found

    def held_by_hand(self) -> TokenQuerySet:
        """Tokens an operator keeps where they are, the longest first."""
        return self.filter(held=True).order_by("status_changed_at", "pk")

    def search(self, text: str) -> TokenQuerySet:
        """Tokens whose symbol or name contains `text`, whose address begins with it, or one of whose pools has it as its address.

        Blank finds all. No stored text holds a control character or half a surrogate pair, so what holds one finds nothing: left to the
        databases, one would raise and the other find everything.
        """
        text = text.strip(" ")
        if not text:
            return self.all()
        if len(text) > LONGEST_SEARCH or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            return self.none()
        by_pool = self.model._meta.get_field("pools").related_model.objects.filter(pool_address=text).values("token")
        return self.filter(Q(symbol__icontains=text) | Q(name__icontains=text) | Q(address__istartswith=text) | Q(pk__in=by_pool))

    def with_newest_snapshot(self) -> TokenQuerySet:
        """`newest` to filter by: the newest snapshot of each token."""
        found: TokenQuerySet = self.alias(newest=FilteredRelation("snapshots", condition=Q(snapshots__ts=F("last_snapshot_at"))))
        return found

    def with_newest_figures(self) -> TokenQuerySet:
        """Each token with the figures of its newest snapshot and score as attributes: one query, whatever the number of tokens.

        The names of NEWEST_FIGURES, and pool_count, net_flow, components, freshness_limit_sec.
        """
        pools = self.model._meta.get_field("pools").related_model.objects.filter(token=OuterRef("pk")).order_by()
        annotated: TokenQuerySet = self.annotate(
            newest=FilteredRelation("snapshots", condition=Q(snapshots__ts=F("last_snapshot_at"))),
            newest_score=FilteredRelation("scores", condition=Q(scores__ts=F("last_scored_at"))),
            **{name: F(f"newest__{name}") for name in NEWEST_FIGURES},
            pool_count=Coalesce(Subquery(pools.values("token").annotate(pools=Count("pk")).values("pools")), 0),
            net_flow=F("newest__buys_volume_5m") - F("newest__sells_volume_5m"),
            components=F("newest_score__components"),
            freshness_limit_sec=F("newest_score__settings__freshness_limit_sec"),
        )
        return annotated

    def counts_per_status(self) -> dict[str, int]:
        """How many tokens that migrated there are of each status, also of one that has none."""
        found = dict(self.of_pump_fun().order_by().values_list("status").annotate(Count("pk")))
        return {status: found.get(status, 0) for status, _ in self.model._meta.get_field("status").choices}

    def by_address(self, address: str) -> Any:
        return self.get(address=address)
