"""Everything in one command: the simulated market (or with --live the real one), listener, scheduler and web site."""

import fcntl
import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from tothemoon import demonstration
from tothemoon.children import Child, Died, stop_all
from tothemoon.worker import StopFlag

MARK = "TOTHEMOON_DEMO"  # says that the environment is the demo's already


class Command(BaseCommand):
    help = (
        "Run the whole product: a simulated market, the listener, the scheduler and the web site, each a process of its own and each "
        "through the same code as in production. With --live: the real services and the configured database instead. Stops on Ctrl-C."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, help="stop after so long; default: run until Ctrl-C or SIGTERM")
        parser.add_argument("--port", type=int, default=8000, help="of the web site, on 127.0.0.1; 0 picks a free one (default 8000)")
        parser.add_argument("--speed", type=float, default=10.0, help="market seconds a second (default 10)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same market (default 1)")
        parser.add_argument("--keep", action="store_true", help="go on with the last demo's database instead of a fresh one")
        parser.add_argument("--folder", type=Path, help="for the logs; the demo's database lies beside it (default var/demo or var/live)")
        parser.add_argument("--live", action="store_true", help="the real services and DATABASE_URL; no simulation")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = float(os.environ.get(MARK) or time.monotonic())
        live = options["live"]
        if not 0.1 <= options["speed"] <= 1000 or options["seed"] < 0:
            raise CommandError("--speed must lie between 0.1 and 1000, and --seed must not be negative.")
        folder = (options["folder"] or settings.VAR_DIR / ("live" if live else "demo")).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if not live and MARK not in os.environ:
            self._start_again(demonstration.demo_environment(options["speed"], folder))
        with self._alone(folder), StopFlag() as stop:
            try:
                port = demonstration.free_port(options["port"])
            except OSError:
                raise CommandError(f"port {options['port']} on 127.0.0.1 is taken. Choose another with --port.") from None
            self._run(options, folder, port, stop)

    def _start_again(self, environment: dict[str, str]) -> None:
        """The demo's database and settings must be there before Django reads them: become the same command in that environment."""
        self.stdout.flush()
        arguments = [sys.executable, str(settings.BASE_DIR / "manage.py"), *sys.argv[1:]]
        os.execve(sys.executable, arguments, environment | {MARK: str(self.started)})  # noqa: S606

    def _alone(self, folder: Path) -> IO[str]:
        lock = (folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise CommandError("this command is running already in this folder. Stop it first.") from None
        return lock

    def _run(self, options: dict[str, Any], folder: Path, port: int, stop: StopFlag) -> None:
        live = options["live"]
        if not live and not options["keep"]:
            demonstration.forget_database(folder)
        environment = {name: value for name, value in os.environ.items() if name != MARK}
        children: list[Child] = []
        market = None if live else demonstration.market(options["seed"], options["speed"], environment, folder)
        try:
            if market:
                market.start()  # it gets ready while the database does
            demonstration.prepare_database()
            self._say_login(demonstration.make_login(always=not live), port)
            if market:
                found = demonstration.market_environment(market, stop)
                if not found and not stop.is_set():
                    raise Died(f"the market did not open. The end of {market.log}:\n{market.last_words()}")
                environment |= found
            children = [] if stop.is_set() else demonstration.workers(port, environment, folder)
            for child in children:
                child.start()
            shown = self._watch(children, market, port, options["seconds"], stop)
        except Died as death:
            raise CommandError(str(death)) from None
        finally:
            connection.close()
            killed = stop_all(children) + stop_all([market] if market else [])
            self.stdout.write(f"stopped; the logs are in {folder}/")
        if killed:
            raise CommandError(f"had to be killed: {', '.join(killed)}")
        if options["seconds"] and not live and not shown:
            raise CommandError(f"no scored Active token was to be seen within {options['seconds']:g} s.")

    def _watch(self, children: list[Child], market: Child | None, port: int, seconds: float | None, stop: StopFlag) -> bool:
        """Look every half second until stopped; says whether a scored Active token was there to see."""
        milestones = demonstration.Milestones(self._say, self.started, f"http://127.0.0.1:{port}/")
        web = False
        while not stop.is_set() and (seconds is None or time.monotonic() - self.started < seconds):
            if market and market.ended_with is not None:
                raise Died(f"the market has closed unexpectedly. The end of {market.log}:\n{market.last_words()}")
            for child in children:
                if child.keep_alive():
                    self._say(f"{child.name} ended and was started again; see {child.log}")
            web = web or demonstration.web_answers(port)
            milestones.look(demonstration.progress(), web)
            stop.wait(0.5)
        return milestones.shown

    def _say_login(self, login: tuple[str, str] | None, port: int) -> None:
        if login:
            self._say(f"admin: http://127.0.0.1:{port}/admin/   name: {login[0]}   password: {login[1]}")

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()
