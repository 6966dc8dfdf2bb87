"""The numbers of the three stages and of the evidence that an operator may turn: each is declared here once, with its range, and becomes
a column of the settings revision, a control of the console and a default of the stage's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal, TypeVar

Kind = Literal["number", "whole", "switch"]
Rules = TypeVar("Rules")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number or switch. `help` says what it does and what is typical."""

    name: str
    default: float
    least: float
    most: float
    help: str
    group: str
    unit: str = ""
    kind: Kind = "number"


def switch(name: str, default: bool, help: str, group: str) -> Parameter:
    return Parameter(name, float(default), 0, 1, help, group, kind="switch")


# Stage 1: the filter, the triggers, and how many independent reasons make an alert.
_FILTER, _VOLUME, _DIVERGENCE, _BREAKOUT = "Filter", "Trigger: volume", "Trigger: divergence of RSI", "Trigger: breakout"
_NEAR, _RANGE, _STATE, _ALERT = "Trigger: near a level", "Triggers: range and VWAP", "Market state", "Alert"
STAGE_1: tuple[Parameter, ...] = (
    Parameter("prefilter_liquidity_least", 5000, 0, 1e12, "Less is left out. 0: not asked. Typical: 2,000 to 20,000.", _FILTER, "USD"),
    Parameter("prefilter_liquidity_percentile", 0, 0, 99, "And so many of 100, poorest first. Typical: 0 to 50.", _FILTER, "%"),
    Parameter("prefilter_volume_least", 20000, 0, 1e12, "Of a day; a shorter known time needs its part. Typical: 20,000.", _FILTER, "USD"),
    Parameter("prefilter_volume_percentile", 0, 0, 99, "And so many of 100, quietest first. Typical: 0 to 75.", _FILTER, "%"),
    Parameter("prefilter_turnover_least", 0.5, 0, 1e6, "Day's volume over liquidity. 0: not asked. Typical: 0.2 to 2.", _FILTER, "a day"),
    Parameter("prefilter_turnover_most", 0, 0, 1e6, "More is likely wash trades. 0: no limit. Typical: 20 to 100.", _FILTER, "a day"),
    Parameter("prefilter_turnover_percentile", 0, 0, 99, "And so many of 100, idlest first. Typical: 0 to 50.", _FILTER, "%"),
    Parameter(
        "prefilter_depth_least", 0, 0, 1e12, "Money that moves the price by 2 %. 0: not asked. Typical: 50 to 50,000.", _FILTER, "USD"
    ),
    Parameter("prefilter_depth_percentile", 0, 0, 99, "And so many of 100, thinnest first. Typical: 0 to 50.", _FILTER, "%"),
    Parameter("prefilter_open_interest_least", 0, 0, 1e12, "Where there are futures. 0: not asked. Typical: 500,000.", _FILTER, "USD"),
    Parameter("prefilter_open_interest_percentile", 0, 0, 99, "And so many of 100, least first. Typical: 0 to 50.", _FILTER, "%"),
    Parameter("prefilter_stay_share", 0.8, 0.1, 1, "What was let in stays down to this part of each limit. Typical: 0.7 to 1.", _FILTER),
    switch("trigger_volume_on", True, "Volume far above that of the bars before it.", _VOLUME),
    switch("trigger_volume_robust", True, "By median and MAD, which earlier spikes do not widen; else mean and deviation.", _VOLUME),
    Parameter("trigger_volume_window", 50, 10, 240, "Earlier bars to compare with. Typical: 30 to 100.", _VOLUME, "bars", "whole"),
    Parameter("trigger_volume_z", 5, 0.5, 50, "Least z-score. Volume has long tails: below 4 it fires all day. Typical: 4 to 8.", _VOLUME),
    Parameter("trigger_volume_ratio", 3, 1, 100, "And at least so many times their mean. Typical: 2 to 4.", _VOLUME, "times"),
    switch("trigger_divergence_on", True, "A higher peak with a weaker RSI (bearish), or the mirror image (bullish).", _DIVERGENCE),
    Parameter(
        "trigger_divergence_reach", 3, 1, 30, "Bars below a peak, before and after it. Typical: 2 to 5.", _DIVERGENCE, "bars", "whole"
    ),
    Parameter("trigger_divergence_span", 60, 5, 400, "Peaks at most so far apart. Typical: 30 to 120.", _DIVERGENCE, "bars", "whole"),
    Parameter("trigger_divergence_gap", 3, 0.1, 50, "RSI is weaker by this at the newer peak. Typical: 2 to 8.", _DIVERGENCE, "points"),
    Parameter(
        "trigger_divergence_rsi_high", 60, 50, 100, "RSI of the older peak; of a trough, 100 less it. Typical: 60 to 70.", _DIVERGENCE
    ),
    switch("trigger_breakout_on", True, "A close beyond the bars before it: broken, confirmed, retested; up and down.", _BREAKOUT),
    Parameter("trigger_breakout_window", 60, 5, 240, "Earlier bars that are left behind. Typical: 40 to 120.", _BREAKOUT, "bars", "whole"),
    Parameter("trigger_breakout_margin", 0.2, 0, 10, "Least distance beyond them. Typical: 0 to 0.5.", _BREAKOUT, "ATR"),
    Parameter("trigger_breakout_confirm", 1, 0, 20, "Further closes that confirm it. Typical: 1 to 3.", _BREAKOUT, "bars", "whole"),
    Parameter("trigger_breakout_retest_bars", 20, 1, 120, "Longest wait for a retest. Typical: 10 to 30.", _BREAKOUT, "bars", "whole"),
    Parameter(
        "trigger_breakout_retest_reach", 0.3, 0, 10, "A retest comes so near, and closes beyond. Typical: 0.2 to 0.5.", _BREAKOUT, "ATR"
    ),
    switch("trigger_near_level_on", True, "The price arrives at the newest swing high or swing low.", _NEAR),
    Parameter("trigger_near_level_reach", 10, 2, 60, "Bars on either side of a swing. Typical: 5 to 20.", _NEAR, "bars", "whole"),
    Parameter("trigger_near_level_atr", 0.5, 0.01, 10, "Near is within so many ATR of it … Typical: 0.3 to 1.", _NEAR, "ATR"),
    Parameter("trigger_near_level_least", 0.002, 0, 1, "… and never less than this share of the price … Typical: 0.001 to 0.005.", _NEAR),
    Parameter("trigger_near_level_most", 0.03, 0, 1, "… and never more than this share. Typical: 0.01 to 0.05.", _NEAR),
    switch("trigger_volatility_on", True, "A bar far wider than those before it.", _RANGE),
    Parameter("trigger_volatility_window", 14, 5, 240, "Earlier bars to compare with. Typical: 14 to 30.", _RANGE, "bars", "whole"),
    Parameter("trigger_volatility_ratio", 3, 1, 100, "Its true range over their mean. Typical: 2.5 to 4.", _RANGE, "times"),
    switch("trigger_vwap_on", True, "The price far from the mean price that volume was traded at.", _RANGE),
    Parameter("trigger_vwap_window", 30, 5, 240, "Bars of that mean. Typical: 20 to 60.", _RANGE, "bars", "whole"),
    Parameter("trigger_vwap_atr", 6, 0.1, 50, "At least so many ATR away; any trend is 3 away. Typical: 5 to 10.", _RANGE, "ATR"),
    Parameter("trigger_vwap_least", 0.005, 0, 1, "And at least this share of it. Typical: 0.005 to 0.02.", _RANGE),
    switch(
        "trigger_atr_gates_on",
        True,
        "Below the low ATR gate an alert needs a strong reason; above the high one the state is high_vol.",
        _STATE,
    ),
    Parameter("trigger_atr_low", 0.0015, 0, 1, "ATR over price: below, moves hardly pay for fees. Typical: 0.001 to 0.006.", _STATE),
    Parameter(
        "trigger_atr_high",
        0.06,
        0,
        10,
        "ATR over price: above, the market is wild. Typical: 0.015 (big symbol) to 0.06 (young token).",
        _STATE,
    ),
    Parameter(
        "trigger_state_high_vol_ratio", 2, 1, 50, "High volatility is also this over the usual ATR. Typical: 1.8 to 3.", _STATE, "times"
    ),
    Parameter("trigger_state_usual_bars", 240, 30, 400, "Bars of that usual ATR. Typical: 120 to 400.", _STATE, "bars", "whole"),
    Parameter("trigger_state_trend_adx", 25, 0, 100, "A trend has at least this ADX. Typical: 20 to 30.", _STATE),
    Parameter("trigger_state_trend_bars", 30, 5, 240, "Bars over which its way is measured. Typical: 20 to 60.", _STATE, "bars", "whole"),
    Parameter("trigger_state_trend_efficiency", 0.3, 0, 1, "And so much of the way went in one direction. Typical: 0.25 to 0.5.", _STATE),
    Parameter(
        "trigger_alert_least_effective", 2.2, 1, 8, "Independent reasons for an alert; others count in part. Typical: 1.8 to 2.5.", _ALERT
    ),
    Parameter("trigger_alert_reason_bars", 3, 1, 30, "A reason counts for so many bars. Typical: 1 to 5.", _ALERT, "bars", "whole"),
    Parameter("trigger_alert_family_dependence", 0.7, 0, 1, "Of reasons of one family, until measured. Typical: 0.6 to 0.9.", _ALERT),
    Parameter("trigger_alert_other_dependence", 0.2, 0, 1, "Of all others, until measured. Typical: 0.1 to 0.3.", _ALERT),
    Parameter("trigger_alert_prior_firings", 50, 1, 1e6, "Firings that weigh as much as these two. Typical: 30 to 200.", _ALERT, "firings"),
    Parameter(
        "trigger_alert_half_life_bars",
        1_000_000,
        1000,
        1e12,
        "Bars of all assets until a firing weighs half. Typical: 1,000,000.",
        _ALERT,
        "bars",
    ),
)

# Stage 2: levels, context, scenarios, confidence, gates.
_LEVELS, _SCENARIOS, _PLAN, _GATES = "Judgement: levels", "Judgement: scenarios", "Judgement: plan", "Judgement: gates"
STAGE_2: tuple[Parameter, ...] = (
    Parameter("judge_merge_atr", 0.5, 0, 5, "Levels so near to each other are one. Typical: 0.3 to 1.", _LEVELS, "ATR"),
    Parameter(
        "judge_profile_bars",
        240,
        30,
        480,
        "Bars with a known volume that a volume profile needs. Typical: 200 to 400.",
        _LEVELS,
        kind="whole",
    ),
    Parameter(
        "judge_near_atr", 2, 0.1, 20, "A level so near is at the price: dips, rallies, edges of a range. Typical: 1 to 3.", _LEVELS, "ATR"
    ),
    Parameter("judge_volume_z_full", 4, 0.5, 50, "Volume z-score that speaks with full voice. Typical: 3 to 5.", _SCENARIOS),
    Parameter("judge_shock_atr_full", 3, 0.5, 50, "Move of one bar that speaks with full voice. Typical: 2 to 4.", _SCENARIOS, "ATR"),
    Parameter("judge_vwap_atr_full", 3, 0.5, 50, "Distance from VWAP that speaks with full voice. Typical: 2 to 4.", _SCENARIOS, "ATR"),
    Parameter("judge_adx_low", 18, 0, 100, "ADX at which no trend is seen. Typical: 15 to 20.", _SCENARIOS),
    Parameter("judge_adx_high", 35, 0, 100, "ADX of a full trend. Typical: 30 to 40.", _SCENARIOS),
    Parameter("judge_rsi_low", 30, 0, 50, "RSI that is fully oversold. Typical: 20 to 30.", _SCENARIOS),
    Parameter("judge_rsi_high", 70, 50, 100, "RSI that is fully overbought. Typical: 70 to 80.", _SCENARIOS),
    Parameter(
        "judge_volatility_full",
        3,
        1.1,
        50,
        "Range of five bars against the usual one that is fully violent. Typical: 2.5 to 4.",
        _SCENARIOS,
    ),
    Parameter("judge_wallets_wash", 0.1, 0, 1, "Wallets for each trade: so few are almost surely wash trades. Typical: 0.1.", _SCENARIOS),
    Parameter(
        "judge_wallets_clean", 0.3, 0, 1, "Wallets for each trade: from here on nothing is suspected. Typical: 0.3 to 0.6.", _SCENARIOS
    ),
    Parameter(
        "judge_turnover_clean", 5, 0, 1e6, "Day's volume over liquidity: up to here plausible. Fresh tokens are often above 5.", _SCENARIOS
    ),
    Parameter(
        "judge_turnover_wash", 20, 0, 1e6, "Day's volume over liquidity: from here on very likely wash trades. Typical: 20.", _SCENARIOS
    ),
    Parameter(
        "judge_manipulated_least",
        0.6,
        0,
        1,
        "From this score on MANIPULATED wins over every other scenario. Typical: 0.5 to 0.7.",
        _SCENARIOS,
    ),
    Parameter("judge_least_scenario", 0.35, 0, 1, "A scenario with a lower score is none. Typical: 0.3 to 0.45.", _SCENARIOS),
    Parameter(
        "judge_margin_full",
        1.25,
        1.01,
        10,
        "Best score over the best of another direction that counts as certain. Typical: 1.2 to 1.5.",
        _SCENARIOS,
    ),
    Parameter("judge_range_band_atr", 5, 0, 100, "A range must be at least so wide to be traded. Typical: 4 to 8.", _SCENARIOS, "ATR"),
    Parameter(
        "judge_stop_atr", 3, 0.2, 50, "Distance of the stop, before levels correct it. Typical: 2 to 4, of one-minute ATR.", _PLAN, "ATR"
    ),
    Parameter("judge_stop_most_atr", 6, 0.2, 100, "The farthest a level may push the stop. Typical: twice the stop.", _PLAN, "ATR"),
    Parameter("judge_target_1_atr", 4.5, 0.1, 100, "First target, before levels correct it. Typical: 1.5 stops.", _PLAN, "ATR"),
    Parameter("judge_target_2_atr", 7.5, 0.1, 100, "Second target. Typical: 2.5 stops.", _PLAN, "ATR"),
    Parameter("judge_target_3_atr", 12, 0.1, 200, "Third target. Typical: 4 stops.", _PLAN, "ATR"),
    Parameter(
        "judge_level_margin_atr",
        0.25,
        0,
        5,
        "Stops lie so far beyond a level, targets so far before it. Typical: 0.2 to 0.5.",
        _PLAN,
        "ATR",
    ),
    Parameter(
        "judge_round_trip_cost",
        0.03,
        0,
        0.5,
        "Fees and slippage of buying and selling a token: twice those of a paper fill. Typical: 0.02 to 0.03 on PumpSwap.",
        _PLAN,
    ),
    Parameter(
        "judge_exchange_round_trip_cost",
        0.003,
        0,
        0.5,
        "The same for an exchange symbol. Typical: 0.002 to 0.004 on Binance.",
        _PLAN,
    ),
    Parameter("judge_least_reward_risk", 1.2, 0, 20, "Mean target over stop, both after costs; less is WAIT. Typical: 1 to 2.", _PLAN),
    Parameter(
        "judge_strong_confidence",
        0.75,
        0,
        1,
        "A BUY of at least this score is a STRONG_BUY, while the score is no probability. Typical: 0.7 to 0.8.",
        _PLAN,
    ),
    Parameter(
        "judge_strong_expectancy",
        0.5,
        -1,
        20,
        "A BUY that may expect so many times its risk is a STRONG_BUY, once confidence is a probability. Typical: 0.3 to 0.8.",
        _PLAN,
        "R",
    ),
    switch(
        "judge_short",
        False,
        "Plan the fall of exchange symbols, on paper. A pump.fun token cannot be sold short: SELL means leave it.",
        _PLAN,
    ),
    Parameter("judge_risk_medium", 0.03, 0, 1, "Loss at the stop from which the risk is MEDIUM. Typical: 0.02 to 0.04.", _PLAN),
    Parameter("judge_risk_high", 0.08, 0, 1, "Loss at the stop from which the risk is HIGH. Typical: 0.06 to 0.1.", _PLAN),
    Parameter("judge_risk_extreme", 0.2, 0, 1, "Loss at the stop from which the risk is EXTREME. Typical: 0.15 to 0.3.", _PLAN),
    Parameter("judge_least_bars", 30, 1, 480, "Known bars below which nothing is recommended. Typical: 30 to 60.", _GATES, kind="whole"),
    Parameter("judge_stale_bars", 3, 0, 60, "The newest bar is so old: closed. Typical: 2 to 5.", _GATES, "bars", "whole"),
    Parameter("judge_fresh_bars", 1, 0, 60, "Open again when it is at most so old. Typical: 0 or 1.", _GATES, "bars", "whole"),
    Parameter("judge_gaps_close", 0.4, 0, 1, "Share of the last hour's bars that is missing: closed. Typical: 0.3 to 0.5.", _GATES),
    Parameter("judge_gaps_open", 0.25, 0, 1, "Open again at this share. Typical: 0.2 to 0.3.", _GATES),
    Parameter("judge_low_atr_close", 0.0015, 0, 0.5, "ATR as a share of the price: at or below it closed. Typical: 0.0015.", _GATES),
    Parameter("judge_low_atr_open", 0.002, 0, 0.5, "Open again from this ATR on. Typical: 0.002 to 0.003.", _GATES),
    Parameter("judge_low_atr_exempt", 0.82, 0, 1, "A confidence from which low ATR does not matter. Typical: 0.8 to 0.9.", _GATES),
    Parameter(
        "judge_contradiction_close",
        0.95,
        0,
        2,
        "Best score of the opposite direction over the chosen one: closed. Typical: 0.9 to 1.",
        _GATES,
    ),
    Parameter("judge_contradiction_open", 0.85, 0, 2, "Open again at this ratio. Typical: 0.8 to 0.9.", _GATES),
    Parameter(
        "judge_higher_close",
        0.45,
        0,
        1,
        "Agreement of the longer bars with the side: at or below it closed; 0.5 is neutral. Typical: 0.45.",
        _GATES,
    ),
    Parameter("judge_higher_open", 0.55, 0, 1, "Open again from this agreement on. Typical: 0.55.", _GATES),
    Parameter(
        "judge_confidence_close",
        0.5,
        0,
        1,
        "Score at or below which nothing is recommended, while it is no probability. Typical: 0.45 to 0.6.",
        _GATES,
    ),
    Parameter("judge_confidence_open", 0.55, 0, 1, "Open again from this score on. Typical: 0.05 more.", _GATES),
    Parameter(
        "judge_expectancy_close",
        0,
        -1,
        20,
        "What may be expected of a trade, in risks: at or below it closed, once confidence is a probability.",
        _GATES,
        "R",
    ),
    Parameter("judge_expectancy_open", 0.1, -1, 20, "Open again from this expectancy on. Typical: 0.1.", _GATES, "R"),
    Parameter(
        "judge_order_usd", 200, 1, 1e7, "The order whose impact on the pool is reckoned. Typical: what a position costs.", _GATES, "$"
    ),
    Parameter("judge_impact_close", 0.03, 0, 1, "It would move the price by so much: closed. Typical: 0.02 to 0.05.", _GATES),
    Parameter("judge_impact_open", 0.02, 0, 1, "Open again at this impact. Typical: 0.015 to 0.03.", _GATES),
    Parameter(
        "judge_assumed_liquidity",
        5000,
        0,
        1e9,
        "Taken for a pool whose liquidity is unknown. Low on purpose: unknown is not safe.",
        _GATES,
        "$",
    ),
    Parameter(
        "judge_cool_down_sec",
        300,
        0,
        86_400,
        "From the begin of one recommendation to enter until the next may begin. Typical: 120 to 900.",
        _GATES,
        "s",
    ),
    Parameter(
        "judge_calibration_least",
        100,
        10,
        100_000,
        "Outcomes before a score is called a probability. Typical: 100 to 500.",
        _PLAN,
        kind="whole",
    ),
    Parameter(
        "judge_calibration_prior",
        20,
        0,
        10_000,
        "Outcomes that the common rate of winning weighs in each step of the calibration. Typical: 10 to 50.",
        _PLAN,
    ),
)

# Stage 3: paper trades.
_ENTRIES, _COSTS, _EXITS = "Paper trades: entries", "Paper trades: costs", "Paper trades: exits"
STAGE_3: tuple[Parameter, ...] = (
    switch("paper_long", True, "Open positions that win when the price rises.", _ENTRIES),
    switch("paper_short", False, "Open positions that win when the price falls. A pump.fun token cannot be sold short.", _ENTRIES),
    Parameter("paper_least_confidence", 0.6, 0, 1, "No trade on less confidence than this. Typical: 0.55 to 0.75.", _ENTRIES),
    Parameter("paper_most_open", 3, 1, 100, "Positions open at once, waiting orders included. Typical: 3 to 10.", _ENTRIES, kind="whole"),
    Parameter("paper_cool_down_sec", 300, 0, 86_400, "After a position closes, so long no new one in that token.", _ENTRIES, "s", "whole"),
    Parameter("paper_token_trades_a_day", 3, 1, 1000, "Entries into one token in 24 hours. Typical: 1 to 5.", _ENTRIES, kind="whole"),
    Parameter("paper_capital_usd", 10_000, 10, 1e9, "What the paper account begins with.", _ENTRIES, "$"),
    switch("paper_compound", True, "Sizes follow the present equity; off: the capital at the beginning.", _ENTRIES),
    Parameter(
        "paper_risk_share", 0.01, 0.0001, 0.2, "Of the equity, lost if the stop is hit, costs included. Typical: 0.005 to 0.02.", _ENTRIES
    ),
    Parameter("paper_position_share", 0.2, 0.001, 1, "Of the equity, at most in one position. Typical: 0.1 to 0.3.", _ENTRIES),
    Parameter("paper_liquidity_share", 0.01, 0.0001, 0.5, "Of the pool, at most in one position. 0.01 moves the price by 2 %.", _ENTRIES),
    Parameter("paper_least_usd", 10, 0, 1e6, "A smaller position is not opened: fees would eat it.", _ENTRIES, "$"),
    Parameter(
        "paper_latency_bars", 0, 0, 60, "Whole bars lost before an order reaches the market; 0: the next bar.", _COSTS, "bars", "whole"
    ),
    Parameter(
        "paper_patience_bars", 2, 0, 60, "So many further bars an order waits for a price, then it is dropped.", _COSTS, "bars", "whole"
    ),
    Parameter("paper_worse_side", 1, 0, 1, "Where in its bar an order is filled: 1 the bar's worst price, 0 its open.", _COSTS),
    Parameter(
        "paper_slippage", 0.005, 0, 0.2, "Lost on each fill in a pool beside the trade's own impact. Typical: 0.001 to 0.01.", _COSTS
    ),
    Parameter("paper_fee", 0.01, 0, 0.1, "Share of each fill in a pool. PumpSwap takes 0.003 to 0.0125.", _COSTS),
    Parameter("paper_fixed_fee_usd", 0.1, 0, 100, "For each fill in a pool: network and priority fees.", _COSTS, "$"),
    Parameter("paper_exchange_slippage", 0.0005, 0, 0.2, "Slippage of an exchange symbol, on each fill. Typical: 0.0002 to 0.001.", _COSTS),
    Parameter(
        "paper_exchange_fee", 0.001, 0, 0.1, "Share of each fill of an exchange symbol. Binance takes 0.001, futures 0.0005.", _COSTS
    ),
    Parameter(
        "paper_unknown_liquidity_usd", 5000, 100, 1e9, "Taken for a pool whose liquidity is unknown; such trades are marked.", _COSTS, "$"
    ),
    Parameter("paper_share_1", 0.5, 0.05, 0.95, "Of the position, sold at the first target.", _EXITS),
    Parameter("paper_share_2", 0.6, 0.05, 0.95, "Of what is left then, sold at the second; the third takes the rest.", _EXITS),
    switch("paper_break_even", True, "After the first target the stop stands where leaving pays slippage and fees both ways.", _EXITS),
    Parameter(
        "paper_trail_atr",
        3,
        0,
        50,
        "After the first target the stop follows the best price at so many ATR; 0: it does not. Typical: 2 to 4.",
        _EXITS,
        "ATR",
    ),
    Parameter(
        "paper_adapt_share",
        0.5,
        0,
        1,
        "How far targets and stop follow the volatility since the entry (between half and twice): 0 not at all, 1 wholly. "
        "The stop only comes nearer.",
        _EXITS,
    ),
    Parameter(
        "paper_time_stop_sec", 3600, 60, 604_800, "A position older than this is closed. Typical: 1,800 to 14,400.", _EXITS, "s", "whole"
    ),
    switch("paper_leave_on_context", True, "Close when the judgement turns against the position.", _EXITS),
    Parameter(
        "paper_dead_after_sec", 1800, 60, 86_400, "No price for so long, and time to leave: the token counts as dead.", _EXITS, "s", "whole"
    ),
    Parameter("paper_dead_haircut", 0.8, 0, 1, "Taken off the last price of a dead token; 1: all is lost.", _EXITS),
)

# What is written down to learn from, and what came of it.
_EVIDENCE = "Evidence"
EVIDENCE: tuple[Parameter, ...] = (
    Parameter(
        "evidence_every_min",
        15,
        0,
        60,
        "What was seen and said of every token is written down so often. 0: never. Typical: 15.",
        _EVIDENCE,
        "min",
        "whole",
    ),
    Parameter(
        "evidence_fresh_sec",
        900,
        60,
        7200,
        "A price counts for so long when a horizon ends; a token without one is dead. "
        "Quiet tokens are looked at every 10 minutes. Typical: 900.",
        _EVIDENCE,
        "s",
        "whole",
    ),
    Parameter(
        "evidence_dead_loss",
        0.8,
        0,
        1,
        "Taken off the last price of a token that has none any more when a horizon ends; 1: all is lost. Typical: 0.8.",
        _EVIDENCE,
    ),
    Parameter(
        "evidence_retention_days",
        365,
        2,
        3650,
        "Evidence is kept so long, whole months at a time on PostgreSQL. Typical: 365.",
        _EVIDENCE,
        "days",
        "whole",
    ),
)

PARAMETERS = (*STAGE_1, *STAGE_2, *STAGE_3, *EVIDENCE)

# Each must not be below the one before it: crossed, a gate would close where it opens, a ramp would have no slope, a plan no place.
RISING = (
    ("judge_adx_low", "judge_adx_high"),
    ("judge_wallets_wash", "judge_wallets_clean"),
    ("judge_turnover_clean", "judge_turnover_wash"),
    ("judge_stop_atr", "judge_stop_most_atr"),
    ("judge_target_1_atr", "judge_target_2_atr", "judge_target_3_atr"),
    ("judge_risk_medium", "judge_risk_high", "judge_risk_extreme"),
    ("judge_fresh_bars", "judge_stale_bars"),
    ("judge_gaps_open", "judge_gaps_close"),
    ("judge_low_atr_close", "judge_low_atr_open"),
    ("judge_contradiction_open", "judge_contradiction_close"),
    ("judge_higher_close", "judge_higher_open"),
    ("judge_confidence_close", "judge_confidence_open", "judge_strong_confidence"),
    ("judge_expectancy_close", "judge_expectancy_open", "judge_strong_expectancy"),
    ("judge_impact_open", "judge_impact_close"),
)
IN_ORDER = tuple(pair for names in RISING for pair in pairwise(names))
_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def default_of(name: str) -> Any:
    """The default as the rules of a stage take it: a bool for a switch, an int for a whole number, else a float."""
    return typed(_BY_NAME[name], _BY_NAME[name].default)


def typed(parameter: Parameter, value: Any) -> Any:
    if parameter.kind == "switch":
        return bool(value)
    return int(value) if parameter.kind == "whole" else float(value)


def built(rules: type[Rules], values: Mapping[str, Any], prefix: str) -> Rules:
    """A stage's frozen dataclass from the settings: each of its fields that is a parameter called `prefix` + its name gets that value."""
    known = {field.name: prefix + field.name for field in fields(rules) if prefix + field.name in _BY_NAME}  # type: ignore[arg-type]
    return rules(**{field: typed(_BY_NAME[name], values[name]) for field, name in known.items() if name in values})
