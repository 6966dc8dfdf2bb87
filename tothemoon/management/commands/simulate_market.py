"""Serve the make-believe market until stopped."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.simulator.birdeye_server import PLANS
from ingestion.simulator.exchange import Exchange
from tothemoon.worker import StopFlag


class Command(BaseCommand):
    help = (
        "Serve a make-believe market in the wire formats of PumpPortal, Birdeye and DexScreener, on this machine only. "
        "The first lines printed are the environment with which any other command takes it for the real services."
    )
    requires_system_checks: list[str] = []  # it touches neither the database nor the site

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port-ws", type=int, default=8701, help="PumpPortal's WebSocket; 0 picks a free port (default 8701)")
        parser.add_argument("--port-birdeye", type=int, default=8702, help="0 picks a free port (default 8702)")
        parser.add_argument("--port-dexscreener", type=int, default=8703, help="0 picks a free port (default 8703)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same market (default 1)")
        parser.add_argument("--speed", type=float, default=1.0, help="market seconds a second (default 1)")
        parser.add_argument("--plan", choices=list(PLANS), default="standard", help="what the Birdeye account may do (default standard)")
        parser.add_argument("--units", type=int, help="Birdeye compute units left; default: as many as the plan has")
        parser.add_argument("--backlog", type=int, default=40, help="earlier migrations told to the first listener (default 40)")
        parser.add_argument("--max-seconds", type=float, help="stop after so long; default: run until SIGTERM or Ctrl-C")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seed"] < 0 or options["backlog"] < 0 or not 0.01 <= options["speed"] <= 10_000:
            raise CommandError("seed and backlog must not be negative; speed must lie between 0.01 and 10000.")
        ports = (options["port_ws"], options["port_birdeye"], options["port_dexscreener"])
        with StopFlag() as stop:
            try:
                exchange = Exchange(options["seed"], options["speed"], options["plan"], options["backlog"], options["units"], ports)
            except (OSError, OverflowError) as error:
                raise CommandError(f"a port cannot be used: {error}. Choose another, or 0 for any free one.") from None
            exchange.start()
            for name, value in exchange.environment.items():
                self.stdout.write(f"{name}={value}")
            self.stdout.flush()
            stop.wait(options["max_seconds"])
            exchange.stop()
            self.stdout.write("the market has closed")
