"""The market's time and ours."""

import time
from datetime import UTC, datetime


class MarketClock:
    """Market time runs `speed` times as fast as ours and is 0 at the start.

    Windows on the wire ("5m", "1h") are stretches of market time. Moments on the wire are told on our clock, so that none lies in the
    future: what happened d market seconds ago, after the start, is told as d/speed seconds ago; what happened before the start keeps
    its distance from the start.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._started = time.monotonic()
        self._started_unix = time.time()

    def now(self) -> float:
        return (time.monotonic() - self._started) * self.speed

    def unix(self, moment: float) -> float:
        return self._started_unix + (moment / self.speed if moment > 0 else moment)

    def moment(self, unix: float) -> float:
        """The market's time at a moment of ours, at one speed all through: also before the start, where `unix` keeps the distance."""
        return (unix - self._started_unix) * self.speed

    def clock_of(self, moment: float) -> float:
        """`moment`, turned round."""
        return self._started_unix + moment / self.speed

    def human(self, moment: float) -> str:
        """Without a zone, as Birdeye writes it."""
        return datetime.fromtimestamp(self.unix(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S")
