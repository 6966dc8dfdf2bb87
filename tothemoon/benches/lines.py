"""Lines of a result, by what is compared: times, rates, a number that may not be exceeded, a limit of nature."""

from __future__ import annotations

from dataclasses import dataclass

from tothemoon.benches.tick import Line

IDIOMATIC, PEER, LIMIT, FLOOR = "the idiomatic way", "the best peer", "the physical limit", "the promise"


@dataclass(frozen=True)
class Subject:
    """What the lines are about."""

    bench: str
    database: str
    what: str

    def faster(self, role: str, against: str, unit: str, ours: float, theirs: float, floor: float | None) -> Line:
        """Both are times: less is better, and ours is to be so many times less."""
        return self._line(role, against, unit, ours, theirs, theirs / ours, floor, floor is None or theirs / ours >= floor)

    def richer(self, role: str, against: str, unit: str, ours: float, theirs: float, floor: float | None) -> Line:
        """Both are rates: more is better, and ours is to be so many times more."""
        return self._line(role, against, unit, ours, theirs, ours / theirs, floor, floor is None or ours / theirs >= floor)

    def within(self, against: str, unit: str, ours: float, most: float) -> Line:
        """A time, a size or a number that may not be more. Where there may be none at all, the ratio is the number itself."""
        return self._line(FLOOR, f"at most, {against}", unit, ours, most, ours / (most or 1), 1.0, ours <= most)

    def at_least(self, against: str, unit: str, ours: float, least: float) -> Line:
        """A rate that may not be less."""
        return self._line(FLOOR, f"at least, {against}", unit, ours, least, ours / least, 1.0, ours >= least)

    def times_limit(self, against: str, unit: str, ours: float, limit: float, most: float | None) -> Line:
        """Times of ours and of what is left when everything but the unavoidable is taken away."""
        return self._line(LIMIT, f"limit: {against}", unit, ours, limit, ours / limit, most, most is None or ours / limit <= most)

    def _line(self, role: str, against: str, unit: str, ours: float, theirs: float, ratio: float, floor: float | None, holds: bool) -> Line:
        told = rounded(ours), rounded(theirs), rounded(ratio)
        return Line(self.bench, self.database, against, unit, *told, floor, bool(holds), self.what, role)


def rounded(value: float) -> float:
    """To four digits."""
    return float(f"{value:.4g}")
