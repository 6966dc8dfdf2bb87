"""The language of a reader: the one chosen, else the browser's. Programs and operators get English, whatever their browser says."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_safe

ENGLISH = "en"
ALWAYS_ENGLISH = ("/admin/", "/api/", "/health", "/metrics")
LONGEST_HEADER = 500
CHOSEN = re.compile(rf"(?:^|;)\s*{re.escape(settings.LANGUAGE_COOKIE_NAME)}=([a-z]{{2}})\s*(?:;|$)")


def language_of(request: HttpRequest) -> str:
    """The cookie is looked for in the header as it stands: this is asked before every ready page."""
    if request.path_info.startswith(ALWAYS_ENGLISH):
        return ENGLISH
    chosen = CHOSEN.search(request.META.get("HTTP_COOKIE", ""))
    if chosen and chosen[1] in offered():
        return chosen[1]
    return of_browser(request.META.get("HTTP_ACCEPT_LANGUAGE", "")[:LONGEST_HEADER])


def offered() -> dict[str, str]:
    """Code → the name of each language in that language."""
    return dict(settings.LANGUAGES)


@lru_cache(maxsize=256)
def of_browser(header: str) -> str:
    """The first language of an Accept-Language that is offered here; uk-UA is uk. English for whoever wants none of them."""
    for wanted, _ in parse_accept_lang_header(header.lower()):
        if (code := wanted.partition("-")[0]) in offered():
            return code
    return ENGLISH


class Language:
    """Finds the language, and stands before ReadyPages, which keeps a page for each."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = language_of(request)
        request.LANGUAGE_CODE = language
        response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        if not request.path_info.startswith(ALWAYS_ENGLISH) and "Accept-Language" not in response.headers.get("Vary", ""):
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


class Spoken:
    """Speaks the language that Language has found. Stands behind ReadyPages: a page that is ready says nothing any more, and to take a
    language up and lay it down again costs more than all that is done for such a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with translation.override(request.LANGUAGE_CODE):
            return self.get_response(request)


@require_safe
def switch(request: HttpRequest, code: str) -> HttpResponse:
    """Remember the language, and back to where the reader was. A plain link: it changes nothing but what this browser is shown."""
    if code not in offered():
        raise Http404
    response = HttpResponseRedirect(came_from(request))
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
    response["Cache-Control"] = "no-store"
    return response


def came_from(request: HttpRequest) -> str:
    """The page of this site on which the link was followed, with its filters; the list where that is not known."""
    address = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure()):
        return reverse("token-list")
    parts = urlsplit(address)
    return escape_leading_slashes((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def context(request: HttpRequest) -> dict[str, object]:
    """`languages` for the switch: each with its short name, and whether it is the present one."""
    return {"language": translation.get_language() or ENGLISH, "languages": SHORT_NAMES}


SHORT_NAMES = [("en", "EN", "English"), ("uk", "УКР", "Українська"), ("ru", "РУС", "Русский")]
