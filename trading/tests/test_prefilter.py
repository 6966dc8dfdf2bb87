"""Who is worth watching, and every reason why somebody is not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.names import Refusal
from trading.prefilter import AssetFacts, PrefilterRule, pool_depth, sift

NAN = float("nan")
NO_LIMITS = PrefilterRule(liquidity_least=0, volume_least=0, turnover_least=0)


def facts(tokens: int = 1, **known: Any) -> AssetFacts:
    """Assets that everything is known of, unless said otherwise."""
    values = {"liquidity": 50_000, "volume": 100_000, "volume_hours": 24, "depth": NAN, "open_interest": NAN, **known}
    flags = {"in_pools": values.pop("in_pools", True), "has_futures": values.pop("has_futures", False)}
    columns = {name: np.broadcast_to(np.array(value, dtype=np.float64), (tokens,)).copy() for name, value in values.items()}
    return AssetFacts(**columns, **{name: np.broadcast_to(np.array(value), (tokens,)).copy() for name, value in flags.items()})


def test_an_asset_that_fits_is_kept_without_a_reason() -> None:
    sifted = sift(facts(), PrefilterRule())
    assert sifted.kept.tolist() == [True]
    assert sifted.refused == {}


def test_every_reason_of_an_asset_is_kept_and_counted() -> None:
    sifted = sift(
        facts(3, liquidity=[100, 100, 50_000], volume=[10, 100_000, 100_000]), replace(NO_LIMITS, liquidity_least=5000, volume_least=20_000)
    )
    assert sifted.reasons(0) == [Refusal.LIQUIDITY_LOW, Refusal.VOLUME_LOW]
    assert sifted.counts == {Refusal.LIQUIDITY_LOW: 2, Refusal.VOLUME_LOW: 1}
    assert sifted.alone == {Refusal.LIQUIDITY_LOW: 1, Refusal.VOLUME_LOW: 0}


@pytest.mark.parametrize("name", ["liquidity", "volume", "turnover", "depth"])
def test_an_unknown_figure_is_a_reason_of_its_own_never_a_low_one(name: str) -> None:
    unknown = {"turnover": {"volume": NAN}, "depth": {"in_pools": False}}.get(name, {name: NAN})
    sifted = sift(facts(**unknown), replace(NO_LIMITS, **{f"{name}_least": 1.0}))
    assert sifted.reasons(0) == [Refusal(f"{name}_unknown")]


def test_a_figure_without_a_limit_is_not_asked() -> None:
    assert sift(facts(liquidity=NAN, volume=NAN), NO_LIMITS).kept.all()


def test_open_interest_is_asked_of_assets_with_futures_only() -> None:
    rule = replace(NO_LIMITS, open_interest_least=500_000)
    sifted = sift(facts(4, open_interest=[NAN, NAN, 1e5, 1e6], has_futures=[False, True, True, True]), rule)
    assert sifted.kept.tolist() == [True, False, False, True]
    assert sifted.counts == {Refusal.OPEN_INTEREST_LOW: 1, Refusal.OPEN_INTEREST_UNKNOWN: 1}


def test_a_percentile_is_taken_over_those_whose_figure_is_known() -> None:
    sifted = sift(facts(6, liquidity=[NAN, 10, 20, 30, 40, NAN]), replace(NO_LIMITS, liquidity_percentile=50))
    assert sifted.least["liquidity"] == 25
    assert sifted.kept.tolist() == [False, False, False, True, True, False]


def test_of_a_fixed_limit_and_a_percentile_the_stricter_counts() -> None:
    rule = replace(NO_LIMITS, liquidity_percentile=50, liquidity_least=35)
    assert sift(facts(4, liquidity=[10, 20, 30, 40]), rule).kept.tolist() == [False, False, False, True]


def test_a_percentile_of_nothing_known_limits_nothing() -> None:
    assert sift(facts(2, liquidity=NAN), replace(NO_LIMITS, liquidity_percentile=50)).kept.all()


def test_a_shorter_known_time_is_held_against_its_part_of_the_day() -> None:
    rule = replace(NO_LIMITS, volume_least=24_000)
    assert sift(facts(3, volume=[1001, 999, 5000], volume_hours=[1, 1, 6]), rule).kept.tolist() == [True, False, False]


def test_volume_over_an_unknown_time_is_unknown() -> None:
    assert sift(facts(volume_hours=0), replace(NO_LIMITS, volume_least=1)).reasons(0) == [Refusal.VOLUME_UNKNOWN]


def test_volume_that_must_be_washed_is_too_much() -> None:
    rule = replace(NO_LIMITS, turnover_most=20)
    assert sift(facts(2, liquidity=1000, volume=[19_000, 21_000]), rule).refused[Refusal.TURNOVER_HIGH].tolist() == [False, True]


def test_the_depth_of_a_pool_follows_from_its_constant_product() -> None:
    quote, base = 50_000.0, 1_000_000.0
    depth = float(pool_depth(np.array([2 * quote]))[0])
    after = (quote + depth) / (base * quote / (quote + depth))
    assert after / (quote / base) == pytest.approx(1.02)
    assert sift(facts(2, in_pools=[True, False]), replace(NO_LIMITS, depth_least=1)).kept.tolist() == [True, False]


def test_who_was_let_in_stays_a_little_longer() -> None:
    rule = replace(NO_LIMITS, liquidity_least=1000, turnover_most=10, stay_share=0.8)
    near = facts(4, liquidity=[900, 900, 790, 1000], volume=[1000, 1000, 1000, 12_000])
    assert sift(near, rule).kept.tolist() == [False, False, False, False]
    assert sift(near, rule, inside=np.array([True, False, True, True])).kept.tolist() == [True, False, False, True]


@given(st.lists(st.tuples(*[st.one_of(st.just(NAN), st.floats(0, 1e9))] * 3), min_size=1, max_size=30), st.integers(0, 99))
def test_the_counts_add_up(assets: list[tuple[float, float, float]], percentile: int) -> None:
    liquidity, volume, hours = (np.array(column) for column in zip(*assets, strict=True))
    sifted = sift(facts(len(assets), liquidity=liquidity, volume=volume, volume_hours=hours), PrefilterRule(volume_percentile=percentile))
    refused = int((~sifted.kept).sum())
    assert all(bool(sifted.reasons(place)) != bool(sifted.kept[place]) for place in range(len(assets)))
    assert sum(sifted.alone.values()) <= refused <= sum(sifted.counts.values())
    assert sum(sifted.counts.values()) == sum(len(sifted.reasons(place)) for place in range(len(assets)))


def test_the_rule_is_built_from_the_settings() -> None:
    assert PrefilterRule.from_settings({"prefilter_liquidity_least": 7, "else": 1}) == PrefilterRule(liquidity_least=7.0)
