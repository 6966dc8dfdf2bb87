"""The tokens for programs: the list, one token, its past. Every question takes the same few queries, whatever is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from ninja import P, PathEx, Query, Router
from ninja.errors import HttpError, ValidationError

from tokens import answers, catalogue, page, ready
from tokens.api_schemas import History, HistoryAsked, Problem, TokenPage, TokensAsked, TokenWhole
from tokens.filters import Filters
from tokens.models import Token
from tokens.templatetags.figures import tame

RENEWED_SEC = 60  # ages in an answer are as of its own time; after this long an answer is new though nothing has changed
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
JSON = "application/json; charset=utf-8"
ERRORS: dict[int, Any] = {400: Problem, 404: Problem, 422: Problem, 503: Problem}
NOT_MODIFIED = {"description": "Nothing has changed since the answer that had this ETag."}
HEADERS = {"ETag": {"schema": {"type": "string"}, "description": "Send it back as If-None-Match: 304 when nothing has changed."}}

router = Router(tags=["tokens"])


def tag_of(request: HttpRequest, *versions: object, renewed_sec: int = RENEWED_SEC) -> str:
    """An ETag for this address and these versions of the data."""
    slot = int(timezone.now().timestamp()) // renewed_sec
    said = repr((request.get_full_path(), settings.SIMULATED, slot, versions))
    return f'"{hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]}"'


def unchanged(request: HttpRequest, tag: str) -> HttpResponseBase | None:
    """304 when the asker has this answer already. If-Match has no meaning for reading, so it refuses nothing."""
    found = get_conditional_response(request, etag=tag)
    if found is None or found.status_code != 304:
        return None
    found["ETag"], found["Cache-Control"] = tag, "no-cache"
    return found


def labelled(response: HttpResponse, tag: str) -> None:
    response["ETag"], response["Cache-Control"] = tag, "no-cache"


def refuse_others(request: HttpRequest, *offered: str) -> None:
    """A parameter that does not exist, or stands there twice: ignored, it would give another answer than was asked for."""
    wrong = [(name, "given more than once") for name, values in request.GET.lists() if len(values) > 1]
    wrong += [(name, "there is no such parameter") for name in request.GET if name not in offered]
    if wrong:
        raise ValidationError([{"loc": ("query", tame(name)[:80]), "msg": why} for name, why in sorted(wrong)[:20]])


def offered(to: Any, path: str, **about: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """GET, described in the schema, and HEAD, which HTTP wants wherever there is GET."""

    answers_too = {200: {"headers": HEADERS, **about.pop("whole", {})}, 304: NOT_MODIFIED}
    extra = {"responses": answers_too, **about.pop("openapi_extra", {})}

    def offer(view: Callable[..., Any]) -> Callable[..., Any]:
        to.api_operation(["GET"], path, openapi_extra=extra, **about)(view)
        to.api_operation(["HEAD"], path, include_in_schema=False, **about)(view)
        return view

    return offer


@offered(router, "/", response={200: TokenPage, **ERRORS}, summary="List tokens", operation_id="tokens")
def tokens(request: HttpRequest, asked: Query[TokensAsked]) -> HttpResponse:
    """Filtered, sorted, and paged by a cursor, at most 200 at once. Bounds that let nothing through are refused with 422."""
    refuse_others(request, *TokensAsked.model_fields)
    question = wanted(asked)
    refuse_crossed(question.filters)
    return ready.answer(request, ("/api/tokens/", question), lambda _: tokens_told(question, timezone.now()), JSON)


def tokens_told(question: catalogue.Asked, now: datetime) -> bytes:
    """One page, written out: made once for all who ask the same of the same state of the data."""
    try:
        found, following = catalogue.page(question, now)
    except catalogue.NoCursor as error:
        raise HttpError(404, str(error)) from error
    told = {
        "simulated": settings.SIMULATED,
        "as_of": answers.moment(now),
        "tokens": [answers.token_of(token, now) for token in found],
        "next": following,
    }
    return TokenPage.model_validate(told).model_dump_json().encode()


def refuse_crossed(asked: Filters) -> None:
    """As the list does: an empty answer would say that there is no such token."""
    names = {"age": "age_sec"}
    wrong = [names.get(figure, figure) for figure in asked.crossed()]
    if wrong:
        why = "is above max_{0}: nothing can pass"
        raise ValidationError([{"loc": ("query", f"min_{name}"), "msg": why.format(name)} for name in wrong])


def wanted(asked: TokensAsked) -> catalogue.Asked:
    filters = Filters(
        min_liquidity=asked.min_liquidity,
        max_liquidity=asked.max_liquidity,
        min_age=asked.min_age_sec,
        max_age=asked.max_age_sec,
        min_holders=asked.min_holders,
        max_holders=asked.max_holders,
        min_score=asked.min_score,
        max_score=asked.max_score,
        dex=tuple(sorted({name.strip().lower() for name in asked.dex.split(",")})) if asked.dex else (),
    )
    sort, descending = asked.sort.removeprefix("-"), asked.sort.startswith("-")
    return catalogue.Asked(sort, descending, asked.status, asked.chain, filters, asked.limit, asked.cursor)


def known_token(address: str) -> Any:
    token = Token.objects.filter(address=address).with_newest_figures().first()
    if token is None:
        raise HttpError(404, "No token here has this address. Only tokens that migrated while the listener was running are known.")
    return token


Address = PathEx[str, P(pattern=r"^[A-Za-z0-9]{1,64}$", description="The mint on Solana.")]


@offered(router, "/{address}/", response={200: TokenWhole, **ERRORS}, summary="One token", operation_id="token")
def token(request: HttpRequest, response: HttpResponse, address: Address) -> Any:
    """Its figures, its score part by part, its pools, and what would change its status."""
    refuse_others(request)
    found, now = known_token(address), timezone.now()
    tag = tag_of(request, found.last_snapshot_at, found.last_scored_at, found.status_changed_at, found.held, found.low_checks)
    if known := unchanged(request, tag):
        return known
    stored = page.newest_score(found)
    explained = page.explained(stored)
    pools, total = page.pools_of(found)
    labelled(response, tag)
    return {
        "simulated": settings.SIMULATED,
        "as_of": answers.moment(now),
        "token": answers.token_of(found, now),
        "explanation": answers.explanation_of(explained, stored.components or {}) if explained else None,
        "outlook": page.outlook(found, found if found.source is not None else None, page.settings_for(stored)),
        "pools": [answers.pool_of(row.pool, row.newest, now) for row in pools],
        "pool_total": total,
    }


@offered(router, "/{address}/history/", response={200: History, **ERRORS}, summary="Its past", operation_id="history")
def history(request: HttpRequest, response: HttpResponse, asked: Query[HistoryAsked], address: Address) -> Any:
    """Its stored figures with the scores made from them, the newest first, as far back as the retention holds."""
    refuse_others(request, *HistoryAsked.model_fields)
    found, now = known_token(address), timezone.now()
    tag = tag_of(request, found.last_snapshot_at, found.last_scored_at)
    if known := unchanged(request, tag):
        return known
    rows, following = past(found, asked.limit, asked.cursor)
    labelled(response, tag)
    return {"simulated": settings.SIMULATED, "as_of": answers.moment(now), "address": found.address, "rows": rows, "next": following}


def past(token: Any, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """A page of snapshots with their scores, two queries. The cursor is the last row's moment in microseconds."""
    snapshots = token.snapshots.order_by("-ts")
    if cursor is not None:
        snapshots = snapshots.filter(ts__lt=EPOCH + min(int(cursor), 10**17) * MICROSECOND)
    names = ("ts", "source", "price", "liquidity", "holders", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h", "contradictions")
    seen = list(snapshots.values(*names)[: limit + 1])
    rows = seen[:limit]
    span = {"ts__gte": rows[-1]["ts"], "ts__lte": rows[0]["ts"]} if rows else {"pk": None}
    scores = {ts: (score, revision) for ts, score, revision in token.scores.filter(**span).values_list("ts", "score", "settings")}
    told = [
        {
            **row,
            "ts": answers.moment(row["ts"]),
            "contradictions": row["contradictions"].split(),
            **dict(zip(("score", "revision"), scores.get(row["ts"], (None, None)), strict=True)),
        }
        for row in rows
    ]
    return told, str((rows[-1]["ts"] - EPOCH) // MICROSECOND) if len(seen) > limit else None
