"""Two sets of numbers side by side: equal to the last bit, or not equal."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from learning import comparing

NAMES = [f"slot_{place}" for place in range(6)]
floats = arrays(np.float32, 6, elements=st.floats(width=32, allow_nan=True, allow_infinity=False))
whys = arrays(np.uint8, 6, elements=st.integers(0, 15))


@given(floats, whys)
def test_a_vector_equals_itself_whatever_is_missing(values, why):
    assert comparing.vectors(NAMES, values, values.copy(), why, why.copy()) == []


@given(floats, whys, st.integers(0, 5))
def test_the_next_number_that_a_float_can_hold_is_a_difference(values, why, place):
    values = np.nan_to_num(values)
    other = values.copy()
    other[place] = np.nextafter(
        values[place], np.float32(0 if values[place] > 1 else np.inf), dtype=np.float32
    )  # the largest has none above
    found = comparing.vectors(NAMES, values, other, why, why)
    assert [difference.name for difference in found] == [NAMES[place]]
    assert found[0].stored == float(values[place])


def test_known_and_unknown_differ_and_so_do_two_reasons():
    known = np.zeros(6, dtype=np.float32)
    unknown = known.copy()
    unknown[4] = np.nan
    none, young = np.zeros(6, dtype=np.uint8), np.array([0, 0, 1, 0, 0, 0], dtype=np.uint8)
    assert comparing.vectors(NAMES, known, unknown, none, none) == [comparing.Difference("slot_4", 0.0, None)]
    assert comparing.vectors(NAMES, known, known, none, young) == [comparing.Difference("slot_2", 0.0, 0.0, 0, 1)]


def test_minus_zero_is_not_zero():
    zero = np.zeros(6, dtype=np.float32)
    assert len(comparing.vectors(NAMES, zero, -zero, zero.astype(np.uint8), zero.astype(np.uint8))) == 6
    assert not comparing.same(0.0, -0.0)


def test_documents_are_walked_to_their_leaves_in_whatever_order_they_were_kept():
    stored = {"b": {"y": 2, "x": 1.0}, "a": "ok"}
    again = {"a": "ok", "b": {"x": 1, "y": 2.0}}
    assert comparing.documents(stored, again) == []
    assert comparing.documents(stored, {"a": "no", "b": {"x": 1, "y": 2.5}}) == [
        comparing.Difference("a", "ok", "no"),
        comparing.Difference("b.y", 2, 2.5),
    ]
    assert comparing.count_of(stored) == 3


def test_what_is_there_on_one_side_only_differs():
    assert comparing.documents({"a": 1}, {}) == [comparing.Difference("a", 1, None)]
    assert comparing.documents({}, {"a": 1}) == [comparing.Difference("a", None, 1)]


def test_unknown_equals_unknown_and_nothing_else():
    assert comparing.same(math.nan, math.nan)
    assert comparing.same(None, None)
    assert not comparing.same(None, 0.0)
    assert not comparing.same(True, 1)
    assert comparing.columns(["a", "b"], {"a": 1.0, "b": None}, {"a": 1.0, "b": 0.0}) == [comparing.Difference("b", None, 0.0)]
