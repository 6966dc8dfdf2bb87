"""The stages for programs: one document with the state of every asset."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from tokens.api import ERRORS, labelled, offered, refuse_others, tag_of, unchanged
from trading.api_schemas import State
from trading.models import PaperAccount
from trading.published import document

RENEWED_SEC = 10

router = Router(tags=["trading"])


@offered(router, "/state", response={200: State, **ERRORS}, by_alias=True, summary="State of the stages", operation_id="trading_state")
def state(request: HttpRequest, response: HttpResponse) -> Any:
    """What the triggers, the judgement and the paper trades of every asset look like now. The same document goes out over Redis."""
    refuse_others(request)
    cycles = PaperAccount.objects.values_list("cycles", "until").first()
    tag = tag_of(request, cycles, renewed_sec=RENEWED_SEC)
    if known := unchanged(request, tag):
        return known
    labelled(response, tag)
    return document(timezone.now())
