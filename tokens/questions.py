"""The questions people and workers ask the token table, named after their use."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet


class TokenQuerySet(QuerySet[Any]):
    def living(self) -> TokenQuerySet:
        """Initial and Active: what is polled and scored."""
        return self.filter(status__in=("Initial", "Active"))

    def ranked(self) -> TokenQuerySet:
        """Active tokens that have a score, the highest first."""
        return self.filter(status="Active", last_score_value__isnull=False).order_by("-last_score_value", "pk")

    def by_address(self, address: str) -> Any:
        return self.get(address=address)
