"""Paper positions as a page tells them. A position's own prices are mirrored for a short; here they stand as the market had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from trading.models import PaperFill, PaperPosition
from trading.names import Deal
from trading.told import because

MOST_OPEN = 200


@dataclass(frozen=True, slots=True)
class Told:
    """One position. `result` is what it came to, or would come to at the last price before the costs of leaving."""

    row: Any
    token: Any
    judged: Any
    long: bool
    entry: float
    now: float
    stop: float
    targets: Sequence[tuple[float, bool]]  # and whether it was reached
    result: float
    why: str

    @property
    def share(self) -> float | None:
        """Of what was invested."""
        return self.result / self.row.invested if self.row.invested else None

    @property
    def risks(self) -> float | None:
        return self.result / self.row.risked if self.row.risked else None

    @property
    def sold(self) -> float:
        """The part of it that is gone."""
        return 1 - self.row.left / self.row.quantity if self.row.quantity else 0.0

    @property
    def leaving(self) -> str:
        return str(self.row.leaving)


def open_positions() -> list[Told]:
    """The newest first; two queries, or one when nothing is open."""
    rows = list(_rows().filter(closed_at__isnull=True).order_by("-opened_at", "pk")[:MOST_OPEN])
    brought = _brought([row.pk for row in rows])
    return [_so_far(row, brought) for row in rows]


def closed_positions(most: int, token: Any = None) -> list[Told]:
    """The newest first; one query."""
    rows = _rows().filter(closed_at__isnull=False)
    if token is not None:
        rows = rows.filter(token=token)
    return [_told(row, row.result) for row in rows.order_by("-closed_at", "pk")[:most]]


def one(pk: int) -> Told | None:
    """The position that came of this judgement, open or closed; two queries at most."""
    row = _rows().filter(pk=pk).first()
    if row is None:
        return None
    if row.closed_at is not None:
        return _told(row, row.result)
    return _so_far(row, _brought([row.pk]))


def _rows() -> Any:
    return PaperPosition.objects.select_related("token", "judgement", "judgement__settings")


def _side(row: Any) -> float:
    return 1.0 if row.side > 0 else -1.0


def _brought(pks: Sequence[int]) -> dict[Any, float]:
    """What the sales brought less what the entry took, by position; and, by (position, "fee"), the fees."""
    if not pks:
        return {}
    entered, nothing = Q(deal=Deal.ENTRY), 0.0
    found = PaperFill.objects.filter(position__in=pks).order_by().values("position")
    sums = found.annotate(
        moved=Coalesce(Sum("usd", filter=~entered), nothing) - Coalesce(Sum("usd", filter=entered), nothing), fees=Sum(F("fee"))
    )
    rows = list(sums.values_list("position", "moved", "fees"))
    return {pk: moved for pk, moved, _ in rows} | {(pk, "fee"): fees for pk, _, fees in rows}


def _fees(brought: dict[Any, float], row: Any) -> float:
    return brought.get((row.pk, "fee"), 0.0)


def _so_far(row: Any, brought: dict[Any, float]) -> Told:
    return _told(row, brought.get(row.pk, 0.0) * _side(row) - _fees(brought, row) + row.left * row.last_close)


def _told(row: Any, result: float) -> Told:
    side = _side(row)
    return Told(
        row=row,
        token=row.token,
        judged=row.judgement,
        long=side > 0,
        entry=side * row.entry,
        now=side * row.last_close,
        stop=side * row.stop,
        targets=[(side * target, place < row.reached) for place, target in enumerate(row.targets)],
        result=result,
        why=because(row.judgement),
    )
