"""The sentences of the judgement, for people: one for each code of `trading.narrative`, with its named fields, and the names of scenarios,
recommendations, gates and the rest. Lazy, so that each reader reads his own language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from tokens.templatetags.figures import MINUS, UNKNOWN, digits, finite, money
from trading.names import Gate, LevelKind, Recommendation, RiskClass, Scenario, Session

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SCENARIOS: dict[str, _StrPromise] = {
    Scenario.NONE: _("no scenario"),
    Scenario.BULLISH_BREAKOUT: _("bullish breakout"),
    Scenario.BEARISH_BREAKOUT: _("bearish breakout"),
    Scenario.BULLISH_REVERSAL: _("bullish reversal"),
    Scenario.BEARISH_REVERSAL: _("bearish reversal"),
    Scenario.RANGE_BOUND: _("range"),
    Scenario.BULLISH_CONTROL: _("buyers in control"),
    Scenario.BEARISH_CONTROL: _("sellers in control"),
    Scenario.HIGH_VOLATILITY: _("high volatility"),
    Scenario.MANIPULATED: _("manipulated"),
}

RECOMMENDATIONS: dict[str, _StrPromise] = {
    Recommendation.STRONG_BUY: _("strong buy"),
    Recommendation.BUY: _("buy"),
    Recommendation.BUY_IN_DIPS: _("buy in dips"),
    Recommendation.RANGE_TRADE: _("trade the range"),
    Recommendation.HOLD: _("hold"),
    Recommendation.WAIT: _("wait"),
    Recommendation.SELL_ON_RALLIES: _("sell on rallies"),
    Recommendation.SELL: _("sell"),
    Recommendation.AVOID: _("avoid"),
    Recommendation.AVOID_HIGH_RISK: _("avoid: high risk"),
}

GATES: dict[str, _StrPromise] = {
    Gate.NONE: _("none"),
    Gate.STALE: _("stale data"),
    Gate.TOO_FEW_BARS: _("too few bars"),
    Gate.GAPS: _("gaps in the data"),
    Gate.LOW_ATR: _("hardly any movement"),
    Gate.CONTRADICTION: _("contradiction"),
    Gate.HIGHER_TIME_FRAME: _("longer bars disagree"),
    Gate.CONFIDENCE: _("too little confidence"),
    Gate.IMPACT: _("order too big for the pool"),
    Gate.COOL_DOWN: _("pause after the last entry"),
}

LEVELS: dict[str, _StrPromise] = {
    LevelKind.DAY_PIVOT: _("day's pivot"),
    LevelKind.DAY_RANGE: _("yesterday's range"),
    LevelKind.HOUR_PIVOT: _("hour's pivot"),
    LevelKind.VOLUME_PROFILE: _("busy price"),
    LevelKind.VWAP_FIRST: _("VWAP since the first bar"),
    LevelKind.VWAP_SWING: _("VWAP since the last big swing"),
    LevelKind.VWAP_SESSION: _("VWAP of the day"),
    LevelKind.VWAP_BAND: _("VWAP ± σ"),
    LevelKind.SWING_MICRO: _("small swing"),
    LevelKind.SWING_MESO: _("swing"),
    LevelKind.SWING_MACRO: _("big swing"),
    LevelKind.FALLBACK: _("no level: a distance in ATR"),
}

RISKS: dict[str, _StrPromise] = {
    RiskClass.UNKNOWN: _("risk unknown"),
    RiskClass.LOW: _("low risk"),
    RiskClass.MEDIUM: _("medium risk"),
    RiskClass.HIGH: _("high risk"),
    RiskClass.EXTREME: _("extreme risk"),
}

SESSIONS: dict[str, _StrPromise] = {
    Session.ASIA: _("day in Asia"),
    Session.EUROPE: _("day in Europe"),
    Session.AMERICA: _("day in America"),
}

TEMPLATES: dict[str, _StrPromise] = {
    "scenario": _("This looks like: %(scenario)s (score %(score)s, %(margin)s times the best of another direction)."),
    "part_broke_out_up": _("The price stands %(over_high)s ATR above the highest of the last hour."),
    "part_broke_out_down": _("The price stands %(under_low)s ATR below the lowest of the last hour."),
    "part_volume": _("The newest volume lies %(volume_z)s standard deviations above the usual."),
    "part_shock_up": _("The newest bar rose by %(shock)s ATR."),
    "part_shock_down": _("The newest bar moved by %(shock)s ATR."),
    "part_shock": _("The newest bar moved by %(shock)s ATR."),
    "part_vwap_up": _("The price is %(vwap_atr)s ATR above its VWAP."),
    "part_vwap_down": _("The price is %(vwap_atr)s ATR from its VWAP."),
    "part_trend_minutes_up": _("It rises in the last quarter of an hour (%(trend_minutes)s of 1)."),
    "part_trend_minutes_down": _("It falls in the last quarter of an hour (%(trend_minutes)s of −1)."),
    "part_trend_fives_up": _("It rises over two hours (%(trend_fives)s of 1)."),
    "part_trend_fives_down": _("It falls over two hours (%(trend_fives)s of −1)."),
    "part_trend_hours_up": _("It rises from hour to hour (%(trend_hours)s of 1)."),
    "part_trend_hours_down": _("It falls from hour to hour (%(trend_hours)s of −1)."),
    "part_flow_up": _("Buyers made %(buy_share)s of the last quarter of an hour's dollars."),
    "part_flow_down": _("Buyers made only %(buy_share)s of the last quarter of an hour's dollars."),
    "part_stretched_up": _("It fell far in the last hour: %(move_hour)s ATR."),
    "part_stretched_down": _("It rose far in the last hour: %(move_hour)s ATR."),
    "part_extreme_rsi_up": _("RSI %(rsi)s is oversold."),
    "part_extreme_rsi_down": _("RSI %(rsi)s is overbought."),
    "part_rejected_up": _("Lower prices were refused: %(wick_low)s of the last bars is lower wick."),
    "part_rejected_down": _("Higher prices were refused: %(wick_high)s of the last bars is upper wick."),
    "part_at_level_up": _("Support is %(distance_atr)s ATR away."),
    "part_at_level_down": _("Resistance is %(distance_atr)s ATR away."),
    "part_divergence_up": _("The price made a lower low, RSI a higher one."),
    "part_divergence_down": _("The price made a higher high, RSI a lower one."),
    "part_adx": _("ADX %(adx)s shows a trend."),
    "part_calm": _("Bars are calm: %(volatility)s of their usual range."),
    "part_reverting": _("Moves are taken back: five bars move %(variance_ratio)s of what a random walk would."),
    "part_no_trend_fives": _("No trend over two hours (%(trend_fives)s)."),
    "part_no_trend_hours": _("No trend from hour to hour (%(trend_hours)s)."),
    "part_no_adx": _("ADX %(adx)s shows no trend."),
    "part_inside": _("The price is inside its range, at %(band_place)s of it."),
    "part_volatility": _("Bars are %(volatility)s times their usual range."),
    "part_jump": _("Prices jump by %(jump)s ATR between bars."),
    "part_wide_band": _("The last hour went over %(band_atr)s ATR."),
    "part_spread": _("Bars tell of a spread of %(spread)s."),
    "part_few_wallets": _("Only %(wallet_share)s wallets for each trade."),
    "part_churned": _("The day's volume is %(turnover)s times the pool."),
    "part_idle_volume": _("Volume %(volume_z)s standard deviations above the usual, and the price hardly moved."),
    "part_one_bar": _("One bar made %(busiest_share)s of the hour's volume."),
    "part_wicks": _("Wild bars return to where they began."),
    "basis_nothing_known": _("Too little is known to see anything."),
    "basis_no_scenario": _("No scenario is clear enough: the best has %(best_score)s, %(least_scenario)s is needed."),
    "basis_no_support_near": _("Buyers are in control, but the nearest support is %(support_atr)s ATR away; a dip needs %(near_atr)s."),
    "basis_not_at_an_edge": _("The price is at %(band_place)s of its range: not at an edge from which to trade it."),
    "basis_band_too_narrow": _("The range is %(band_atr)s ATR wide; trading it needs %(range_band_atr)s."),
    "basis_no_plan": _("There is no place for a stop and targets."),
    "basis_reward_risk": _(
        "The targets do not pay for the risk: after costs they bring %(reward_risk)s to 1, the first of them %(first_reward)s; it takes "
        "%(least_reward_risk)s, and a first one that pays."
    ),
    "sell_means_leave": _("This token cannot be sold short: it means leave it, and stay away."),
    "gate_stale": _("%(original)s held back: the newest bar is %(age)s bars old (closed from %(stale_bars)s, open at %(fresh_bars)s)."),
    "gate_too_few_bars": _("%(original)s held back: only %(bars)s bars are known, %(least_bars)s are needed."),
    "gate_gaps": _(
        "%(original)s held back: %(missing)s of the last hour's bars are missing (closed from %(gaps_close)s, open at %(gaps_open)s)."
    ),
    "gate_low_atr": _("%(original)s held back: ATR is %(atr)s of the price (closed at %(low_atr_close)s, open from %(low_atr_open)s)."),
    "gate_contradiction": _(
        "%(original)s held back: the opposite is almost as likely, %(opposite)s of it (closed from %(contradiction_close)s, open at "
        "%(contradiction_open)s), or the data contradict each other."
    ),
    "gate_higher_time_frame": _(
        "%(original)s held back: longer bars agree by %(higher_agreement)s (closed at %(higher_close)s, open from %(higher_open)s)."
    ),
    "gate_confidence": _(
        "%(original)s held back: confidence %(confidence)s (closed at %(confidence_close)s, open from %(confidence_open)s)."
    ),
    "gate_expectancy": _(
        "%(original)s held back: it may expect %(expectancy)s of its risk (closed at %(expectancy_close)s, open from %(expectancy_open)s)."
    ),
    "gate_impact": _(
        "%(original)s held back: %(order_usd)s would move the price by %(impact)s (closed from %(impact_close)s, open at %(impact_open)s)."
    ),
    "gate_cool_down": _("%(original)s held back: within %(cool_down_sec)s s of the last entry."),
    "plan_up": _("Enter at %(entry)s, stop %(stop)s, targets %(target_1)s, %(target_2)s, %(target_3)s: %(reward_risk)s to 1 after costs."),
    "plan_down": _(
        "Enter short, on paper, at %(entry)s, stop %(stop)s, targets %(target_1)s, %(target_2)s, %(target_3)s: %(reward_risk)s to 1 after "
        "costs."
    ),
    "score": _("Confidence %(confidence)s is a score, no probability: too few outcomes are known yet."),
    "probability": _("Of such judgements %(confidence)s win (%(confidence_low)s to %(confidence_high)s)."),
    "liquidity_assumed": _("The liquidity is unknown; a small one is assumed, which the order would move by %(impact)s."),
    "flip_price": _("A price of %(value)s (%(move)s) would make it: %(recommendation)s."),
    "flip_volume": _("A volume of %(value)s in this bar (%(move)s) would make it: %(recommendation)s."),
    "flip_rsi": _("RSI %(value)s (%(move)s) would make it: %(recommendation)s."),
    "flip_confidence": _("A confidence of %(value)s (%(move)s) would make it: %(recommendation)s."),
    "flip_nothing": _("No single move of price, volume, RSI or confidence would change it."),
}

PRICES = {"entry", "stop", "target_1", "target_2", "target_3"}
PRICE_DIGITS = 5
SHARES = {
    "buy_share",
    "wick_low",
    "wick_high",
    "busiest_share",
    "spread",
    "missing",
    "gaps_close",
    "gaps_open",
    "atr",
    "low_atr_close",
    "low_atr_open",
    "impact",
    "impact_close",
    "impact_open",
    "band_place",
}
PROBABILITIES = {"confidence_low", "confidence_high"}
NAMED = {"scenario": SCENARIOS, "recommendation": RECOMMENDATIONS, "original": RECOMMENDATIONS}


def sentence(code: str, fields: Mapping[str, Any]) -> str:
    """The line in the language of whoever reads it now. What is unknown is a dash, never a zero."""
    return str(TEMPLATES[code]) % {name: _written(code, name, value) for name, value in fields.items()}


def _written(code: str, name: str, value: Any) -> str:
    if name in NAMED:
        return str(NAMED[name].get(value, value))
    if name in PRICES or (name == "value" and code == "flip_price"):
        return price(value)
    if name == "order_usd" or (name == "value" and code == "flip_volume"):
        return money(value)
    if name == "move" and code == "flip_volume":
        return "×" + number(None if value is None else 1.0 + value)
    if name == "move" and code == "flip_price":
        return _signed(value, 100.0) + " %"
    if name == "move":
        return _signed(value, 1.0)
    if name in SHARES or (code == "probability" and name in PROBABILITIES | {"confidence"}):
        return number(value, 100.0) + " %"
    return number(value)


def price(value: Any) -> str:
    """$97,012 and $0.000011843: five digits, for a stop lies near its entry."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    size = abs(known)
    text = f"{size:,.0f}" if 9_999.5 <= size < 1e7 else digits(size, PRICE_DIGITS)
    return (MINUS if known < 0 else "") + "$" + text


def number(value: Any, times: float = 1.0) -> str:
    """Three significant digits; a share of 0.0007 is 0.07 %."""
    known = finite(value)
    if known is None:
        return UNKNOWN
    return (MINUS if known < 0 else "") + digits(abs(known * times))


def _signed(value: Any, times: float) -> str:
    known = finite(value)
    return UNKNOWN if known is None else ("+" if known > 0 else "") + number(known, times)
