"""Several processes run as one: each with a log file of its own, watched, started again when they die, stopped together."""

import ctypes
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PATIENCE = 8.0  # seconds between asking a process to stop and making it
RESTARTS_A_MINUTE = 3
LONGEST_LINE = 300  # a traceback on one line says what matters at its end
_PR_SET_PDEATHSIG = 1


class Died(Exception):
    """A process will not stay alive; the message says which, how it ended and what it said last."""


def follow_parent() -> None:
    """Runs in the child: be told to stop when the parent is killed, so that nothing is left behind holding the ports (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One process, its output in one file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.log.unlink(missing_ok=True)
        self._command, self._environment = list(command), dict(environment)
        self._starts: deque[float] = deque(maxlen=RESTARTS_A_MINUTE + 1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """In a session of its own: a Ctrl-C in the terminal reaches the parent alone, which then stops all in order."""
        self._starts.append(time.monotonic())
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own programs only
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow_parent,
            )

    @property
    def ended_with(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process else None

    def last_words(self, lines: int = 12) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        shortened = (line if len(line) <= LONGEST_LINE else f"…{line[-LONGEST_LINE:]}" for line in text.splitlines()[-lines:])
        return "\n".join(f"    {line}" for line in shortened)

    def keep_alive(self) -> bool:
        """Start it again if it has ended; says whether that was so. Too often within a minute is Died."""
        code = self.ended_with
        if code is None:
            return False
        if len(self._starts) > RESTARTS_A_MINUTE and time.monotonic() - self._starts[0] < 60:
            raise Died(f"{self.name} does not stay alive (last exit code {code}). The end of {self.log}:\n{self.last_words()}")
        self.start()
        return True

    def ask_to_stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def wait_stopped(self, until: float) -> bool:
        """Whether it went by itself before that moment; afterwards it is gone in any case, with all it had started."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return False
        return True


def stop_all(children: Sequence[Child]) -> list[str]:
    """Stop them together; returns the names of those that had to be killed."""
    for child in children:
        child.ask_to_stop()
    until = time.monotonic() + PATIENCE
    return [child.name for child in children if not child.wait_stopped(until)]
