"""The words of the three stages, each spelled in this one place. They are stored and published as they stand here."""

from __future__ import annotations

from enum import StrEnum


class Scenario(StrEnum):
    """What the market of a token seems to be doing."""

    NONE = "none"
    BULLISH_BREAKOUT = "bullish_breakout"
    BEARISH_BREAKOUT = "bearish_breakout"
    BULLISH_REVERSAL = "bullish_reversal"
    BEARISH_REVERSAL = "bearish_reversal"
    RANGE_BOUND = "range_bound"
    BULLISH_CONTROL = "bullish_control"
    BEARISH_CONTROL = "bearish_control"
    HIGH_VOLATILITY = "high_volatility"
    MANIPULATED = "manipulated"


class Recommendation(StrEnum):
    """What follows for somebody who holds nothing yet. HOLD: nothing to begin, and nothing to end."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    BUY_IN_DIPS = "BUY_IN_DIPS"
    RANGE_TRADE = "RANGE_TRADE"
    HOLD = "HOLD"
    WAIT = "WAIT"
    SELL_ON_RALLIES = "SELL_ON_RALLIES"
    SELL = "SELL"
    AVOID = "AVOID"
    AVOID_HIGH_RISK = "AVOID_HIGH_RISK"


class Basis(StrEnum):
    """Why a recommendation is what it is, before any gate."""

    SCENARIO = "scenario"
    NOTHING_KNOWN = "nothing_known"
    NO_SCENARIO = "no_scenario"
    NO_SUPPORT_NEAR = "no_support_near"
    NOT_AT_AN_EDGE = "not_at_an_edge"
    BAND_TOO_NARROW = "band_too_narrow"
    NO_STOP = "no_stop"
    REWARD_RISK = "reward_risk"


class Gate(StrEnum):
    """What turned a recommendation into WAIT."""

    NONE = "none"
    STALE = "stale"
    TOO_FEW_BARS = "too_few_bars"
    GAPS = "gaps"
    LOW_ATR = "low_atr"
    CONTRADICTION = "contradiction"
    HIGHER_TIME_FRAME = "higher_time_frame"
    CONFIDENCE = "confidence"
    IMPACT = "impact"
    COOL_DOWN = "cool_down"


class LevelKind(StrEnum):
    """Where a level comes from. FALLBACK is no level: a distance in ATR where none was found."""

    DAY_PIVOT = "day_pivot"
    DAY_RANGE = "day_range"
    HOUR_PIVOT = "hour_pivot"
    VOLUME_PROFILE = "volume_profile"
    VWAP_FIRST = "vwap_first"
    VWAP_SWING = "vwap_swing"
    VWAP_SESSION = "vwap_session"
    VWAP_BAND = "vwap_band"
    SWING_MICRO = "swing_micro"
    SWING_MESO = "swing_meso"
    SWING_MACRO = "swing_macro"
    FALLBACK = "fallback"


class RiskClass(StrEnum):
    UNKNOWN = "unknown"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"
