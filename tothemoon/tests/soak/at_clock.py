"""python -m tothemoon.tests.soak.at_clock MOMENT COMMAND …: a real manage.py command on a machine whose clock stands at MOMENT and goes on.

So a trial can live through hours of market in minutes, and every life of a worker begins at the minute that is its turn.
"""

import os
import sys
from datetime import datetime

import time_machine
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    time_machine.travel(datetime.fromisoformat(sys.argv[1]), tick=True).start()
    execute_from_command_line(["manage.py", *sys.argv[2:]])


if __name__ == "__main__":
    main()
