"""A mark written by a process that goes on: a piece of it at each look, so that no tick beside it waits for the whole.

The vectors have the moment of the mark and the same bits either way: what they are made from is read at the first look, and what is
worked out of it does not depend on when. A process that ends in between leaves whole tokens behind, never a part of one; the next process
writes the others, the rest at once where the time is nearly over.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from learning.feature_inputs import Minutes, stored_minutes
from learning.recording import LATEST, Marking, Recorded, due_mark, every_min, record

if TYPE_CHECKING:
    from learning.recording import Writing
    from scoring.models import ScoringSettings

log = logging.getLogger(__name__)

PIECES = 5  # of the arithmetic, and of the tokens to store: with the reading 13 looks, done well before LATEST where one is every 15 s
LEAST_MIN = LATEST.total_seconds() / 60  # between two marks: where they follow each other faster, each is written at once
HURRY = LATEST - timedelta(minutes=1)  # after the mark: what is left of it then is written at once, whoever began late or was held up


class Recorder:
    """For one thread at a time."""

    def __init__(self, minutes: Minutes = stored_minutes) -> None:
        self._minutes = minutes
        self._marking: Marking | None = None
        self._written: int | None = None  # the newest mark that is done

    @property
    def at_work(self) -> bool:
        return self._marking is not None

    def look(self, now: datetime, revision: ScoringSettings, writing: Writing = nullcontext) -> Recorded:
        """Go on with the newest mark. What was written of it is told when it is done."""
        every = every_min(revision)
        if 0 < every < LEAST_MIN:
            self._marking = None  # `record` writes what is left of it
            return record(now, revision, writing, self._minutes)
        self._turn_to(due_mark(now, every), now, revision)
        if self._marking is None:
            return Recorded()
        self._marking.go_on(now, writing)
        while not self._marking.done and now.timestamp() - self._marking.mark >= HURRY.total_seconds():
            self._marking.go_on(now, writing)
        if not self._marking.done:
            return Recorded()
        done, self._marking = self._marking, None
        if done.written.mark:
            self._written = done.mark
        return done.written

    def _turn_to(self, due: int | None, now: datetime, revision: ScoringSettings) -> None:
        if self._marking is not None and self._marking.mark != due:
            log.warning("the mark of %s was not written to its end in time", datetime.fromtimestamp(self._marking.mark, UTC))
            self._marking = None
        if self._marking is None and due is not None and due != self._written:
            self._marking = Marking(due, now, revision, self._minutes, PIECES)
