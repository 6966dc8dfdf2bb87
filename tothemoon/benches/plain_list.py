"""The list page the plain way: tokens one by one, each asking the database for what its row shows, and Django's template engine.

The same templates and the same arithmetic as the site's own page, so that both can be compared letter for letter.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from tokens import score_lines
from tokens.models import Status, Token
from tokens.questions import NEWEST_FIGURES
from tokens.rows import Row, row


def page(request: HttpRequest, context: dict[str, Any], size: int, now: datetime) -> str:
    """`context` is all that is not a row: the head, the pager, what was asked."""
    tokens = Token.objects.filter(status=Status.ACTIVE).order_by("-last_score_value", "pk")[:size]
    rows = [_row(token, place + 1, now) for place, token in enumerate(tokens)]
    return render_to_string("tokens/list.html", {**context, "rows": rows, "by_the_engine": True}, request=request)


def _row(token: Any, place: int, now: datetime) -> Row:
    """Four questions: its newest figures, its newest score with the settings, its pools, its scores of two hours."""
    figures = token.snapshots.latest("ts")
    for name in NEWEST_FIGURES:
        setattr(token, name, getattr(figures, name))
    token.net_flow = figures.buys_volume_5m - figures.sells_volume_5m
    score = token.scores.select_related("settings").latest("ts")
    token.components, token.freshness_limit_sec = score.components, score.settings.freshness_limit_sec
    token.pool_count = token.pools.count()
    return row(token, place, _line(token, now), now)


def _line(token: Any, now: datetime) -> list[float | None]:
    oldest = score_lines.ends(now)[0]
    steps: list[list[float]] = [[] for _ in range(score_lines.POINTS)]
    since = datetime.fromtimestamp(oldest, UTC)
    for ts, score in token.scores.filter(ts__gte=since, ts__lte=now).values_list("ts", "score"):
        if score is not None:
            steps[int(ts.timestamp() - oldest) // score_lines.STEP_SEC].append(score)
    return [sum(step) / len(step) if step else None for step in steps]
