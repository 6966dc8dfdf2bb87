"""Is the evidence whole? Reads the tables over the last hours and hands what it found to `learning.verifying`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ingestion.models import Heartbeat
from learning import schema, verify_rows
from learning.growth import growth
from learning.verify_rows import Stretch
from learning.verifying import Check, Found, checks
from scoring.settings_in_force import active_settings
from scoring.stage_columns import stage_values

HOURS = 24.0


def verify(now: datetime, hours: float = HOURS, most_opened: int = verify_rows.MOST_OPENED) -> list[Check]:
    """Every check over the last `hours`. The number of statements does not depend on how much there is."""
    return checks(found(now, hours, most_opened))


def found(now: datetime, hours: float, most_opened: int = verify_rows.MOST_OPENED) -> Found:
    revision = active_settings()
    stretch = Stretch(now - timedelta(hours=hours), now)
    expected, there, left_half = verify_rows.filled(stretch, now, revision)
    vectors, wrong_lengths, wrong_schemas, bytes_a_vector = verify_rows.shapes(stretch)
    predictions_expected, predictions = verify_rows.predicted(stretch, now)
    outcomes = verify_rows.outcomes(stretch, now)
    tables = growth(now)
    looked_at, missing, without_reason = verify_rows.missing(stretch, most_opened)
    return Found(
        hours=hours,
        expected=expected,
        filled=there,
        left_half=left_half,
        vectors=vectors,
        wrong_lengths=wrong_lengths,
        wrong_schemas=wrong_schemas,
        references=verify_rows.references(stretch),
        predictions_expected=predictions_expected,
        predictions=predictions,
        outcomes_expected=outcomes["expected"],
        outcomes=outcomes["there"],
        early=outcomes["early"],
        late=outcomes["late"],
        mb_a_day=sum(table.mb_a_day for table in tables),
        mb_until_deleted=sum(table.mb_after(stage_values(revision)["evidence_retention_days"]) for table in tables),
        bytes_a_vector=bytes_a_vector,
        save_ms=_save_ms(),
        looked_at=looked_at,
        missing=missing,
        without_reason=without_reason,
        names=schema.NAMES,
    )


def _save_ms() -> Sequence[float]:
    """Of the last marks, as the job that writes them has left it with its sign of life."""
    detail = Heartbeat.objects.filter(component="job:evidence").values_list("detail", flat=True).first() or {}
    counted = detail.get("counted") or {}
    return [float(ms) for ms in counted.get("save_ms") or []]
