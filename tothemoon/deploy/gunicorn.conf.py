"""How gunicorn serves the site in production: behind nginx, on a Unix socket, watched by systemd."""

import os
from typing import Any

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
    from tothemoon.worker import alive  # gunicorn adds our folder to the path after it has read this file

    replace_hung_workers = server.murder_workers

    def and_tell_systemd() -> None:
        replace_hung_workers()
        alive()

    server.murder_workers = and_tell_systemd
