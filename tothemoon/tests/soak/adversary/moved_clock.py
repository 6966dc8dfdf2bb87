"""python -m tothemoon.tests.soak.adversary.moved_clock COMMAND SECONDS …: a manage.py command whose wall clock jumps at each SIGUSR1.

Each time by the next of these numbers of seconds, and a line of its output says that it has; the monotonic clock goes on as it does.
"""

import os
import signal
import sys
import time

import time_machine
from django.core.management import execute_from_command_line

MOVED = "the clock was moved"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    jumps = [float(word) for word in sys.argv[2:]]
    clock = time_machine.travel(time.time(), tick=True)
    here = clock.start()

    def move(*_: object) -> None:
        if jumps:
            here.shift(jumps.pop(0))
            os.write(sys.stdout.fileno(), f"{MOVED}\n".encode())

    signal.signal(signal.SIGUSR1, move)
    execute_from_command_line(["manage.py", sys.argv[1]])


if __name__ == "__main__":
    main()
