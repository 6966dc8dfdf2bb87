"""The numbers of Stage 2, as its pure functions take them. What each does is said where it is declared: scoring.stage_parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scoring.stage_parameters import built, default_of


@dataclass(frozen=True, slots=True)
class JudgeRule:
    """One settings revision's judgement. Its fields are the parameters `judge_…`."""

    merge_atr: float = default_of("judge_merge_atr")
    profile_bars: int = default_of("judge_profile_bars")
    near_atr: float = default_of("judge_near_atr")
    volume_z_full: float = default_of("judge_volume_z_full")
    shock_atr_full: float = default_of("judge_shock_atr_full")
    vwap_atr_full: float = default_of("judge_vwap_atr_full")
    adx_low: float = default_of("judge_adx_low")
    adx_high: float = default_of("judge_adx_high")
    rsi_low: float = default_of("judge_rsi_low")
    rsi_high: float = default_of("judge_rsi_high")
    volatility_full: float = default_of("judge_volatility_full")
    wallets_wash: float = default_of("judge_wallets_wash")
    wallets_clean: float = default_of("judge_wallets_clean")
    turnover_clean: float = default_of("judge_turnover_clean")
    turnover_wash: float = default_of("judge_turnover_wash")
    manipulated_least: float = default_of("judge_manipulated_least")
    least_scenario: float = default_of("judge_least_scenario")
    margin_full: float = default_of("judge_margin_full")
    range_band_atr: float = default_of("judge_range_band_atr")
    stop_atr: float = default_of("judge_stop_atr")
    stop_most_atr: float = default_of("judge_stop_most_atr")
    target_1_atr: float = default_of("judge_target_1_atr")
    target_2_atr: float = default_of("judge_target_2_atr")
    target_3_atr: float = default_of("judge_target_3_atr")
    level_margin_atr: float = default_of("judge_level_margin_atr")
    round_trip_cost: float = default_of("judge_round_trip_cost")
    exchange_round_trip_cost: float = default_of("judge_exchange_round_trip_cost")
    least_reward_risk: float = default_of("judge_least_reward_risk")
    strong_confidence: float = default_of("judge_strong_confidence")
    strong_expectancy: float = default_of("judge_strong_expectancy")
    short: bool = default_of("judge_short")
    risk_medium: float = default_of("judge_risk_medium")
    risk_high: float = default_of("judge_risk_high")
    risk_extreme: float = default_of("judge_risk_extreme")
    least_bars: int = default_of("judge_least_bars")
    stale_bars: int = default_of("judge_stale_bars")
    fresh_bars: int = default_of("judge_fresh_bars")
    gaps_close: float = default_of("judge_gaps_close")
    gaps_open: float = default_of("judge_gaps_open")
    low_atr_close: float = default_of("judge_low_atr_close")
    low_atr_open: float = default_of("judge_low_atr_open")
    low_atr_exempt: float = default_of("judge_low_atr_exempt")
    contradiction_close: float = default_of("judge_contradiction_close")
    contradiction_open: float = default_of("judge_contradiction_open")
    higher_close: float = default_of("judge_higher_close")
    higher_open: float = default_of("judge_higher_open")
    confidence_close: float = default_of("judge_confidence_close")
    confidence_open: float = default_of("judge_confidence_open")
    expectancy_close: float = default_of("judge_expectancy_close")
    expectancy_open: float = default_of("judge_expectancy_open")
    order_usd: float = default_of("judge_order_usd")
    impact_close: float = default_of("judge_impact_close")
    impact_open: float = default_of("judge_impact_open")
    assumed_liquidity: float = default_of("judge_assumed_liquidity")
    cool_down_sec: float = default_of("judge_cool_down_sec")
    calibration_least: int = default_of("judge_calibration_least")
    calibration_prior: float = default_of("judge_calibration_prior")

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> JudgeRule:
        return built(cls, values, "judge_")
