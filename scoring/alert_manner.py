"""What a rule waits for and how it may speak: values that its row is made into. The arithmetic on them is in `alert_state`.

Models read these names, and with them every process that starts: no arrays here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class Level:
    """Beyond `at` upwards (or downwards, where not `rising`), and back when it has returned by more than `band`."""

    at: float
    band: float = 0.0
    rising: bool = True


@dataclass(frozen=True)
class QuietHours:
    """From one time of day to another in a time zone; over midnight where the end is not after the beginning."""

    begin: time
    end: time
    zone: tzinfo = UTC

    def holds(self, at: float) -> bool:
        clock = datetime.fromtimestamp(at, self.zone).time()
        return self.begin <= clock < self.end if self.begin < self.end else clock >= self.begin or clock < self.end


def zone_named(name: str) -> tzinfo | None:
    """The time zone of that name, None where there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@dataclass(frozen=True)
class Manner:
    """How often and when a rule may speak. Without quiet hours it speaks at any time."""

    cooldown_sec: float = 0.0
    an_hour: int = 1_000_000
    quiet: QuietHours | None = None
