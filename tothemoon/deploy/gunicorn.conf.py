"""How gunicorn serves the site in production: behind nginx, on a Unix socket, watched by systemd."""

import os
import runpy
import sys
from typing import Any

# The release's own folder, not the link to it. A reload reads this file anew through the link, and so finds the next release; workers of
# the one before stay with their own until they end. First on the path, also where it has been there before: rolled back to.
chdir = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path[:] = [chdir, *(folder for folder in sys.path if folder != chdir)]

bind = os.environ.get("WEB_BIND", "unix:/run/tothemoon-web/socket")
wsgi_app = "tothemoon.wsgi:application"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 30  # a worker that says nothing for so long is replaced
graceful_timeout = 5
keepalive = 65  # longer than nginx's own, so that nginx closes first
max_requests = 20_000  # slow leaks end here
max_requests_jitter = 2_000
limit_request_line = 8190  # a watch-list of 100 addresses is 4,500 characters long
limit_request_fields = 60
preload_app = False  # each worker has its own database connections
accesslog = None  # nginx writes one
errorlog = "-"
control_socket_disable = True  # by default gunicorn opens one in the home folder
worker_tmp_dir = "/dev/shm"  # noqa: S108 (heartbeat files must not wait for a disk)


def when_ready(server: Any) -> None:
    """Tell systemd's watchdog from the arbiter's own loop: the one that replaces hung workers, once a second."""
    # Run, not imported: what this first process had imported, every worker after a reload would have from the release before.
    alive = runpy.run_path(os.path.join(chdir, "tothemoon", "worker.py"))["alive"]
    replace_hung_workers = server.murder_workers

    def and_tell_systemd() -> None:
        replace_hung_workers()
        alive()

    server.murder_workers = and_tell_systemd
