"""The page of the verdict, and its tables as files."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from learning import verdict_page, verdict_report, verdict_tables
from learning.verdict_wanted import wanted
from tokens import csv_export
from tokens.views import answer


@require_safe
def verdict(request: HttpRequest) -> HttpResponse:
    """Does the score predict anything?"""
    asked = wanted(request.GET)
    page, part = "learning/verdict.html", "learning/_verdict.html"
    return answer(request, ("evidence", asked, verdict_report.version()), page, part, lambda: verdict_page.context(asked, timezone.now()))


@require_safe
def table(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """One table of the page as a file. A simulated market says so in its name."""
    if name not in verdict_tables.FILES:
        raise Http404
    asked, now = wanted(request.GET), timezone.now()
    head, rows = verdict_tables.file_of(name, verdict_report.told(asked.view, asked.predictor, asked.horizon, now))
    simulated = "SIMULATED-" if settings.SIMULATED else ""
    return StreamingHttpResponse(
        csv_export.lines(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{simulated}{name}-{now:%Y%m%d-%H%M%S}.csv"',
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex",
        },
    )
