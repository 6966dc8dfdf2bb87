"""An answer in time, or none: what is asked runs in a thread of its own, which nobody waits for longer than agreed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from typing import TypeVar

Answer = TypeVar("Answer")


def within(seconds: float, question: Callable[[], Answer]) -> Future[Answer]:
    """Done, with the answer or with what the question raised; or TimeoutError. The question must not touch the database: its thread may
    outlive who asked."""
    future: Future[Answer] = Future()
    threading.Thread(target=_run, args=(future, question), name="time box", daemon=True).start()
    future.exception(timeout=seconds)
    return future


def _run(future: Future[Answer], question: Callable[[], Answer]) -> None:
    try:
        answer = question()
    except BaseException as error:  # noqa: BLE001  handed to whoever asked
        future.set_exception(error)
    else:
        future.set_result(answer)


__all__ = ["TimeoutError", "within"]
