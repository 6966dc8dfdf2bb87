"""The words of the three stages, each spelled in this one place. They are stored, published and counted as they stand here."""

from enum import StrEnum


class Trigger(StrEnum):
    """Stage 1: what may be a reason to look at an asset. Their order is that of the co-firing matrix: new ones go to the end."""

    VOLUME_SPIKE = "volume_spike"
    RSI_DIVERGENCE = "rsi_divergence"
    BREAKOUT = "breakout"
    BREAKOUT_CONFIRMED = "breakout_confirmed"
    BREAKOUT_RETESTED = "breakout_retested"
    NEAR_LEVEL = "near_level"
    VOLATILITY_SPIKE = "volatility_spike"
    VWAP_DEVIATION = "vwap_deviation"


class Family(StrEnum):
    """Triggers of one family look at the same thing: until measured, they count as dependent."""

    VOLUME = "volume"
    MOMENTUM = "momentum"
    LEVEL = "level"
    RANGE = "range"


FAMILY_OF = {
    Trigger.VOLUME_SPIKE: Family.VOLUME,
    Trigger.RSI_DIVERGENCE: Family.MOMENTUM,
    Trigger.BREAKOUT: Family.LEVEL,
    Trigger.BREAKOUT_CONFIRMED: Family.LEVEL,
    Trigger.BREAKOUT_RETESTED: Family.LEVEL,
    Trigger.NEAR_LEVEL: Family.LEVEL,
    Trigger.VOLATILITY_SPIKE: Family.RANGE,
    Trigger.VWAP_DEVIATION: Family.RANGE,
}

# A quiet market moves by fees and rounding: there, one of these must be among the reasons.
STRONG = frozenset({Trigger.BREAKOUT, Trigger.BREAKOUT_CONFIRMED, Trigger.BREAKOUT_RETESTED, Trigger.VWAP_DEVIATION})


class MarketState(StrEnum):
    """How an asset moves at a bar. Their order is that of the stored codes: new ones go to the end."""

    UNKNOWN = "unknown"
    RANGE = "range"
    TREND = "trend"
    HIGH_VOL = "high_vol"


class Refusal(StrEnum):
    """Why the prefilter leaves an asset out."""

    LIQUIDITY_LOW = "liquidity_low"
    LIQUIDITY_UNKNOWN = "liquidity_unknown"
    VOLUME_LOW = "volume_low"
    VOLUME_UNKNOWN = "volume_unknown"
    TURNOVER_LOW = "turnover_low"
    TURNOVER_HIGH = "turnover_high"
    TURNOVER_UNKNOWN = "turnover_unknown"
    DEPTH_LOW = "depth_low"
    DEPTH_UNKNOWN = "depth_unknown"
    OPEN_INTEREST_LOW = "open_interest_low"
    OPEN_INTEREST_UNKNOWN = "open_interest_unknown"


class Unheard(StrEnum):
    """Why a trigger came to nothing."""

    TOO_FEW = "too_few"
    TOO_CALM = "too_calm"
    NOT_JUDGED = "not_judged"


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
    NO_PLAN = "no_plan"
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


class Session(StrEnum):
    """Where it is day."""

    ASIA = "asia"
    EUROPE = "europe"
    AMERICA = "america"


class Quantity(StrEnum):
    """What may move, when it is asked what would change a recommendation."""

    PRICE = "price"
    VOLUME = "volume"
    RSI = "rsi"
    CONFIDENCE = "confidence"


class RiskClass(StrEnum):
    UNKNOWN = "unknown"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


class Skip(StrEnum):
    """Why a signal did not become a paper trade."""

    GATED = "gated"
    SIDE = "side_not_allowed"
    NO_LEVELS = "no_levels"
    LOW_CONFIDENCE = "low_confidence"
    TOKEN_OPEN = "token_open"  # noqa: S105 - a reason, not a secret
    COOLING_DOWN = "cooling_down"
    TOKEN_LIMIT = "token_limit"  # noqa: S105
    NO_SLOT = "no_slot"
    NO_PRICE = "no_price"
    PRICE_MOVED = "price_moved"
    TOO_SMALL = "too_small"
    NO_CASH = "no_cash"
    TOO_LATE = "too_late"


class Deal(StrEnum):
    """What a fill was: the entry, a target that sold a part, or what closed the rest."""

    ENTRY = "entry"
    TARGET_1 = "target_1"
    TARGET_2 = "target_2"
    TARGET_3 = "target_3"
    STOP = "stop"
    BREAK_EVEN = "break_even"
    TRAIL = "trail"
    TIME = "time"
    CONTEXT = "context"
    DEAD = "dead"
