"""An answer within a time limit, even from a database that takes the question and never answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from typing import Generic, TypeVar

from django.db import connection

Answer = TypeVar("Answer")


class Bounded(Generic[Answer]):
    """Runs one question at a time in a thread of its own; who asks while it runs waits for the same answer.

    So a database that swallows questions costs one thread and one connection, however often it is asked.
    """

    def __init__(self, question: Callable[[], Answer]) -> None:
        self.question = question
        self._lock = threading.Lock()
        self._running: Future[Answer] | None = None

    def ask(self, seconds: float) -> Answer:
        """The answer, or TimeoutError after `seconds`, or what the question raised."""
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                threading.Thread(target=self._run, args=(self._running,), name="bounded", daemon=True).start()
            running = self._running
        return running.result(timeout=seconds)

    def _run(self, future: Future[Answer]) -> None:
        try:
            answer = self.question()
        except BaseException as error:  # noqa: BLE001  handed to whoever asked
            future.set_exception(error)
        else:
            future.set_result(answer)
        finally:
            connection.close()


__all__ = ["Bounded", "TimeoutError"]
