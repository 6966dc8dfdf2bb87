import numpy as np
import pytest

from learning.training.drift import LEAST_SPANS, MUCH, GroupDrift, by_group, indices, reference

NAMES, GROUPS = ("a", "b", "c", "hour"), ("price", "price", "flow", "calendar")


def rows(seed: int, count: int = 4_000, shift: float = 0.0, missing: float = 0.1) -> np.ndarray:
    chance = np.random.default_rng(seed)
    values = chance.standard_normal((count, 4)).astype(np.float32) + np.float32(shift)
    values[chance.random(values.shape) < missing] = np.nan
    return values


def test_identical_data_have_not_drifted_at_all() -> None:
    assert indices(reference(rows(1)), rows(1)).tolist() == [0.0] * 4


@pytest.mark.parametrize("count", [500, 4_000])
@pytest.mark.parametrize("seed", range(2, 12))
def test_rows_of_the_same_kind_raise_no_alarm(seed: int, count: int) -> None:
    found = indices(reference(rows(1)), rows(seed, count))
    assert (found < MUCH / 4).all()
    assert not any(each.much for each in by_group(found, NAMES, GROUPS, count, LEAST_SPANS, {}))


def test_rows_that_moved_and_rows_that_went_missing_are_found_group_by_group() -> None:
    now = rows(2)
    now[:, 2] += 2
    told = {each.group: each for each in by_group(indices(reference(rows(1)), now), NAMES, GROUPS, len(now), LEAST_SPANS, {})}
    assert told["flow"].much
    assert told["flow"].index > MUCH
    assert told["flow"].worst_slot == "c"
    assert not told["price"].much
    assert indices(reference(rows(1)), rows(2, missing=0.7)).min() > MUCH


def test_few_rows_few_spans_of_time_and_the_calendar_are_told_but_never_alarmed_about() -> None:
    found = indices(reference(rows(1)), rows(2, shift=3))
    for count, spans, calm in ((499, LEAST_SPANS, {}), (4_000, LEAST_SPANS - 1, {}), (4_000, LEAST_SPANS, dict.fromkeys(GROUPS, "moves"))):
        told = by_group(found, NAMES, GROUPS, count, spans, calm)
        assert not any(each.much for each in told)
        assert min(each.index for each in told) > MUCH
        assert {each.rows for each in told} == {count}


def test_a_slot_that_was_always_missing_and_a_slot_that_never_moves_are_no_trouble() -> None:
    values = rows(1)
    values[:, 0], values[:, 1] = np.nan, 1.0
    before = reference(values)
    assert indices(before, values).tolist() == [0.0] * 4
    values[:, 0] = 5.0
    assert indices(before, values)[0] > MUCH


def test_a_groups_drift_is_kept_with_four_digits() -> None:
    told = GroupDrift("flow", 0.123456, "buys", 1.98766, 4_000, much=True).as_plain()
    assert told == {"group": "flow", "index": 0.1235, "worst_slot": "buys", "worst": 1.9877, "rows": 4_000, "much": True}
