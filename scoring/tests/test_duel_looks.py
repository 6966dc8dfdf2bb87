"""A look comes out of its bytes as it went in, and what is no look is not taken for one."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.duel_looks import LAYOUT, Look, Unreadable, pack, unpack

numbers = st.floats(allow_infinity=False, width=64)


@given(data=st.data(), count=st.integers(0, 40), sides=st.integers(1, 4))
def test_every_number_comes_back_bit_for_bit(data, count, sides):
    def drawn(kind, size):
        return data.draw(st.lists(kind, min_size=size, max_size=size))

    look = Look(
        np.array(sorted(drawn(st.integers(1, 2**62), count)), dtype=np.int64),
        np.array(drawn(numbers, count), dtype=np.float64),
        np.array(drawn(numbers, count * sides), dtype=np.float64).reshape(sides, count),
        np.array(drawn(st.booleans(), count * sides), dtype=bool).reshape(sides, count),
    )
    back = unpack(pack(look))
    for name in ("token", "price", "score", "active"):
        assert getattr(back, name).tobytes() == getattr(look, name).tobytes()
        assert getattr(back, name).shape == getattr(look, name).shape


@pytest.mark.parametrize(
    "data", [b"", b"\x02abc", LAYOUT, LAYOUT + b"abc", LAYOUT + zlib.compress(b"abc"), LAYOUT + zlib.compress(b"\x7f" * 16)]
)
def test_other_bytes_are_refused(data):
    with pytest.raises(Unreadable):
        unpack(data)
