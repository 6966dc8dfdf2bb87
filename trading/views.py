"""The pages of the three stages. Each asks its few questions of the tables and prints one template."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from tokens import chart, ready
from tokens.templatetags.figures import tame
from tokens.views import answer, etag_of, known_token, labelled
from trading import asset_chart, asset_list, asset_page, overview
from trading.models import PaperAccount


def version() -> object:
    """Changes with every cycle of the stages. One tiny query."""
    return PaperAccount.objects.values_list("cycles", "until").first()


@require_safe
def trading(request: HttpRequest) -> HttpResponse:
    """What is open, what was just decided and why, and what did it all come to?"""
    asked = asset_list.wanted(request.GET)
    context = partial(overview.context, asked)
    return answer(request, ("trading", asked), "trading/trading.html", "trading/_trading.html", lambda: context(timezone.now()))


@require_safe
def asset(request: HttpRequest, address: str) -> HttpResponse:
    """What do the stages make of this asset?"""
    token = known_token(address)
    if token is None:
        return render(request, "tokens/unknown.html", {"address": tame(address)[:80]}, status=404)
    asked = ("trading", token.address)
    return answer(request, asked, "trading/asset.html", "trading/_asset.html", lambda: asset_page.context(token, timezone.now()))


@require_safe
def asset_chart_data(request: HttpRequest, address: str) -> HttpResponse:
    """Bars, levels, triggers and trades of one asset, in strict JSON."""
    token = known_token(address)
    if token is None:
        return JsonResponse({"error": "no token has this address"}, status=404)
    try:
        asked = chart.asked(request.GET)
    except chart.Refused as error:
        return JsonResponse({"error": str(error)}, status=400)
    etag = f'"{etag_of(request, version())}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        drawn = asset_chart.history(token, asked, timezone.now())
        response = JsonResponse(drawn, json_dumps_params={"allow_nan": False, "separators": (",", ":")})
    return labelled(response, etag)


ready.versions.append(version)
