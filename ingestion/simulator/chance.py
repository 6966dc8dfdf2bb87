"""Chance without state: the same question always gets the same answer, whatever was asked before.

A draw is a hash of (key, moment), so any token's any minute can be computed alone, in any order, for all tokens at once.
"""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LOW_16 = np.uint64(0xFFFF)


def mixed(keys: Keys) -> Keys:
    """Splitmix64: neighbouring keys become unrelated ones. Arrays only, whose overflow wraps silently."""
    mixed_keys = keys + _GOLDEN
    mixed_keys = (mixed_keys ^ (mixed_keys >> np.uint64(30))) * _MIX_1
    mixed_keys = (mixed_keys ^ (mixed_keys >> np.uint64(27))) * _MIX_2
    return mixed_keys ^ (mixed_keys >> np.uint64(31))


def crossed(keys: Keys, moments: NDArray[np.int64]) -> Keys:
    """One hash for each pair of a key and a moment; the two broadcast."""
    return mixed(keys ^ mixed(moments.astype(np.uint64)))


def uniform(hashes: Keys, draw: int) -> Floats:
    """Draw 0, 1, 2 or 3 of each hash, in (0, 1)."""
    return (((hashes >> np.uint64(16 * draw)) & _LOW_16).astype(np.float64) + 0.5) / 65536.0


def share(text: str, salt: int = 0) -> float:
    """One number in (0, 1) for a text: how a server decides, once and for all, how it treats a token."""
    number = salt
    for character in text.encode():
        number = (number * 1_000_003 + character) & 0xFFFFFFFFFFFFFFFF
    return float(uniform(mixed(np.array([number], dtype=np.uint64)), 1)[0])
