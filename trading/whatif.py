"""What the stages would have done with the stored hours under other settings: a back-test of both, small enough to wait for. Paper only.

And never longer than somebody waits: what is done by then is told, and the rest is given up between two of its parts.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import F

from scoring.stage_columns import stage_settings
from tokens.bars import LATENESS
from tokens.models import Status, TokenSnapshot
from trading.backtest import BacktestResult, Material, replay, result_of
from trading.backtest_run import NothingToTest, of_tokens
from trading.pipeline import StageRules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scoring.models import ScoringSettings

HOURS = 6
MOST_ASSETS = 60
LIMIT_SEC = 12.0
NO_BARS = "No bars of Active assets are stored of these hours."
BUSY = "The replay before, which took too long, is still being given up. Ask again in a moment."
_at_work = threading.Lock()  # until the thread has ended, which may be later than its answer


@dataclass(frozen=True)
class Side:
    """One of the two. Unknown is None."""

    result: BacktestResult
    hours: float

    @property
    def signals_an_hour(self) -> float:
        return self.result.signals / self.hours

    @property
    def change(self) -> float:
        """What the account won or lost, what is still open at its last price."""
        return self.result.equity - self.result.capital


@dataclass(frozen=True)
class StagePreview:
    """`said` tells what is missing of the comparison, and why."""

    hours: float
    assets: int
    left_out: int
    now: Side | None = None
    draft: Side | None = None
    said: str = ""
    ms: float = 0.0

    @property
    def sides(self) -> list[tuple[str, Side]]:
        """Those that were replayed."""
        return [(name, side) for name, side in (("in force", self.now), ("draft", self.draft)) if side is not None]

    @property
    def few(self) -> bool:
        return any(side.result.summary.trades < 20 for _, side in self.sides)


def preview(present: ScoringSettings, draft: ScoringSettings, now: datetime, limit_sec: float | None = None) -> StagePreview:
    """The last hours of the most liquid assets, replayed with both settings from an empty account each, within `limit_sec`."""
    began, limit_sec = time.perf_counter(), LIMIT_SEC if limit_sec is None else limit_sec
    end = (now - LATENESS).replace(second=0, microsecond=0)
    chosen, left_out = _most_liquid()
    try:
        material = of_tokens(chosen, end - timedelta(hours=HOURS), end) if chosen else None
    except NothingToTest:
        material = None
    if material is None:
        return StagePreview(float(HOURS), len(chosen), left_out, said=NO_BARS)
    if not _at_work.acquire(blocking=False):
        return StagePreview(float(HOURS), len(chosen), left_out, said=BUSY)
    both = _Both(material, (present, draft))
    both.wait(max(0.0, limit_sec - (time.perf_counter() - began)))
    now_side, drafted, *_ = [*both.done, None, None]
    said = "" if drafted is not None else _given_up(limit_sec, now_side is not None)
    return StagePreview(float(HOURS), len(chosen), left_out, now_side, drafted, said, (time.perf_counter() - began) * 1000)


def _given_up(limit_sec: float, half: bool) -> str:
    what = "The draft's replay was" if half else "Both replays were"
    return (
        f"{what} given up after {limit_sec:g} s: with settings under which less is judged it goes faster, and the command backtest waits."
    )


class _Given(Exception):
    """Up: nobody waits for it any more."""


class _Both:
    """Two replays in a thread of their own: no answer waits for them longer than it wants to. They ask the database nothing."""

    def __init__(self, material: Material, settings: Sequence[ScoringSettings]) -> None:
        self.done: list[Side | None] = []
        self._over = threading.Event()
        self._ended: Future[None] = Future()
        threading.Thread(target=self._run, args=(material, list(settings)), name="stages replayed", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Until both are done, or the time is over. What went wrong in the thread is raised here."""
        try:
            self._ended.result(timeout=seconds)
        except NotYet:
            self._over.set()

    def _run(self, material: Material, settings: Sequence[ScoringSettings]) -> None:
        error: BaseException | None = None
        try:
            for each in settings:
                self.done.append(Side(_replayed(material, each, self._go_on), float(HOURS)))
        except _Given:
            return
        except BaseException as wrong:  # noqa: BLE001  handed to whoever waits
            error = wrong
        finally:
            _at_work.release()
        self._ended.set_exception(error) if error is not None else self._ended.set_result(None)

    def _go_on(self, part: str) -> None:
        if self._over.is_set():
            raise _Given(part)


def _most_liquid() -> tuple[list[int], int]:
    """Of the Active ones, by their newest snapshot; and how many more there are."""
    newest = TokenSnapshot.objects.filter(token__status=Status.ACTIVE, ts=F("token__last_snapshot_at"))
    ranked = list(newest.order_by(F("liquidity").desc(nulls_last=True), "token_id").values_list("token_id", flat=True))
    return sorted(ranked[:MOST_ASSETS]), max(0, len(ranked) - MOST_ASSETS)


def _replayed(material: Material, settings: ScoringSettings, go_on: Callable[[str], None]) -> BacktestResult:
    values = stage_settings(settings)
    rules = StageRules.from_settings(values)
    played = replay(material, rules, go_on)
    go_on("results")
    return result_of(material, rules, values, settings.pk, played)
