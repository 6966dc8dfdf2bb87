"""Rules across settings, as system checks: each a sentence that names the variables. Single values are checked where they are read.

`manage.py check` and every command run them; an error stops the start, a warning is told.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import ERROR, CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

WORKERS = ("run_listener", "run_scheduler")
LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]", "testserver"}
FREE_PLAN_UNITS = 30_000
UNITS_A_CALL = 30

OF_SETTINGS = "settings"  # their tag: what a worker asks before it starts, which has no use for the rules of pages

Rule = Callable[[], Iterator[CheckMessage]]


def feed() -> Iterator[CheckMessage]:
    if settings.PUMPPORTAL_PING_TIMEOUT_SEC >= settings.PUMPPORTAL_PING_SEC:
        yield Warning(
            f"PUMPPORTAL_PING_TIMEOUT_SEC ({settings.PUMPPORTAL_PING_TIMEOUT_SEC:g}) should be below PUMPPORTAL_PING_SEC "
            f"({settings.PUMPPORTAL_PING_SEC:g}): a dead connection is noticed later than the next ping would tell.",
            id="tothemoon.W006",
        )
    if settings.PUMPPORTAL_BAN_WAIT_SEC < settings.PUMPPORTAL_BACKOFF_MAX_SEC:
        yield Warning(
            f"PUMPPORTAL_BAN_WAIT_SEC ({settings.PUMPPORTAL_BAN_WAIT_SEC:g}) is below PUMPPORTAL_BACKOFF_MAX_SEC "
            f"({settings.PUMPPORTAL_BACKOFF_MAX_SEC:g}): a ban would be treated more lightly than a lost connection.",
            id="tothemoon.W001",
        )
    if settings.PUMPPORTAL_STALL_SEC < settings.PUMPPORTAL_PING_SEC:
        yield Warning(
            f"PUMPPORTAL_STALL_SEC ({settings.PUMPPORTAL_STALL_SEC:g}) is below PUMPPORTAL_PING_SEC ({settings.PUMPPORTAL_PING_SEC:g}): "
            "the connection is given up before it was ever asked whether it is alive.",
            id="tothemoon.W002",
        )


def tick() -> Iterator[CheckMessage]:
    if settings.SIMULATED:  # faster than real time by intention
        return
    for name in ("SCHED_INTERVAL_INITIAL_SEC", "SCHED_INTERVAL_ACTIVE_SEC"):
        interval = getattr(settings, name)
        if interval < settings.BIRDEYE_CACHE_TTL:
            yield Warning(
                f"BIRDEYE_CACHE_TTL ({settings.BIRDEYE_CACHE_TTL:g}) is above {name} ({interval:g}): "
                "answers are kept for half an interval at most, so that no tick is fed with the answer of the one before.",
                id="tothemoon.W003",
            )
        if interval < settings.HTTP_DEADLINE_SEC:
            yield Warning(
                f"HTTP_DEADLINE_SEC ({settings.HTTP_DEADLINE_SEC:g}) is above {name} ({interval:g}): one slow answer makes a tick late.",
                id="tothemoon.W004",
            )


def money() -> Iterator[CheckMessage]:
    units_a_month = settings.BIRDEYE_RPS * 86_400 * 30 * UNITS_A_CALL
    if settings.BIRDEYE_API_KEY and settings.BIRDEYE_RPS > 1 and 0 < settings.BIRDEYE_MONTHLY_CU <= FREE_PLAN_UNITS:
        hours = settings.BIRDEYE_MONTHLY_CU / (units_a_month / 720)
        yield Warning(
            f"BIRDEYE_RPS ({settings.BIRDEYE_RPS:g}) belongs to a paid plan, BIRDEYE_MONTHLY_CU ({settings.BIRDEYE_MONTHLY_CU}) to the "
            f"free one: at full rate the month's units would last {hours:.1f} hours.",
            id="tothemoon.W005",
        )
    if settings.BIRDEYE_API_KEY and _in_the_clear(settings.BIRDEYE_BASE_URL):
        yield Error("BIRDEYE_BASE_URL is http:// to another machine: BIRDEYE_API_KEY would travel in the clear.", id="tothemoon.E001")
    if settings.PUMPPORTAL_API_KEY and _in_the_clear(settings.PUMPPORTAL_WS_URL):
        yield Error("PUMPPORTAL_WS_URL is ws:// to another machine: PUMPPORTAL_API_KEY would travel in the clear.", id="tothemoon.E002")


def _in_the_clear(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"http", "ws"} and not _is_near(parts.hostname or "")


def _is_near(host: str) -> bool:
    """This machine, a private address, or a name that only a private network knows."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host


def site() -> Iterator[CheckMessage]:
    public = [name for name in settings.ALLOWED_HOSTS if name not in LOCAL_NAMES]
    if settings.DEBUG and public:
        yield Error(
            f"DEBUG is on and ALLOWED_HOSTS names {', '.join(public)}: error pages would show settings and code to the public. "
            "Set DEBUG=false.",
            id="tothemoon.E003",
        )
    if settings.DEBUG and _command(sys.argv) in WORKERS and (public or not settings.ON_SQLITE) and not settings.SIMULATED:
        yield Error(
            "DEBUG is on in a worker that runs for weeks: it keeps every query in memory and tells too much in its log. Set DEBUG=false; "
            "with DEBUG a worker runs only in development (DATABASE_URL on SQLite, ALLOWED_HOSTS naming this machine alone).",
            id="tothemoon.E004",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS holds *: anybody could choose the name this site believes it has. Name the hosts.", id="tothemoon.W007"
        )
    insecure = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if settings.SECURE_SSL_REDIRECT and not origin.startswith("https://")]
    if insecure:
        yield Error(f"CSRF_TRUSTED_ORIGINS holds {', '.join(insecure)}: write https:// in front.", id="tothemoon.E005")


def _command(arguments: Sequence[str]) -> str:
    return arguments[1] if len(arguments) > 1 else ""


def words() -> Iterator[CheckMessage]:
    """Words that no typed reader can judge by themselves."""
    odd = [name for name in settings.ALLOWED_HOSTS if not re.fullmatch(r"\*|\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", name)]
    if odd:
        yield Error(f"ALLOWED_HOSTS holds {', '.join(odd)}: write host names alone, without https://, port or path.", id="tothemoon.E009")
    odd = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if not re.fullmatch(r"https?://[A-Za-z0-9_.*-]+(:\d+)?", origin)]
    if odd:
        yield Error(f"CSRF_TRUSTED_ORIGINS holds {', '.join(odd)}: write origins such as https://moon.example.com.", id="tothemoon.E010")
    odd = [address for address in settings.METRICS_ALLOW if not _is_address(address)]
    if odd:
        yield Error(f"METRICS_ALLOW holds {', '.join(odd)}: write IP addresses, separated by commas.", id="tothemoon.E011")
    for name in ("BIRDEYE_API_KEY", "PUMPPORTAL_API_KEY"):
        if not re.fullmatch(r"[!-~]*", getattr(settings, name)):
            yield Error(f"{name} holds blanks or characters that no key has (the value is not shown).", id="tothemoon.E012")
    if settings.REDIS_URL and urlsplit(settings.REDIS_URL).scheme not in {"redis", "rediss", "unix"}:
        yield Error("REDIS_URL: write redis://host:port/0 (the value is not shown).", id="tothemoon.E013")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def machine() -> Iterator[CheckMessage]:
    listener, scheduler = settings.METRICS_PORT_LISTENER, settings.METRICS_PORT_SCHEDULER
    if listener and listener == scheduler:
        yield Error(
            f"METRICS_PORT_LISTENER and METRICS_PORT_SCHEDULER are both {listener}: the second worker could not start.", id="tothemoon.E006"
        )
    if settings.LOG_FILE and not _can_be_written(Path(settings.LOG_FILE)):
        yield Error(f"LOG_FILE ({settings.LOG_FILE}) cannot be written by this user.", id="tothemoon.E007")
    if settings.ON_SQLITE and not _can_be_written(Path(str(settings.DATABASES["default"]["NAME"]))):
        yield Error("DATABASE_URL names an SQLite file that cannot be written by this user.", id="tothemoon.E008")


def _can_be_written(path: Path) -> bool:
    """Whether the file can be opened for appending, or made in the nearest folder that exists; nothing is made here."""
    if path.is_dir():
        return False
    if path.exists():
        return os.access(path, os.W_OK)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    return folder.is_dir() and os.access(folder, os.W_OK)


def machines() -> Iterator[CheckMessage]:
    if not settings.CLUSTER:
        return
    if settings.ON_SQLITE:
        yield Error("CLUSTER is on and DATABASE_URL names SQLite: several machines meet in PostgreSQL.", id="tothemoon.E014")
    if not find_spec("procrastinate"):
        yield Error("CLUSTER is on and its extra is not installed: see docs/outgrow.md.", id="tothemoon.E015")
    if not settings.QUOTAS_URL:
        yield Warning(
            "CLUSTER is on without REDIS_URL: every machine keeps to BIRDEYE_RPS and DEXSCREENER_RPS by itself, so that two of them ask "
            "twice as often. Name a Redis that all of them reach.",
            id="tothemoon.W008",
        )


RULES: tuple[Rule, ...] = (feed, tick, money, site, words, machine, machines)


def across_settings(app_configs: Any = None, **kwargs: Any) -> Iterable[CheckMessage]:
    return [message for rule in RULES for message in rule()]


def refuse_errors() -> None:
    """For starts that run no checks of their own, such as a web server's."""
    errors = [str(message.msg) for message in across_settings() if message.level >= ERROR]
    if errors:
        raise ImproperlyConfigured(" ".join(errors))
