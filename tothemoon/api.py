"""`/api/`: everything a program may ask, described by /api/openapi.json and readable at /api/.

Answers are strict JSON: what is unknown is null with its reason beside it, what is estimated or stale says so, and `simulated` stands in
every answer. Errors have one shape, whatever went wrong. Reading needs no key, but for the ranking where the settings ask for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.renderers import JSONRenderer

from scoring import ranking as ranked
from scoring.models import ReadKey
from tokens.api import offered, refuse_others, router, tag_of, unchanged
from tokens.api_schemas import Problem
from tothemoon import ranking
from tothemoon.api_schemas import Health, Ranking
from tothemoon.health import judged
from tothemoon.pulse import pulse
from trading.api import router as trading_router

RANKING_RENEWED_SEC = 10
KEYS = {
    "securitySchemes": {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "Bearer": {"type": "http", "scheme": "bearer"},
    }
}


class StrictJSON(JSONRenderer):
    """No NaN and no Infinity, which no other language reads; letters as they are."""

    json_dumps_params: Mapping[str, Any] = {"allow_nan": False, "ensure_ascii": False, "separators": (",", ":")}


class OurAPI(NinjaAPI):
    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> Any:
        """With the two ways to send a read key. An address cannot say null: what is not asked for is left out."""
        schema = super().get_openapi_schema(*args, **kwargs)
        schema["components"].update(KEYS)
        for methods in schema["paths"].values():
            for parameter in (parameter for operation in methods.values() for parameter in operation["parameters"]):
                parameter["schema"] = _without_null(parameter["schema"])
        return schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **kinds[0]} if len(kinds) == 1 else schema


api = OurAPI(
    title="ToTheMoon",
    version="1",
    description=(__doc__ or "").partition("\n\n")[2].strip(),
    docs_url=None,
    docs_decorator=require_safe,
    urls_namespace="api",
    renderer=StrictJSON(),
)
api.add_router("/tokens", router)
api.add_router("/trading", trading_router)


def problem(request: HttpRequest, status: int, sentence: str, details: Any = (), **headers: str) -> HttpResponse:
    body = {"error": sentence, "simulated": settings.SIMULATED, "details": list(details)}
    response = api.create_response(request, body, status=status)
    response["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response


@api.exception_handler(HttpError)
def refused(request: HttpRequest, error: HttpError | type[HttpError]) -> HttpResponse:
    return problem(request, getattr(error, "status_code", 500), str(error))


@api.exception_handler(Http404)
def nothing_here(request: HttpRequest, error: Http404 | type[Http404]) -> HttpResponse:
    return problem(request, 404, "There is nothing at this address. /api/openapi.json says what there is.")


@api.exception_handler(ValidationError)
def not_valid(request: HttpRequest, error: ValidationError | type[ValidationError]) -> HttpResponse:
    """What was wrong, but not what was sent: that may be no text at all."""
    found = error.errors if isinstance(error, ValidationError) else []
    details = [{"where": " ".join(str(step) for step in row["loc"][-1:]), "why": str(row["msg"])} for row in found]
    return problem(request, 422, "Some parameters are not as the schema says.", details)


@api.exception_handler(SuspiciousOperation)
def not_understood(request: HttpRequest, error: SuspiciousOperation | type[SuspiciousOperation]) -> HttpResponse:
    return problem(request, 400, "This request cannot be read.")


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def without_database(request: HttpRequest, error: DatabaseError | type[DatabaseError]) -> HttpResponse:
    return problem(request, 503, "The database does not answer.", Retry_After="5")


@api.exception_handler(ranked.Stale)
def stale(request: HttpRequest, error: ranked.Stale | type[ranked.Stale]) -> HttpResponse:
    return problem(request, 503, f"No ranking: {error}", Retry_After="5")


class KeyNeeded(Exception):
    """The ranking needs a read key, and none that holds was sent."""


@api.exception_handler(KeyNeeded)
def key_needed(request: HttpRequest, error: KeyNeeded | type[KeyNeeded]) -> HttpResponse:
    sentence = "The ranking needs a read key: send it as X-API-Key, or as Authorization: Bearer. An operator makes one in the admin."
    return problem(request, 401, sentence, WWW_Authenticate='Bearer realm="ranking"')


def sent_key(request: HttpRequest) -> str:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("X-API-Key", "") or (bearer.strip() if scheme.casefold() == "bearer" else "")


def refuse_strangers(request: HttpRequest, protected: bool) -> None:
    """Only where the settings ask for a key, and there is one: an operator who has made none has not shut himself out."""
    if not protected or ReadKey.objects.opens(sent_key(request), timezone.now()):
        return
    if ReadKey.objects.exists():
        raise KeyNeeded


def ranking_answer(request: HttpRequest, form: str, kind: str) -> HttpResponseBase:
    now = timezone.now()
    revision = pulse(now).revision
    refuse_strangers(request, revision is None or revision.export_protected)
    revision = ranking.in_force(pulse(now), now)
    tag = tag_of(request, ranked.version(revision, now), pulse(now).tick_state, renewed_sec=RANKING_RENEWED_SEC)
    answer = unchanged(request, tag)
    if answer is None:
        answer = HttpResponse(ranking.WRITERS[form](ranking.document(now)), content_type=f"{kind}; charset=utf-8")
    answer["ETag"] = tag
    answer["Vary"] = "Authorization, X-API-Key"
    answer["Cache-Control"] = "private, no-cache" if revision.export_protected else "no-cache"
    return answer


RANKING: dict[str, Any] = {
    "tags": ["ranking"],
    "openapi_extra": {"security": [{}, {"ApiKey": []}, {"Bearer": []}]},
}
RANKING_ERRORS = {400: Problem, 401: Problem, 422: Problem, 503: Problem}


@offered(api, "/ranking.json", response={200: Ranking, **RANKING_ERRORS}, summary="Ranking", operation_id="ranking_json", **RANKING)
def ranking_json(request: HttpRequest) -> HttpResponseBase:
    """The top tokens with their pools. 503 with the reason where it would be stale: there is no old ranking with a new date."""
    refuse_others(request)
    return ranking_answer(request, "json", "application/json")


@offered(
    api,
    "/ranking.toml",
    response=RANKING_ERRORS,
    whole={
        "description": "The same values; what is null in JSON is left out.",
        "content": {"application/toml": {"schema": {"type": "string"}}},
    },
    summary="Ranking as TOML",
    operation_id="ranking_toml",
    **RANKING,
)
def ranking_toml(request: HttpRequest) -> HttpResponseBase:
    """The same for programs that are configured in TOML."""
    refuse_others(request)
    return ranking_answer(request, "toml", "application/toml")


@api.api_operation(["HEAD"], "/health/", include_in_schema=False)
@api.get(
    "/health/",
    response={200: Health, 400: Problem, 422: Problem, 503: Problem},
    summary="Is it alive?",
    operation_id="health",
    tags=["health"],
)
def health(request: HttpRequest, response: HttpResponse) -> Any:
    """What /health says, without its probes: `ok`, or `degraded` and what is not as it should be."""
    refuse_others(request)
    response["Cache-Control"] = "no-store"
    return judged(pulse(timezone.now()), details=False)
