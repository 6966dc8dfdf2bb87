"""A log that a storm cannot flood: one line for each kind of trouble in ten seconds."""

import logging
import threading
import time
from collections.abc import Callable


class Seldom:
    """Says each kind of thing at most once in `every` seconds, and then how often it had kept quiet about it."""

    def __init__(self, logger: logging.Logger, every: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger, self._every, self._clock = logger, every, clock
        self._lock = threading.Lock()
        self._said: dict[str, tuple[float, int]] = {}

    def say(self, level: int, kind: str, message: str, *args: object) -> None:
        """`kind` comes from a small fixed set (an endpoint's name, never an address): each is remembered."""
        now = self._clock()
        with self._lock:
            last, kept_quiet = self._said.get(kind, (-self._every, 0))
            if now - last < self._every:
                self._said[kind] = (last, kept_quiet + 1)
                return
            self._said[kind] = (now, 0)
        if kept_quiet:
            message, args = message + " (and %d more like it)", (*args, kept_quiet)
        self._logger.log(level, message, *args)
