"""How much more several machines poll than one, where the work waits for the network, as it does.

There is always more due than they can do, and the rates are those of machines that have been at it for a while: no start, no first
question and no last share is in them. Which of them work is decided by the source, that keeps the answers of the others back; so rounds of
one machine and of several take turns within seconds, and what else the computer does falls on all alike.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tothemoon.tests.soak.machines import Cluster, within

FLOOR, SLACK = 1.7, 0.7
LONG_SEC = 300.0
IN_STEP = 4 * 30  # tokens: so many answers after it was let go on, a machine is at its pace again
WAITING = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'poll_active' AND status = 'todo'"


@dataclass
class Pace:
    """Tokens a second, by how many machines were at work, round by round."""

    rates: dict[int, list[float]] = field(default_factory=dict)

    def rate(self, machines: int) -> float:
        return median(self.rates[machines])

    def times(self, machines: int) -> float:
        """As much as one, in the same round."""
        return median(several / one for several, one in zip(self.rates[machines], self.rates[1], strict=True))

    def told(self) -> str:
        each = (f"{number} machine{'s' * (number > 1)} {self.rate(number):.0f} ({self.times(number):.2f} ×)" for number in self.rates)
        return f"tokens a second, medians of {len(self.rates[1])} rounds: {', '.join(each)}"


def compared(market: Cluster, tokens: int, machines: Sequence[int], rounds: int, seconds: float) -> Pace:
    """So many rounds of that many seconds for each number of machines; with a tick in which all of them together cannot poll all tokens."""
    names = [f"machine-{number}" for number in range(max(machines))]
    for name in names:
        market.start_machine(name, "--queues", "polls")
    market.add_tokens(tokens)
    market.start_leader()
    _in_step(market, names)
    pace = Pace({number: [] for number in machines})
    for _ in range(rounds):
        for number in machines:
            pace.rates[number].append(_rate(market, names[:number], names[number:], seconds))
    for name in [*market.source.held]:
        market.source.release(name)
    return pace


def _rate(market: Cluster, at_work: Sequence[str], idle: Sequence[str], seconds: float) -> float:
    source = market.source
    for name in [*source.held]:
        if name in at_work:
            source.release(name)
    for name in idle:
        if name not in source.held:
            source.hold(name)
    _in_step(market, at_work)
    within(LONG_SEC, lambda: all(source.waiting[name].is_set() for name in idle), market.said)
    before = source.answered.total()
    threading.Event().wait(seconds)
    done = source.answered.total() - before
    if not market.one(WAITING):
        raise AssertionError(f"there was not enough to do: nothing waits any more\n{market.said()}")
    return done / seconds


def _in_step(market: Cluster, names: Sequence[str]) -> None:
    answered = market.source.answered
    wanted = {name: answered[name] + IN_STEP for name in names}
    within(LONG_SEC, lambda: all(answered[name] >= tokens for name, tokens in wanted.items()), market.said)
