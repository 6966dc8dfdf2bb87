"""The workers of a trial as real processes, started as an operator starts them and killed without a word."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Worker:
    """One manage.py command as a process of its own, or another `program` that carries it out; its output goes to a file.
    `through`: what is put before the line, and becomes the process."""

    def __init__(
        self,
        command: str,
        environment: Mapping[str, str],
        folder: Path,
        *arguments: str,
        program: Sequence[str] = (str(ROOT / "manage.py"),),
        through: Sequence[str] = (),
    ) -> None:
        self.log = folder / f"{command}.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*through, sys.executable, *program, command, *arguments],
                env={**os.environ, **environment},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> float:
        """SIGKILL; the moment just before it, on the monotonic clock."""
        moment = time.monotonic()
        self._process.kill()
        self._process.wait()
        return moment

    def stop(self, number: int = signal.SIGTERM, seconds: float = 40) -> tuple[int, float]:
        """Ask it to end: its exit code, and how long that took."""
        began = time.monotonic()
        self._process.send_signal(number)
        return self.wait(seconds), time.monotonic() - began

    def wait(self, seconds: float = 40) -> int:
        return self._process.wait(seconds)

    def end(self) -> None:
        if self.running:
            self.kill()

    def said(self) -> str:
        return self.log.read_text(errors="replace")
