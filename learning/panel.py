"""The panel of the evidence in the admin: is it whole? Asked of the tables at most once in five minutes, over a day and few vectors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from learning.verify import verify
from learning.verifying import PER_SLOT, Check

KEPT_SEC = 300
OPENED = 2_000
KEY = "evidence-checks"


def latest(now: datetime) -> tuple[datetime, list[Check]]:
    """When the tables were asked last, and what they said."""
    found: tuple[datetime, list[Check]] | None = cache.get(KEY)
    if found is None:
        found = now, verify(now, most_opened=OPENED)
        cache.set(KEY, found, KEPT_SEC)
    return found


def page(request: HttpRequest) -> HttpResponse:
    """Behind the admin's own login."""
    at, checks = latest(timezone.now())
    slots = [(check.name.removeprefix(PER_SLOT), check.value) for check in checks if check.name.startswith(PER_SLOT)]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Is the evidence whole?",
        "at": at,
        "checks": [check for check in checks if not check.name.startswith(PER_SLOT)],
        "wrong": sum(1 for check in checks if not check.holds),
        "slots": sorted(((name, share) for name, share in slots if share), key=lambda slot: -slot[1]),
        "slots_total": len(slots),
    }
    return TemplateResponse(request, "admin/learning/evidence.html", context)
