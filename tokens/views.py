"""The public pages. Each asks one question of the tables and prints one template."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tokens import chart, list_csv, list_page, page, ready
from tokens.bounds import Refused
from tokens.models import Token
from tokens.templatetags.figures import tame
from tokens.wanted import rewritten, wanted

REFRESH_SEC = 3
ADDRESS = re.compile(r"[A-Za-z0-9]{1,64}")


def etag_of(request: HttpRequest, *versions: object) -> str:
    """A tag for this address, this state of the header, and these versions of the data. A part of a page has the page's tag, marked."""
    minute = int(timezone.now().timestamp()) // ready.RERENDER_SEC
    header = render_to_string("_header_version.txt", request=request)
    said = repr((request.get_full_path(), get_language(), header, minute, versions))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def answer(request: HttpRequest, asked: Hashable, page: str, part: str, context: Callable[[], Mapping[str, Any]]) -> HttpResponse:
    """The whole page, or its living part alone when htmx asks; drawn once for all who ask the same of the same state of the data."""
    template = part if ready.is_fragment(request) else page
    return ready.answer(request, asked, lambda etag: render(request, template, {**context(), "etag": etag}).content)


def labelled(response: HttpResponseBase, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = "no-cache"
    patch_vary_headers(response, ("HX-Request", "Accept-Language", "Cookie"))
    return cast(HttpResponse, response)


@require_safe
def token_list(request: HttpRequest) -> HttpResponse:
    """What is hot now?"""
    try:
        asked = wanted(request.GET)
    except Refused as error:
        return refused(request, error)
    if rewritten(request.GET, asked):
        return HttpResponseRedirect(asked.link())
    context = partial(list_page.context, asked, refresh_sec=REFRESH_SEC)
    return answer(request, asked, "tokens/list.html", "tokens/_list_part.html", lambda: context(now=timezone.now()))


@require_safe
def token_list_csv(request: HttpRequest) -> HttpResponseBase:
    """The same list as a file."""
    try:
        return list_csv.answer(wanted(request.GET), timezone.now())
    except Refused as error:
        return refused(request, error)


def refused(request: HttpRequest, error: Refused) -> HttpResponse:
    """The sentence in the look of the site, or alone where a part of a page was asked for."""
    if ready.is_fragment(request):
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    return render(request, "tokens/refused.html", {"reason": str(error)}, status=400)


@require_safe
def header(request: HttpRequest) -> HttpResponse:
    """The line of the page's head that says whether the system is alive; every open page asks for it."""
    response = render(request, "_pulse.html", {"refreshing": True})
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def token_page(request: HttpRequest, address: str) -> HttpResponse:
    """Why does it stand where it stands?"""
    token = known_token(address)
    if token is None:
        return render(request, "tokens/unknown.html", {"address": tame(address)[:80]}, status=404)
    return answer(request, (address,), "tokens/token.html", "tokens/_token.html", lambda: page.context(token, timezone.now()))


@require_safe
def chart_data(request: HttpRequest, address: str) -> HttpResponse:
    """The history for the charts, in strict JSON."""
    token = known_token(address)
    if token is None:
        return JsonResponse({"error": _("no token has this address")}, status=404)
    try:
        asked = chart.asked(request.GET)
    except chart.Refused as error:
        return JsonResponse({"error": str(error)}, status=400)
    etag = f'"{etag_of(request, token.last_snapshot_at, token.last_scored_at, token.status_changed_at)}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        history = chart.history(token, asked, timezone.now())
        response = JsonResponse(history, json_dumps_params={"allow_nan": False, "separators": (",", ":")})
    return labelled(response, etag)


def known_token(address: str) -> Any:
    """The token, or None; what cannot be an address is not looked for."""
    if not ADDRESS.fullmatch(address):
        return None
    return Token.objects.filter(address=address).first()
