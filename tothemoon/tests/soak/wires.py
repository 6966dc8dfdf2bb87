"""What a machine of a trial has of all others: wires that can be cut, and where the system lets us make one, a network of its own."""

import ipaddress
import itertools
import os
import select
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

CHUNK = 65_536
FOR_TRIALS = int(ipaddress.ip_address("198.18.0.0"))  # a range that is set aside for measuring networks
PAIRS = 32_768  # of addresses in it
HERE = "127.0.0.1"
KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()"
_numbers = itertools.count()


class Wire:
    """Between one machine and a server. Cut, it takes what comes and passes nothing on, and says nothing: as a cable that was pulled."""

    def __init__(self, to: Path | tuple[str, int], at: str = HERE) -> None:
        self._to = to
        self._cut = threading.Event()
        self._over = threading.Event()
        self._door = socket.create_server((at, 0), backlog=64)
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._let_in, daemon=True).start()

    def cut(self) -> None:
        self._cut.set()

    def mend(self) -> None:
        self._cut.clear()

    def close(self) -> None:
        self._over.set()
        self._door.close()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._door.accept()
                threading.Thread(target=self._carry, args=(ours,), daemon=True).start()

    def _carry(self, ours: socket.socket) -> None:
        theirs = socket.socket(socket.AF_UNIX if isinstance(self._to, Path) else socket.AF_INET)
        with ours, theirs, suppress(OSError):
            theirs.connect(str(self._to) if isinstance(self._to, Path) else self._to)
            while not self._over.is_set():
                if self._cut.is_set():
                    self._over.wait(0.05)
                    continue
                ready, _, _ = select.select([ours, theirs], [], [], 0.2)
                for end in ready if not self._cut.is_set() else ():
                    some = end.recv(CHUNK)
                    if not some:
                        return
                    (theirs if end is ours else ours).sendall(some)


class Network:
    """A network namespace for one machine, with one cable out of it, to `address`. It is held open by a process that ends with this one,
    and gone with it: nothing stays behind, however the trial ends."""

    def __init__(self) -> None:
        number = next(_numbers)
        first = FOR_TRIALS + 4 * ((os.getpid() * 8 + number) % PAIRS)
        self.address, theirs = (str(ipaddress.ip_address(first + place)) for place in (1, 2))
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo && exec cat >&2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if not self._holder.stdout or not self._holder.stdout.readline():
            self.close()
            raise OSError("no network namespace can be made here")
        self.through = ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--")
        name = f"ttm{os.getpid()}.{number}"
        try:
            self._ip(f"link add {name} type veth peer name eth0 netns {self._holder.pid}")
            self._ip(f"address add {self.address}/30 dev {name}")
            self._ip(f"link set {name} up")
            self._ip(f"address add {theirs}/30 dev eth0", *self.through)
            for link in ("lo", "eth0"):
                self._ip(f"link set {link} up", *self.through)
            self._try_out()
        except (OSError, subprocess.CalledProcessError):
            self.close()
            raise

    def close(self) -> None:
        for end in (self._holder.stdin, self._holder.stdout):
            if end:
                end.close()
        self._holder.wait(10)

    def _try_out(self) -> None:
        """What can be made need not be let through: a machine's own rules may forbid it."""
        with socket.create_server((self.address, 0)) as door:
            line = [*self.through, sys.executable, "-S", "-c", KNOCK, self.address, str(door.getsockname()[1])]
            subprocess.run(line, check=True, capture_output=True)

    def _ip(self, words: str, *through: str) -> None:
        subprocess.run([*through, "ip", *words.split()], check=True, capture_output=True)


def own_network() -> Network | None:
    """None where namespaces cannot be made, or nothing comes through: without root, in many containers, without `ip`."""
    try:
        return Network()
    except (OSError, subprocess.CalledProcessError):
        return None
