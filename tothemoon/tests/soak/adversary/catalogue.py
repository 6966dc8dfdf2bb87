"""What a scenario is, and which rows of the catalogue of faults it is about."""

from collections.abc import Callable
from dataclasses import dataclass

from tothemoon.tests.soak.adversary.stage import Stage

Play = Callable[[Stage], None]


@dataclass(frozen=True)
class Scenario:
    """One named misbehaviour. `promise` is the pass line in words; `only_on` a kind of database where others have no such fault."""

    name: str
    lane: str
    rows: tuple[str, ...]
    promise: str
    play: Play
    only_on: str = ""


EVERY: list[Scenario] = []


def scenario(lane: str, *rows: str, promise: str, only_on: str = "") -> Callable[[Play], Play]:
    """Registers a function as the scenario of its name. Within a lane scenarios play in the order in which they are written."""

    def register(play: Play) -> Play:
        EVERY.append(Scenario(play.__name__, lane, rows, promise, play, only_on))
        return play

    return register
