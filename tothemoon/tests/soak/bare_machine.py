"""A bare Debian with a systemd of its own, in a throw-away root: debootstrap makes it, systemd-nspawn boots it. Whatever is done to it is
gone afterwards. It shares the machine's network, and so needs its ports 80, 443 and 5432."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from tothemoon.tests.soak.victims import ROOT

BASE = ROOT / "var" / "soak" / "debian"
PROGRAMS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux", "git": "git"}
PORTS = (80, 443, 5432)
# Only what this machine itself needs to reach its packages; which servers those are is its own affair.
OF_THIS_MACHINE = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d",
    "/etc/apt/apt.conf.d",
    "/etc/apt/auth.conf.d",
    "/etc/apt/keyrings",
    "/usr/share/keyrings",
    "/etc/pip.conf",
    "/root/.pip/pip.conf",
    "/root/.config/pip/pip.conf",
    "/usr/local/share/ca-certificates",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/resolv.conf",
)
PASSED_ON = re.compile(r"(?i)(https?|no)_proxy|(PIP|SSL_CERT)_[A-Z_]+")


class CannotBoot(Exception):
    """This machine does not let one be made; the message says what is missing."""


def obstacle() -> str:
    """Why no bare machine can be had here; empty when one can."""
    if os.geteuid() != 0:
        return "it takes root"
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")]
    if missing:
        return f"missing here (Debian: apt install {' '.join(sorted(set(missing)))})"
    return (
        f"the ports {', '.join(map(str, taken))} of this machine are taken" if (taken := [port for port in PORTS if _taken(port)]) else ""
    )


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return True
    return False


def mirror() -> tuple[str, str]:
    """Debian's code name and mirror, as apt has them on this machine."""
    line = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)", "Created-By: Packages"]
    for told in subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines():
        origin, code_name, address = told.split(" ", 2)
        if origin == "Debian" and "-" not in code_name:
            return code_name, address
    raise CannotBoot("apt on this machine knows no Debian")


def base() -> Path:
    """The bare Debian, made at the first call and kept."""
    if not (BASE / "whole").exists():
        code_name, address = mirror()
        shutil.rmtree(BASE, ignore_errors=True)
        BASE.mkdir(parents=True)
        done = subprocess.run(["debootstrap", code_name, str(BASE / "root"), address], capture_output=True, text=True, env=_with_sbin())
        if done.returncode:
            raise CannotBoot(f"debootstrap: {done.stdout[-500:]}{done.stderr[-500:]}")
        (BASE / "whole").touch()
    return BASE / "root"


def _with_sbin() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


class BareMachine:
    """As a context it is up; `folder` holds all that differs from the bare Debian, and is removed in the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.console = folder / "console.log"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self.leader = 0
        self._cgroups: set[Path] = set()

    def __enter__(self) -> Self:
        lower = base()
        for name in ("root", "upper", "work"):
            (self.folder / name).mkdir(parents=True)
        options = f"lowerdir={lower},upperdir={self.folder / 'upper'},workdir={self.folder / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)], check=True)
        try:
            self._settle_in()
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.halt()
        subprocess.run(["umount", "--lazy", str(self.root)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _settle_in(self) -> None:
        for name in OF_THIS_MACHINE:
            there, here = self.root / name[1:], Path(name)
            if here.is_dir():
                shutil.copytree(here, there, dirs_exist_ok=True, symlinks=True)
            elif here.exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                there.unlink(missing_ok=True)
                shutil.copy(here, there)
        for cleaner in (self.root / "etc/apt/apt.conf.d").glob("docker-*"):
            cleaner.unlink()
        (self.root / "etc/hostname").write_text("bare\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost bare\n")

    def boot(self) -> None:
        before = _control_groups()
        line = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", "--machine=bare", "--register=no", "--keep-unit"]
        line += ["--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe", "--kill-signal=SIGRTMIN+3"]
        line += [f"--bind-ro={place}" for place in _places_of_packages()]
        with self.console.open("ab") as output:
            self._nspawn = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_with_sbin())
        self.wait_until(lambda: bool(self._find_leader()), 60, "booted")
        self._cgroups |= _control_groups() - before
        self.wait_until(lambda: self.run("systemctl is-system-running", check=False).stdout.strip() in ("running", "degraded"), 120, "up")

    def halt(self) -> None:
        if self._nspawn and self._nspawn.poll() is None:
            self._nspawn.send_signal(signal.SIGTERM)
            try:
                self._nspawn.wait(60)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        self._nspawn, self.leader = None, 0
        for group in sorted(self._cgroups, key=lambda path: -len(path.parts)):
            for below in (*sorted(group.glob("**/"), key=lambda path: -len(path.parts)),):
                with contextlib.suppress(OSError):
                    below.rmdir()

    def _find_leader(self) -> int:
        if self._nspawn is None or self._nspawn.poll() is not None:
            raise CannotBoot(f"systemd-nspawn ended: {self.console.read_text(errors='replace')[-1500:]}")
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        inits = [int(child) for child in children if _is_init(int(child))]
        self.leader = inits[0] if inits else 0
        return self.leader

    # Inside

    def _words(self, script: str) -> list[str]:
        passed = [f"{name}={value}" for name, value in os.environ.items() if PASSED_ON.fullmatch(name)]
        inside = ["HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", *passed]
        inside += ["DEBIAN_FRONTEND=noninteractive"]
        return [
            "nsenter",
            f"--target={self.leader}",
            "--all",
            "env",
            "-i",
            *inside,
            "bash",
            "-euo",
            "pipefail",
            "-c",
            f"cd /root\n{script}",
        ]

    def run(self, script: str, check: bool = True, given: str = "") -> subprocess.CompletedProcess[str]:
        """As root, as somebody who has logged in and types. `given`: what is pasted."""
        done = subprocess.run(self._words(script), input=given, capture_output=True, text=True, errors="replace")
        if check and done.returncode:
            raise AssertionError(f"exit {done.returncode}:\n{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def converse(self, script: str, answers: Sequence[tuple[str, str]]) -> str:
        """At a terminal: each answer is typed when its question has been read."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(self._words(script), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
            os.close(theirs)
            said = ""
            for question, answer in answers:
                while question not in said:
                    said += _read(ours)
                said = ""
                os.write(ours, f"{answer}\n".encode())
            while (some := _read(ours)) != "":
                said += some
            os.close(ours)
        if process.returncode:
            raise AssertionError(f"exit {process.returncode}: {said}")
        return said

    def says(self, script: str) -> str:
        return self.run(script).stdout.strip()

    def wait_until(self, there: Callable[[], bool], seconds: float, what: str) -> float:
        """How long it took."""
        began = time.monotonic()
        while not there():
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not {what} within {seconds:g} s")
            time.sleep(0.1)
        return time.monotonic() - began


def _read(terminal: int) -> str:
    """What the other side says next; nothing when it has gone."""
    try:
        ready, _, _ = select.select([terminal], [], [], 120)
        if not ready:
            raise AssertionError("nobody asked anything for two minutes")
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        return ""


def _is_init(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    told = re.search(r"^NSpid:\s+(.+)$", status, re.MULTILINE)
    return told is not None and told[1].split()[-1] == "1"


def _control_groups() -> set[Path]:
    return {path for path in Path("/sys/fs/cgroup").glob("*/*") if path.is_dir()}


def _places_of_packages() -> Sequence[str]:
    """Folders of this machine that its pip reads packages from; none on most machines."""
    told = subprocess.run(["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    named = [Path(found) for found in re.findall(r"/[\w.-]+(?:/[\w.-]+)+", told)]
    return sorted({str(Path("/", *path.parts[1:3])) for path in named if path.is_dir()})
