"""How far a database has come, and the sentences a person who waits is told about it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Count, Q

from tokens.models import Status, Token


@dataclass(frozen=True)
class Progress:
    """How far the database has come."""

    tokens: int
    initial: int
    active: int
    archived: int
    scored: int
    scored_active: int
    best: str

    def __str__(self) -> str:
        parts = f"{self.initial} Initial, {self.active} Active, {self.archived} Archived"
        return f"{self.tokens} tokens: {parts}; {self.scored} scored" + (f"; best: {self.best}" if self.best else "")


def progress() -> Progress:
    scored = Q(last_score_value__isnull=False)
    counts = Token.objects.of_pump_fun().aggregate(
        tokens=Count("pk"),
        initial=Count("pk", filter=Q(status=Status.INITIAL)),
        active=Count("pk", filter=Q(status=Status.ACTIVE)),
        archived=Count("pk", filter=Q(status=Status.ARCHIVED)),
        scored=Count("pk", filter=scored),
        scored_active=Count("pk", filter=scored & Q(status=Status.ACTIVE)),
    )
    best = Token.objects.of_pump_fun().filter(scored, status=Status.ACTIVE).order_by("-last_score_value").first()
    return Progress(**counts, best=f"{_printable(best.symbol)[:16] or best.address[:6]} {best.last_score_value:.2f}" if best else "")


def _printable(text: str) -> str:
    """Symbols and reasons hold what strangers wrote: nothing of it may steer the terminal."""
    return "".join(character for character in text if character.isprintable())


class Milestones:
    """Says each step once, with the seconds since the start."""

    def __init__(self, say: Callable[[str], None], started: float, address: str) -> None:
        self._say, self._started, self._address = say, started, address
        self._said: set[str] = set()
        self._next_summary = 30.0
        self.shown = False  # whether a scored Active token was there while the web site answered

    def at(self, seconds: float, sentence: str) -> None:
        self._say(f"{seconds:6.1f} s  {_printable(sentence)}")

    def _once(self, name: str, true: bool, sentence: str) -> None:
        if true and name not in self._said:
            self._said.add(name)
            self.at(time.monotonic() - self._started, sentence)

    def look(self, now: Progress, web: bool, troubles: Callable[[], list[str]]) -> None:
        """`troubles` is asked with each summary: who sees nothing come wants to read why before any page does."""
        self._once("web", web, f"the web site answers at {self._address}")
        self._once("tokens", now.tokens > 0, f"the first {now.tokens} tokens found")
        self._once("score", now.scored > 0, "the first score")
        self._once("active", now.scored_active > 0, f"the first scored Active token ({now.best})")
        self.shown = self.shown or (now.scored_active > 0 and web)
        self._once("open", self.shown, f"open {self._address}")
        elapsed = time.monotonic() - self._started
        if elapsed >= self._next_summary:
            self._next_summary = elapsed + 30 if elapsed < 120 else elapsed + 300
            self.at(elapsed, str(now))
            for sentence in troubles():
                self.at(elapsed, sentence)
