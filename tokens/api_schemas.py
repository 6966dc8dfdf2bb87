"""The shapes of what /api/ answers; the OpenAPI schema is made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Field, Schema

from tokens.catalogue import LONGEST_CURSOR, MOST, SORTS
from tokens.models import LARGEST_AMOUNT, LARGEST_COUNT, Source, Status

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
StatusName = Literal["Initial", "Active", "Archived"]
SourceName = Literal["birdeye", "pools", "pools+birdeye", "binance"]
State = Literal["ok", "estimated", "no_activity", "no_history", "stale", "capped", "error", "not_scored"]
ORDERS = "|".join(SORTS)
MOST_AGE_SEC = 3_155_760_000.0  # a century
HISTORY_MOST = 1000
NOT_CROSSED = "Below its minimum: 422, for nothing can pass."

assert set(StatusName.__args__) == set(Status.values)  # type: ignore[attr-defined]  # noqa: S101  two lists that must not drift apart
assert set(SourceName.__args__) == set(Source.values)  # type: ignore[attr-defined]  # noqa: S101


class Detail(Schema):
    where: str
    why: str


class Problem(Schema):
    """Why there is no answer, in a sentence."""

    error: str
    simulated: bool
    details: list[Detail] = Field(default_factory=list, description="Which parameters were refused, and why.")


class TokensAsked(Schema):
    """Which tokens, in which order. Every filter leaves out tokens whose figure is unknown; a minimum above its maximum is refused."""

    status: StatusName | None = Field(None, description="Only tokens of this status; without it, all.")
    chain: Literal["solana", "binance"] = Field(
        "solana", description="`binance`: instead of the tokens that migrated, the exchange symbols on the watch-list."
    )
    dex: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._\-]{0,39}(,[A-Za-z0-9][A-Za-z0-9 ._\-]{0,39}){0,9}$",
        description="Only tokens with a pool on this exchange, or on one of several: pumpswap,raydium.",
    )
    min_liquidity: float | None = Field(None, ge=0, le=LARGEST_AMOUNT, allow_inf_nan=False, description="US dollars, newest figure.")
    max_liquidity: float | None = Field(None, ge=0, le=LARGEST_AMOUNT, allow_inf_nan=False, description=NOT_CROSSED)
    min_score: float | None = Field(None, ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, allow_inf_nan=False)
    max_score: float | None = Field(None, ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, allow_inf_nan=False, description=NOT_CROSSED)
    min_holders: int | None = Field(None, ge=0, le=LARGEST_COUNT)
    max_holders: int | None = Field(None, ge=0, le=LARGEST_COUNT, description=NOT_CROSSED)
    min_age_sec: float | None = Field(
        None, ge=0, le=MOST_AGE_SEC, allow_inf_nan=False, description="Seconds since the migration, at least."
    )
    max_age_sec: float | None = Field(
        None, ge=0, le=MOST_AGE_SEC, allow_inf_nan=False, description=f"Seconds since the migration, at most. {NOT_CROSSED}"
    )
    sort: str = Field(
        "-score",
        pattern=f"^-?({ORDERS})$",
        description="One of the names, with a minus in front for the highest first. Unknown comes last.",
    )
    limit: int = Field(50, ge=1, le=MOST)
    cursor: str | None = Field(
        None,
        pattern=rf"^[A-Za-z0-9_\-]{{1,{LONGEST_CURSOR}}}$",
        description="`next` of the page before. A cursor that no page gave is answered with 404.",
    )


class HistoryAsked(Schema):
    limit: int = Field(200, ge=1, le=HISTORY_MOST)
    cursor: str | None = Field(None, pattern=r"^[0-9]{1,17}$", description="`next` of the page before: only what is older.")


class Figures(Schema):
    state: Literal["fresh", "stale", "unknown"]
    at: Moment | None
    age_sec: float | None
    source: SourceName | None = Field(description="`pools`: sums over its pools (DexScreener).")
    birdeye_at: Moment | None = Field(description="When holders and volumes bought and sold were read.")
    price: float | None
    liquidity: float | None
    holders: float | None
    tx_count_5m: float | None
    tx_count_1h: float | None
    volume_5m: float | None
    volume_1h: float | None
    buys_5m: float | None = Field(description="Count of buys.")
    sells_5m: float | None = Field(description="Count of sells.")
    buys_volume_5m: float | None
    sells_volume_5m: float | None
    unknown: dict[str, str] = Field(description="For every figure that is null: why.")
    contradictions: list[str] = Field(description="Names of the checks that these figures fail.")


class Score(Schema):
    value: float | None
    state: Literal["ok", "estimated", "stale", "unknown"]
    why: str = Field(description="One sentence: what lifts it, what holds it back, or why there is none.")
    at: Moment | None = Field(description="Moment of the figures it was made from.")
    age_sec: float | None
    estimated: bool = Field(description="A part of it rests on an estimate.")
    metrics: dict[str, State]


class TokenLine(Schema):
    address: str
    chain: Literal["solana", "binance"]
    symbol: str = Field(description="As its maker wrote it: not unique, not to be trusted.")
    name: str
    status: StatusName
    held: bool = Field(description="An operator's hand keeps it in its status.")
    created_at: Moment
    age_sec: float
    status_changed_at: Moment
    pool_count: int
    score: Score
    figures: Figures


class TokenPage(Schema):
    simulated: bool
    as_of: Moment
    tokens: list[TokenLine]
    next: str | None = Field(description="Cursor of the next page; null on the last.")


class Part(Schema):
    """One metric's way into the score: raw, part (where the model makes one), smoothed, times its share of the weights."""

    metric: str
    title: str
    state: State
    reason: str
    raw: float | None
    part: float | None
    smoothed: float | None
    weight: float | None
    share: float | None = Field(description="Of the weights that count; null when it does not count.")
    contribution: float | None = Field(description="The contributions add up to the score.")
    inputs: dict[str, float | None]


class ExplanationOf(Schema):
    score: float | None
    at: Moment
    revision: int
    score_model: str
    note: str
    parts: list[Part]
    factors: dict[str, float | None] = Field(description="What the model multiplies the whole with; in the contributions already.")


class PoolLine(Schema):
    address: str
    dex: str
    quote: str
    opened_at: Moment | None
    first_seen: Moment | None
    seen_at: Moment | None
    age_sec: float | None
    price: float | None
    liquidity: float | None
    tx_count_5m: int | None
    tx_count_1h: int | None
    volume_5m: float | None
    volume_1h: float | None


class TokenWhole(Schema):
    simulated: bool
    as_of: Moment
    token: TokenLine
    explanation: ExplanationOf | None = Field(description="Of the newest score; null while there is none.")
    outlook: list[str] = Field(description="What would change its status, in sentences.")
    pools: list[PoolLine] = Field(description="The deepest first.")
    pool_total: int


class HistoryRow(Schema):
    ts: Moment
    source: SourceName
    price: float | None
    liquidity: float | None
    holders: float | None
    tx_count_5m: float | None
    tx_count_1h: float | None
    volume_5m: float | None
    volume_1h: float | None
    score: float | None
    revision: int | None = Field(description="The settings that made the score.")
    contradictions: list[str]


class History(Schema):
    simulated: bool
    as_of: Moment
    address: str
    rows: list[HistoryRow] = Field(description="The newest first.")
    next: str | None
