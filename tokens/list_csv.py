"""The public list as a file, with its filters and in its order: one query, sent row by row, safe to open in a spreadsheet."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.http import StreamingHttpResponse

from tokens import csv_export, listing
from tokens.questions import FIGURES
from tokens.wanted import Wanted

MOST_ROWS = 20_000
COLUMNS = (
    "address",
    "symbol",
    "name",
    "chain",
    "status",
    "held",
    "last_score_value",
    "last_scored_at",
    *FIGURES,
    "pool_count",
    "source",
    "contradictions",
    "last_snapshot_at",
    "created_at",
    "status_changed_at",
)
NAMES = {"last_score_value": "score", "last_scored_at": "scored_at", "pool_count": "pools", "last_snapshot_at": "figures_at"}


def answer(asked: Wanted, now: datetime) -> StreamingHttpResponse:
    """What is unknown is an empty cell. A simulated market says so in the name of the file."""
    found = listing.rows(asked, now).values_list(*COLUMNS)[: MOST_ROWS + 1]
    lines = csv_export.lines([NAMES.get(name, name) for name in COLUMNS], found.iterator(chunk_size=csv_export.AT_ONCE), MOST_ROWS)
    name = "watch-list" if asked.status is None else asked.status.value
    simulated = "SIMULATED-" if settings.SIMULATED else ""
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{simulated}{name}-{now:%Y%m%d-%H%M%S}.csv"',
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex",
        },
    )
