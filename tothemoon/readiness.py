"""What stands between a worker and its database, in a sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from tothemoon.worker import StopFlag

log = logging.getLogger(__name__)

LONGEST_WAIT_SEC = 10.0


def obstacle() -> str:
    """Why no work can be done yet; empty when it can."""
    try:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except OperationalError as error:
        return f"the database does not answer ({str(error).strip().splitlines()[0]})"
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return f"the database lacks {missing} migration{'s' * (missing > 1)}: run `manage.py migrate`" if missing else ""


def wait_until_ready(stop: StopFlag, alive: Callable[[], None] = lambda: None) -> bool:
    """Wait until work can be done, and say once what for. False when told to stop before that."""
    said, waiting = "", 0.5
    while why := obstacle():
        if why != said:
            log.warning("waiting: %s", why)
            said = why
        alive()
        if stop.wait(waiting):
            return False
        waiting = min(waiting * 2, LONGEST_WAIT_SEC)
    if said:
        log.warning("the wait is over: the database is ready")
    return True
