"""What a slot is: its name and meaning, what it takes to be known, and how it is worked out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.features.sight import Sight

    Numbers = NDArray[np.float64]
    Value = Callable[[Sight], Numbers]


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the 240 numbers of a vector, as people read of it."""

    name: str
    group: str
    unit: str
    text: str


class From(Enum):
    """What a slot is made from, which decides why it may be unknown."""

    PRICE = auto()
    VOLUME = auto()
    BUYS = auto()
    TRADES = auto()
    HOURS = auto()
    SNAPSHOT = auto()
    POOLS = auto()
    MARKET = auto()
    SOL = auto()
    TOKEN = auto()
    AGE = auto()


@dataclass(frozen=True, slots=True)
class Need:
    """`rows` bars of one minute (of an hour: HOURS), or a snapshot with these `fields`, now and `lag` minutes ago."""

    source: From
    rows: int = 0
    fields: tuple[str, ...] = ()
    lag: int = 0


@dataclass(frozen=True, slots=True)
class Feature:
    slot: Slot
    needs: tuple[Need, ...]
    value: Value


def price(rows: int) -> Need:
    return Need(From.PRICE, rows)


def volume(rows: int) -> Need:
    return Need(From.VOLUME, rows)


def buys(rows: int) -> Need:
    return Need(From.BUYS, rows)


def trades(rows: int) -> Need:
    return Need(From.TRADES, rows)


def hours(rows: int) -> Need:
    return Need(From.HOURS, rows)


def seen(*fields: str, lag: int = 0) -> Need:
    return Need(From.SNAPSHOT, fields=fields, lag=lag)


POOLS, MARKET, SOL, TOKEN, AGE = (Need(source) for source in (From.POOLS, From.MARKET, From.SOL, From.TOKEN, From.AGE))


@dataclass(frozen=True, slots=True)
class Group:
    """Makes the features of one group."""

    name: str

    def __call__(self, name: str, unit: str, text: str, needs: Need | tuple[Need, ...], value: Value) -> Feature:
        return Feature(Slot(name, self.name, unit, text), needs if isinstance(needs, tuple) else (needs,), value)
