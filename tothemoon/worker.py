"""What every worker process shares: a flag that signals set, and three words to systemd."""

import math
import os
import select
import signal
import socket
import threading
import time
import weakref
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LONGEST_POLL_MS = 2**31 - 1  # what the system call takes: 24 days, after which a wait says no and is begun anew


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class StopFlag:
    """Set by SIGTERM, by SIGINT, by hand, or by itself `after` so many seconds; whoever waits on it, in any thread, returns at once.

    As a context manager it takes the two signals and puts the former handlers back at the end. In a thread other than the
    main one it takes no signals and is set by hand only. `outlives_terminal`: a hang-up passes without effect.
    """

    def __init__(self, after: float | None = None, outlives_terminal: bool = False) -> None:
        # A pipe, not threading.Event: an Event set in a signal handler can meet its own lock, held by the code it interrupted.
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._finalizer = weakref.finalize(self, _close, self._reading, self._writing)
        self._set, self._outlives_terminal = False, outlives_terminal
        self._ends_at = math.inf if after is None else time.monotonic() + after
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
            if self._outlives_terminal:
                self._former[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.set()

    def set(self) -> None:
        if not self._set:
            self._set = True
            os.write(self._writing, b"!")

    def is_set(self) -> bool:
        return self._set or time.monotonic() >= self._ends_at

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the flag is set, as soon as it is, at the latest after so many seconds (None: however long it takes)."""
        left = min(math.inf if seconds is None else seconds, self._ends_at - time.monotonic())
        if not self._set and left > 0:
            poll = select.poll()
            poll.register(self._reading, select.POLLIN)  # the byte is never read, so it wakes everybody
            poll.poll(None if left == math.inf else min(left * 1000, LONGEST_POLL_MS))
        return self.is_set()


def notify(state: str) -> None:
    """Tell systemd, where it listens (Type=notify): READY=1, WATCHDOG=1, STOPPING=1, STATUS=… Elsewhere nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_systemd:
        to_systemd.settimeout(1)
        try:
            to_systemd.connect("\0" + address[1:] if address.startswith("@") else address)
            to_systemd.send(state.encode())
        except OSError:
            return  # a supervisor that has gone away must not stop the work; it will notice the silence itself


def ready() -> None:
    notify("READY=1")


def alive() -> None:
    """Call this from the loop that does the work: a side thread would go on saying so when the loop hangs."""
    notify("WATCHDOG=1")


def stopping() -> None:
    notify("STOPPING=1")
