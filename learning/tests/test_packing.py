"""A vector becomes bytes and comes back with the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from learning import packing

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 240))
REASONS = SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 15)))


@given(REASONS, st.data())
def test_what_is_packed_comes_back_bit_for_bit(reasons: np.ndarray, data: st.DataObject) -> None:
    values = data.draw(hnp.arrays(np.float32, reasons.shape, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
    values[reasons != 0] = np.nan
    packed, why = packing.pack(values, reasons)
    assert packing.unpack_values(packed).tobytes() == b"".join(packing.pack_values(values))
    assert np.array_equal(packing.unpack_values(packed), values, equal_nan=True)
    assert np.array_equal(packing.unpack_reasons(why, reasons.shape[1]), reasons)
    assert [row == b"" for row in why] == [not row.any() for row in reasons]


def test_a_whole_vector_takes_960_bytes_and_at_most_120_for_reasons() -> None:
    values, reasons = np.full((1, 240), np.nan, dtype=np.float32), np.full((1, 240), 15, dtype=np.uint8)
    packed, why = packing.pack(values, reasons)
    assert (len(packed[0]), len(why[0])) == (960, 120)


def test_every_kind_of_nan_becomes_the_same_bytes() -> None:
    odd = np.array([[0x7FC00001, 0xFFC00000, 0x7F800001]], dtype=np.uint32).view(np.float32)
    usual = np.full((1, 3), np.nan, dtype=np.float32)
    assert packing.pack_values(odd) == packing.pack_values(usual)


@pytest.mark.parametrize(("value", "reason"), [(np.nan, 0), (1.0, 3), (np.inf, 0), (np.nan, 16)])
def test_values_and_reasons_that_contradict_each_other_are_refused(value: float, reason: int) -> None:
    with pytest.raises(packing.NotAVector):
        packing.pack(np.array([[value]], dtype=np.float32), np.array([[reason]], dtype=np.uint8))
