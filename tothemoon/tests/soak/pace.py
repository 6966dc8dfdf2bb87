"""How much more two machines poll than one, where the work waits for the network."""

from dataclasses import dataclass

from tothemoon.tests.soak.machines import Cluster, within

FLOOR, SLACK = 1.7, 0.7
LONG_SEC = 300.0


@dataclass(frozen=True)
class Rates:
    """Tokens a second."""

    one: float
    two: float

    @property
    def ratio(self) -> float:
        return self.two / self.one


def compared(market: Cluster, tokens: int) -> Rates:
    """The same tokens polled once by one machine and once by two, that do nothing else. From the first question to the last."""
    market.start_machine("first", "--queues", "polls")
    market.add_tokens(tokens)
    one = _polled(market, tokens)
    market.start_machine("second", "--queues", "polls")
    within(LONG_SEC, lambda: market.one("SELECT count(*) FROM procrastinate_workers") == 2, market.said)
    market.due_again()
    return Rates(one, _polled(market, tokens))


def _polled(market: Cluster, tokens: int) -> float:
    market.source.times.clear()
    leader = market.start_leader()
    within(LONG_SEC, lambda: market.polled() >= tokens, market.said)
    leader.stop()
    return tokens / (market.source.times[-1] - market.source.times[0])
