"""python -m tothemoon.tests.soak.adversary.misled COMMAND FILE: a manage.py command to which names mean what FILE says at that moment.

A line of FILE is a name and its addresses; with none, the name does not resolve. Every other name is resolved as ever.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

from django.core.management import execute_from_command_line

honest = socket.getaddrinfo


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    file = Path(sys.argv[2])

    def misled(host: Any, port: Any, *more: Any, **words: Any) -> list[Any]:
        for name, *addresses in map(str.split, file.read_text().splitlines()):
            if name != host:
                continue
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [found for address in addresses for found in honest(address, port, *more, **words)]
        return honest(host, port, *more, **words)

    socket.getaddrinfo = misled
    execute_from_command_line(["manage.py", sys.argv[1]])


if __name__ == "__main__":
    main()
