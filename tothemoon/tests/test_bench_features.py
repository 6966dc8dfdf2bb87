"""What `./run bench features` compares, in a small form: the same slots in pandas and polars, and all of them equal."""

from typing import Any

import numpy as np
import pytest

from learning.features import FEATURES, FeatureInputs, Features, compute
from learning.schema import PLACES
from tothemoon.benches import features

Moment = tuple[FeatureInputs, Features]


@pytest.fixture(scope="module")
def moment() -> Moment:
    inputs = features.market(8)
    return inputs, compute(inputs)


@pytest.mark.parametrize("prepare", [features.by_pandas, features.by_polars])
def test_the_slots_that_are_written_in_other_libraries_are_equal(prepare: Any, moment: Moment) -> None:
    inputs, found = moment
    call, _ = prepare(inputs)
    compared = features.equal(found, call())
    groups = {feature.slot.group for feature in FEATURES}
    assert len(compared) >= 60
    assert {feature.slot.group for feature in FEATURES if feature.slot.name in compared} == groups


def test_both_libraries_are_asked_for_the_same_slots(moment: Moment) -> None:
    inputs, _ = moment
    asked = [set(prepare(inputs)[0]()) for prepare in (features.by_pandas, features.by_polars)]
    assert asked[0] == asked[1]


def test_a_slot_that_differs_is_told_by_its_name(moment: Moment) -> None:
    inputs, found = moment
    theirs = features.by_polars(inputs)[0]()
    theirs["rsi_14m"] = theirs["rsi_14m"] * (1 + 3e-6)
    with pytest.raises(ValueError, match="rsi_14m of token 0"):
        features.equal(found, theirs)


def test_everything_is_known_of_the_market_that_is_measured(moment: Moment) -> None:
    _, found = moment
    unknown = {name for name, place in PLACES.items() if np.isnan(found.values[:, place]).all()}
    assert unknown == set()
