"""The shape of `/api/trading/state`; the OpenAPI schema is made from it."""

from __future__ import annotations

from typing import Literal

from ninja import Field, Schema

from tokens.api_schemas import Moment
from trading.published import SCHEMA, TYPE


class Meta(Schema):
    ts: Moment = Field(description="When this document was made.")
    seq: int = Field(description="Goes up by one with each cycle of the stages.")
    schema_: str = Field(alias="schema", description=f"Now {SCHEMA}.")
    as_of: Moment | None = Field(description="End of the newest bar that was judged; null before the first.")
    simulated: bool
    paper_only: bool = Field(description="Always true: no order is ever sent.")


class Counters(Schema):
    assets: int
    alerts: int
    filtered: int
    open_positions: int
    equity: float | None


class Trigger(Schema):
    name: str
    direction: int
    strength: float
    bars_ago: int


class Level(Schema):
    kind: str | None
    price: float | None
    strength: float | None
    distance: float | None


class RiskParameters(Schema):
    side: int
    entry: float | None
    stop: float | None
    targets: list[float]
    reward_risk: float | None
    risk_class: str


class Judged(Schema):
    key: int
    judged_at: Moment
    scenario: str
    recommendation: str
    recommendation_original: str
    gate: str
    confidence: float | None
    confidence_is_probability: bool = Field(description="False: a score, not yet calibrated against outcomes.")
    risk_parameters: RiskParameters
    key_levels: list[Level]


class Held(Schema):
    side: int
    opened_at: Moment
    entry: float
    quantity: float
    left: float
    stop: float
    targets: list[float]
    targets_reached: int
    last_price: float


class Asset(Schema):
    symbol: str
    address: str
    chain: Literal["solana", "binance"]
    state: Literal["ALERT", "NORMAL", "FILTERED"]
    as_of: Moment
    current: bool = Field(description="False: no longer looked at; the rest is as of then.")
    price: float | None
    market_state: str
    trigger_reasons: list[str]
    triggers: list[Trigger]
    effective_reasons: float
    refusals: list[str]
    judgement: Judged | None
    position: Held | None


class State(Schema):
    type: Literal["asset_state_update"] = Field(description=TYPE)
    meta: Meta
    counters: Counters
    assets: list[Asset]
