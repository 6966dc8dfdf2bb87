"""Looks at the scores of each tick and keeps what it saw: the sentinel's memory is in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.alert_rows import ScoreHealth
from scoring.health_of_scores import Look, is_suspicious, look, suspicions
from scoring.metrics import METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL = timedelta(hours=1)
MOST_LOOKS = 200
OLD = timedelta(minutes=15)  # a look older than this says nothing about now
LONGEST_SENTENCE = 400


def watch(present: Mapping[str, NDArray[np.float64]], revision: int) -> ScoreHealth | None:
    """Look at the Active tokens among the columns of `scoring.alerting`, unless nothing is new. The newest look, None where there is none.

    Two statements that read and one that writes, whatever the number of tokens.
    """
    active = present["active"] == 1
    known = present["scored_at"][active]
    newest = float(np.nanmax(known)) if np.isfinite(known).any() else None
    at = datetime.fromtimestamp(newest, UTC) if newest is not None else None
    last = ScoreHealth.objects.order_by("-ts").first()
    if at is None or (last is not None and last.ts >= at):
        return last
    seen = look(present["score"][active], np.stack([present[f"{name}.state"][active] for name in METRICS]))
    past = list(ScoreHealth.objects.filter(ts__gte=at - USUAL, ts__lt=at, revision=revision).order_by("-ts")[:MOST_LOOKS])
    odd = suspicions(seen, [_look(row) for row in past])
    return ScoreHealth.objects.create(
        ts=at,
        revision=revision,
        odd=" ".join(odd)[:LONGEST_SENTENCE],
        suspicious=is_suspicious(odd, bool(last and last.odd and at - last.ts < OLD)),
        **asdict(seen),
    )


def newest(now: datetime) -> ScoreHealth | None:
    """The last look, if it is young enough to mean something."""
    return ScoreHealth.objects.filter(ts__gte=now - OLD).order_by("-ts").first()


def in_short(health: ScoreHealth | None) -> dict[str, Any]:
    """For the heartbeat, where the admin's first page reads it without another question."""
    if health is None:
        return {}
    state = "suspicious" if health.suspicious else "odd" if health.odd else "ok"
    return {"state": state, **{name: getattr(health, name) for name in ("odd", "tokens", "scored", "median", "spread")}}


def _look(row: ScoreHealth) -> Look:
    return Look(row.tokens, row.scored, row.median, row.spread, row.identical, tuple(row.missing), row.capped, tuple(row.estimated))
