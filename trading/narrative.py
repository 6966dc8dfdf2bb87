"""A judgement told: why, and what would change it. As codes with numbers, never as prose: `trading.texts` says them in a reader's language.

`item` gives one judged point as plain values, ready for a JSON column; `tell` makes lines (code, fields) of such an item.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from trading import context as contexts
from trading.judgement import BASES, GATES, RECOMMENDATIONS, RISKS
from trading.levels import KINDS
from trading.names import Basis, Gate, Recommendation, Scenario
from trading.scenarios import SCENARIOS, TABLES
from trading.windows import DAY_SEC

if TYPE_CHECKING:
    from trading.flips import Flip
    from trading.judge_rule import JudgeRule
    from trading.judgement import Judged
    from trading.names import Quantity

Plain = Mapping[str, Any]
Line = tuple[str, dict[str, Any]]

REASONS = 3  # of a scenario that are told
WORTH_TELLING = 0.5  # of what a part could say
# What stands behind a part of a scenario's score: a figure of the context; of another name where the side decides.
FIGURES = {
    "broke_out_up": "over_high",
    "broke_out_down": "under_low",
    "volume": "volume_z",
    "shock": "shock",
    "vwap": "vwap_atr",
    "trend_minutes": "trend_minutes",
    "trend_fives": "trend_fives",
    "trend_hours": "trend_hours",
    "flow": "buy_share",
    "stretched": "move_hour",
    "extreme_rsi": "rsi",
    "rejected_up": "wick_low",
    "rejected_down": "wick_high",
    "adx": "adx",
    "calm": "volatility",
    "reverting": "variance_ratio",
    "no_trend_fives": "trend_fives",
    "no_trend_hours": "trend_hours",
    "no_adx": "adx",
    "inside": "band_place",
    "volatility": "volatility",
    "jump": "jump",
    "wide_band": "band_atr",
    "spread": "spread",
    "few_wallets": "wallet_share",
    "churned": "turnover",
    "idle_volume": "volume_z",
    "one_bar": "busiest_share",
}
WITHOUT_SIDE = {"volume", "adx", "calm"}  # parts that speak alike for a rise and a fall
# What a reason for WAIT is held against: figures of the context or the item, and limits of the rule.
BASIS_FIGURES = {
    Basis.NO_SUPPORT_NEAR: (("support_atr",), ("near_atr",)),
    Basis.NOT_AT_AN_EDGE: (("band_place",), ()),
    Basis.BAND_TOO_NARROW: (("band_atr",), ("range_band_atr",)),
    Basis.REWARD_RISK: (("reward_risk", "first_reward"), ("least_reward_risk",)),
    Basis.NO_SCENARIO: (("best_score",), ("least_scenario",)),
}
GATE_FIGURES = {
    Gate.STALE: (("age",), ("stale_bars", "fresh_bars")),
    Gate.TOO_FEW_BARS: (("bars",), ("least_bars",)),
    Gate.GAPS: (("missing",), ("gaps_close", "gaps_open")),
    Gate.LOW_ATR: (("atr",), ("low_atr_close", "low_atr_open")),
    Gate.CONTRADICTION: (("opposite",), ("contradiction_close", "contradiction_open")),
    Gate.HIGHER_TIME_FRAME: (("higher_agreement",), ("higher_close", "higher_open")),
    Gate.CONFIDENCE: (("confidence",), ("confidence_close", "confidence_open")),
    Gate.IMPACT: (("impact",), ("order_usd", "impact_close", "impact_open")),
    Gate.COOL_DOWN: ((), ("cool_down_sec",)),
}
EXPECTANCY_LIMITS = (("expectancy",), ("expectancy_close", "expectancy_open"))
LIMITS = sorted({name for figures in (*BASIS_FIGURES.values(), *GATE_FIGURES.values(), EXPECTANCY_LIMITS) for name in figures[1]})


def plain(value: Any) -> Any:
    """A number as JSON knows it: unknown is None."""
    number = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(number, float) and not math.isfinite(number) else number


def item(judged: Judged, place: int, rule: JudgeRule) -> dict[str, Any]:
    """One judged point as plain values."""
    scenario, levels = SCENARIOS[judged.scenario[place]], judged.levels
    numbers = ("score", "confidence", "confidence_low", "confidence_high", "reward_risk", "first_reward", "expectancy", "impact")
    flags = ("confidence_is_probability", "liquidity_assumed", "contradictory")
    score = judged.read.score[:, place]
    return {
        "at": int(judged.end[place]),
        **{name: plain(getattr(judged, name)[place]) for name in (*numbers, *flags, "higher_agreement", "price", "entry", "stop")},
        "targets": [plain(price) for price in judged.targets[:, place]],
        "side": int(judged.side[place]),
        "session": contexts.session(judged.end[place] % DAY_SEC / 3600).value,
        "scenario": scenario.value,
        "scenario_score": plain(score[judged.scenario[place]]),
        "best_score": plain(np.fmax.reduce(score)),
        "margin": plain(judged.read.margin[place]),
        "opposite": plain(judged.read.opposite[place]),
        "scores": {name.value: plain(score[code]) for code, name in enumerate(SCENARIOS) if name in TABLES},
        "parts": {name: plain(values[place]) for name, values in judged.read.parts.get(scenario, {}).items()},
        "score_parts": {name: plain(values[place]) for name, values in judged.score_parts.items()},
        "recommendation_original": RECOMMENDATIONS[judged.recommendation_original[place]].value,
        "recommendation": RECOMMENDATIONS[judged.recommendation[place]].value,
        "basis": BASES[judged.basis[place]].value,
        "gate": GATES[judged.gate[place]].value,
        "risk_class": RISKS[judged.risk_class[place]].value,
        "context": {field.name: plain(getattr(judged.context, field.name)[place]) for field in fields(judged.context)},
        "levels": [_level(judged, int(row), place) for row in np.flatnonzero(levels.kind[:, place] >= 0)],
        "support_atr": plain(levels.away(levels.support)[place]),
        "resistance_atr": plain(levels.away(levels.resistance)[place]),
        "limits": {name: plain(getattr(rule, name)) for name in LIMITS},
    }


def _level(judged: Judged, row: int, place: int) -> dict[str, Any]:
    levels = judged.levels
    return {
        "kind": KINDS[levels.kind[row, place]].value,
        "price": plain(judged.level_prices[row, place]),
        "strength": plain(levels.strength[row, place]),
        "distance": plain(levels.distance[row, place]),
        "distance_atr": plain(levels.distance_atr[row, place]),
        "nearest": bool(row in (levels.support[place], levels.resistance[place])),
    }


def flips_of(flips: Mapping[Quantity, Flip], place: int) -> list[dict[str, Any]]:
    """What would change the mind about one point, as plain values; the quantities that could not are left out."""
    return [
        {
            "quantity": quantity.value,
            "move": plain(flip.move[place]),
            "value": plain(flip.value[place]),
            "recommendation": RECOMMENDATIONS[flip.recommendation[place]].value,
        }
        for quantity, flip in flips.items()
        if not math.isnan(flip.move[place])
    ]


def tell(told: Plain) -> list[Line]:
    """Why: the scenario and its strongest parts, what became of it, the plan, and how sure all this is."""
    lines = [*_scenario(told), *_basis(told), *_gate(told), *_plan(told), *_confidence(told)]
    if told["liquidity_assumed"] and told["side"]:
        lines.append(("liquidity_assumed", {"impact": told["impact"]}))
    return lines


def tell_flips(flips: list[dict[str, Any]]) -> list[Line]:
    """What would change the mind."""
    return [(f"flip_{flip['quantity']}", {name: flip[name] for name in ("move", "value", "recommendation")}) for flip in flips] or [
        ("flip_nothing", {})
    ]


def _scenario(told: Plain) -> Iterator[Line]:
    if told["scenario"] == Scenario.NONE:
        return
    yield "scenario", {"scenario": told["scenario"], "score": told["scenario_score"], "margin": told["margin"]}
    weights, side = TABLES[Scenario(told["scenario"])], _direction(told["scenario"])
    known = [(weights[name] * value, name) for name, value in told["parts"].items() if value is not None and value >= WORTH_TELLING]
    for _, name in sorted(known, key=lambda pair: (-pair[0], pair[1]))[:REASONS]:
        yield _part(name, side, told)


def _direction(scenario: str) -> int:
    return 1 if scenario.startswith("bullish") else -1 if scenario.startswith("bearish") else 0


def _part(name: str, side: int, told: Plain) -> Line:
    sided = name if side == 0 or name in WITHOUT_SIDE else f"{name}_{'up' if side > 0 else 'down'}"
    if name == "at_level":
        return f"part_{sided}", {"distance_atr": told["support_atr"] if side > 0 else told["resistance_atr"]}
    figure = FIGURES.get(sided, FIGURES.get(name))
    return f"part_{sided}", {} if figure is None else {figure: told["context"][figure]}


def _basis(told: Plain) -> Iterator[Line]:
    basis = Basis(told["basis"])
    if basis is not Basis.SCENARIO:
        yield f"basis_{basis}", _held(BASIS_FIGURES.get(basis, ((), ())), told)
    elif told["recommendation_original"] in (Recommendation.SELL, Recommendation.SELL_ON_RALLIES) and not told["side"]:
        yield "sell_means_leave", {}


def _gate(told: Plain) -> Iterator[Line]:
    gate = Gate(told["gate"])
    if gate is Gate.NONE:
        return
    if gate is Gate.CONFIDENCE and told["confidence_is_probability"]:
        yield "gate_expectancy", _held(EXPECTANCY_LIMITS, told) | {"original": told["recommendation_original"]}
    else:
        yield f"gate_{gate}", _held(GATE_FIGURES[gate], told) | {"original": told["recommendation_original"]}


def _held(figures: tuple[tuple[str, ...], tuple[str, ...]], told: Plain) -> dict[str, Any]:
    seen = {name: told["context"].get(name, told.get(name)) for name in figures[0]}
    return seen | {name: told["limits"][name] for name in figures[1]}


def _plan(told: Plain) -> Iterator[Line]:
    if told["side"] and told["gate"] == Gate.NONE:
        first, second, third = told["targets"]
        yield (
            "plan_up" if told["side"] > 0 else "plan_down",
            {
                "entry": told["entry"],
                "stop": told["stop"],
                "target_1": first,
                "target_2": second,
                "target_3": third,
                "reward_risk": told["reward_risk"],
            },
        )


def _confidence(told: Plain) -> Iterator[Line]:
    if told["confidence"] is None:
        return
    if told["confidence_is_probability"]:
        yield "probability", {name: told[name] for name in ("confidence", "confidence_low", "confidence_high")}
    else:
        yield "score", {"confidence": told["confidence"]}
