"""The process that holds the one connection to PumpPortal."""

import logging
import math
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingestion.kline_stream import Klines
from ingestion.listening import Listened, listen
from tothemoon import metrics, worker
from tothemoon.checks import OF_SETTINGS
from tothemoon.leader import StoppedWhileWaiting, only_one

log = logging.getLogger(__name__)


def seconds(word: str) -> float:
    value = float(word)
    if not 0 <= value < math.inf:
        raise ArgumentTypeError("write a number of seconds, 0 or more")
    return value


def _alive(klines: Klines) -> None:
    klines.check()
    worker.alive()


class Command(BaseCommand):
    help = (
        "Listen to PumpPortal and store every token that migrates, and to Binance for the symbols on the watch-list. "
        "A second listener waits until the first one is gone."
    )

    requires_system_checks = [OF_SETTINGS]  # no pages: their checks would load all of them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--max-seconds", type=seconds, metavar="N", help="end after so many seconds, the wait for its turn included")

    def handle(self, *_: Any, max_seconds: float | None, **__: Any) -> None:
        with worker.StopFlag(after=max_seconds, outlives_terminal=True) as stop:
            worker.ready()  # standing by is a healthy state too
            try:
                with only_one("listener", stop, wait=True, alive=worker.alive) as mine:
                    self._serve_metrics()

                    def lost() -> bool:
                        return not mine.still_mine() and mine.taken_by_another()

                    with Klines(lost) as klines:
                        listened = listen(stop, lock_lost=lost, alive=lambda: _alive(klines))
            except StoppedWhileWaiting as end:
                self.stdout.write(str(end))
            else:
                self._report(listened)

    def _serve_metrics(self) -> None:
        try:
            metrics.serve(settings.METRICS_PORT_LISTENER)
        except OSError as error:  # listening matters more
            log.error("no metrics on port %d: %s", settings.METRICS_PORT_LISTENER, error)

    def _report(self, listened: Listened) -> None:
        self.stdout.write(f"{listened.migrations} migrations heard, {listened.new} of them new tokens")
        if listened.taken_over:
            raise CommandError("another listener has taken over on this database")
        if listened.unsaved:
            raise CommandError(f"{listened.unsaved} migrations wait in the spool for the next start: the database did not answer")
