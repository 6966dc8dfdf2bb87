"""The shapes of the ranking and of the verdict on the system."""

from __future__ import annotations

from typing import Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from tokens.api_schemas import Moment, State

FeedState = Literal["ok", "late", "silent", "off"]
TickState = Literal["ok", "late", "failing", "off"]


class Revision(Schema):
    id: int
    score_model: str
    since: Moment


class Limits(Schema):
    """The settings that chose the tokens."""

    top_n: int
    min_score: float
    dexes: list[str] = Field(description="Empty: all.")
    max_age_sec: int


class Freshness(Schema):
    tick_state: TickState
    tick_at: Moment
    tick_age_sec: float
    feed_state: FeedState = Field(description="Whether new tokens are being heard of.")
    feed_age_sec: float | None
    newest_score_age_sec: float | None
    oldest_score_age_sec: float | None = Field(description="Of the tokens given.")


class Counts(Schema):
    active: int
    above_minimum: int
    too_old: int = Field(description="Of those above the minimum, left out.")
    given: int


class RankedPool(Schema):
    address: str
    dex: str
    quote: str
    liquidity: float | None
    volume_5m: float | None
    seen_at: Moment | None
    age_sec: float | None


class RankedToken(Schema):
    rank: int
    address: str
    chain: Literal["solana", "binance"]
    symbol: str
    name: str
    score: float
    scored_at: Moment
    age_sec: float
    estimated: bool
    states: dict[str, State]
    contradictions: list[str]
    price: float | None
    liquidity: float | None
    volume_5m: float | None
    tx_count_5m: int | None
    holders: int | None
    pools: list[RankedPool] = Field(description="On the allowed exchanges, the deepest first.")


class Ranking(Schema):
    simulated: bool
    generated_at: Moment
    revision: Revision
    limits: Limits
    freshness: Freshness
    counts: Counts
    tokens: list[RankedToken]


class Feed(Schema):
    state: FeedState
    age_sec: float | None
    since: Moment | None


class Tick(Schema):
    state: TickState
    age_sec: float | None
    ms: float | None
    since: Moment | None


class Component(Schema):
    state: str
    age_sec: float
    ms: float | None = None


class Gap(Schema):
    model_config = ConfigDict(populate_by_name=True)

    from_: Moment = Field(alias="from", serialization_alias="from")
    to: Moment | None
    sec: float


class Health(Schema):
    status: Literal["ok", "degraded"]
    live: bool
    ready: bool
    as_of: Moment
    simulated: bool
    feed: Feed
    tick: Tick
    tokens: dict[str, int]
    components: dict[str, Component]
    gap: Gap | None
    recent_gaps: list[Gap]
    troubles: list[str]
