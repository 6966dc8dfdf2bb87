"""Log lines: `ts level logger msg key=value…`, or one JSON object a line. One event is one line, and no secret is in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import logging.handlers
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from ingestion.secrets_in_use import noted

MASK = "***"
LONGEST_VALUE = 10_000
FILE_BYTES = 10_000_000
FILES_KEPT = 5

request_id: ContextVar[str] = ContextVar("request_id", default="")

# Everything that can start a new line, move the cursor, turn the reading direction or break an encoder.
_DANGEROUS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SENSITIVE = (
    r"[\w.-]{0,40}(?:api[-_]?key|passw(?:or)?d|pwd|secret|authorization|access[-_]?token|auth[-_]?token"
    r"|cookie|session(?:id)?|csrf(?:middlewaretoken)?)"
)
_SENSITIVE_FIELD = re.compile(rf"(?i)^{_SENSITIVE}$")
_SENSITIVE_PAIR = re.compile(
    rf"(?i)(?<!\w)({_SENSITIVE})(\\?[\"']?\s{{0,3}}[:=]\s{{0,3}}\\?[\"']?)((?:bearer|basic)\s+)?([^\s\"'&,;}})\]\\]+)"
)
_CREDENTIALS = re.compile(r"(://[^\s/:@]{0,100}:)[^\s/@]+@")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request", "server_time", "token", "request_id"}


def secret_values() -> tuple[str, ...]:
    """Every secret this process has been configured with, or has taken out of a row and used."""
    database: Mapping[str, Any] = settings.DATABASES["default"]
    values = [
        settings.SECRET_KEY,
        *settings.SECRET_KEY_FALLBACKS,
        settings.BIRDEYE_API_KEY,
        settings.PUMPPORTAL_API_KEY,
        database.get("PASSWORD"),
        (database.get("OPTIONS") or {}).get("password"),
        *(_password_of(address) for address in (settings.REDIS_URL, settings.CACHES["default"].get("LOCATION"))),
        *noted(),
    ]
    return tuple(str(value) for value in values if value and len(str(value)) >= 4)


def _password_of(address: object) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(str(address or "")).password or ""
    return ""


@lru_cache(maxsize=8)
def _any_of(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """Each secret as it is, and as addresses, JSON and repr() would write it; the longest first."""
    spellings: set[str] = set()
    for secret in secrets:
        spellings |= {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    ordered = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def mask(text: str) -> str:
    """The text without any configured secret, and without values that stand behind names such as api-key= or password:."""
    if known := _any_of(secret_values()):
        text = known.sub(MASK, text)
    if len(text) > LONGEST_VALUE:  # cut only now: half a secret is still a secret
        text = text[:LONGEST_VALUE] + "…"
    text = _CREDENTIALS.sub(rf"\1{MASK}@", text)
    return _SENSITIVE_PAIR.sub(lambda found: f"{found[1]}{found[2]}{found[3] or ''}{MASK}", text)


def escape(text: str) -> str:
    """Control characters made visible, so that a value can neither start a line of its own nor colour a terminal."""
    return _DANGEROUS.sub(_visible, text)


def _visible(found: re.Match[str]) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found[0])
    return short or (f"\\x{ord(found[0]):02x}" if ord(found[0]) < 256 else f"\\u{ord(found[0]):04x}")


class Lines(logging.Formatter):
    """What both forms share: the fields of a record, masked and cut."""

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "msg": mask(_message(record)),
            "module": record.module,
        }
        if token := getattr(record, "token", None):
            fields["token"] = mask(str(token))
        if asked := getattr(record, "request_id", None) or request_id.get() or getattr(getattr(record, "request", None), "request_id", ""):
            fields["request_id"] = mask(str(asked))
        for name, value in vars(record).items():
            if name not in _STANDARD:
                fields[mask(name)] = MASK if _SENSITIVE_FIELD.match(name) else self._plain(value)
        if record.exc_info:
            fields["exc"] = mask(self.formatException(record.exc_info))
        if record.stack_info:
            fields["stack"] = mask(record.stack_info)
        return fields

    def _plain(self, value: object) -> Any:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, Mapping):
            return {mask(str(k)): MASK if _SENSITIVE_FIELD.match(str(k)) else self._plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(item) for item in value]
        return mask(value if isinstance(value, str) else str(value))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a wrong placeholder must not send the raw arguments to stderr
        return f"{record.msg} {record.args!r}"


class KeyValue(Lines):
    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        head = f"{fields.pop('ts')} {fields.pop('level')} {fields.pop('logger')} {escape(fields.pop('msg'))}"
        return " ".join([head, *(f"{escape(name)}={_value(value)}" for name, value in fields.items())])


def _value(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[^\s\"'=\\]+", value):
        return escape(value)
    return escape(json.dumps(value, ensure_ascii=False, allow_nan=False))


class JsonLine(Lines):
    def format(self, record: logging.LogRecord) -> str:
        line = json.dumps(self.fields(record), ensure_ascii=False, allow_nan=False)
        return _DANGEROUS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class ErrorStream(logging.StreamHandler[Any]):
    """Standard error. A closed pipe is no reason to fall, and logging's own report would print the raw arguments."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


class SharedFile(logging.handlers.RotatingFileHandler):
    """A rotating file that listener, scheduler and web site write together: whoever finds it full turns it, under a lock,
    and the others notice that it has been turned."""

    _complained = -math.inf

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_for_owner_and_group)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            with self._turn_taken():
                self._follow()
                super().emit(record)
        except OSError:
            self.handleError(record)

    @contextlib.contextmanager
    def _turn_taken(self) -> Iterator[None]:
        lock = os.open(f"{self.baseFilename}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _follow(self) -> None:
        """Reopen the file when another process has turned it."""
        if self.stream is None:
            return
        try:
            same = os.path.sameopenfile(self.stream.fileno(), fd) if (fd := _opened(self.baseFilename)) is not None else False
        finally:
            if fd is not None:
                os.close(fd)
        if not same:
            self.stream.close()
            self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:
        if time.monotonic() - self._complained > 60:
            self._complained = time.monotonic()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"LOG_FILE cannot be written: {type(sys.exc_info()[1]).__name__}\n")


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _for_owner_and_group(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def logging_settings(level: str, form: str, file: str) -> dict[str, Any]:
    """LOGGING for Django: everything goes through the root, in one form, to standard error and, if asked, to a file."""
    handlers: dict[str, Any] = {"stream": {"class": "tothemoon.logs.ErrorStream", "formatter": "line"}}
    if file:
        handlers["file"] = {
            "class": "tothemoon.logs.SharedFile",
            "formatter": "line",
            "filename": file,
            "maxBytes": FILE_BYTES,
            "backupCount": FILES_KEPT,
            "delay": True,
        }
    through_root: dict[str, Any] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": {"kv": KeyValue, "json": JsonLine}[form]}},
        "handlers": handlers,
        "root": {"level": level, "handlers": list(handlers)},
        "loggers": {
            "django": {**through_root, "level": level if level != "DEBUG" else "INFO"},  # its DEBUG prints every query
            "django.server": {**through_root, "level": "WARNING"},
            "gunicorn.error": through_root,
            # A line for every run of every job would drown the rest; a job that fails is told with its traceback.
            "apscheduler": {**through_root, "level": "WARNING"},
            "urllib3": {**through_root, "level": "WARNING"},
            "websocket": {**through_root, "level": "WARNING"},
        },
    }


class RequestId:
    """Every answer names its request, and so does every log line written on the way."""

    VALID = re.compile(r"[A-Za-z0-9._-]{8,64}")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = str(request.META.get("HTTP_X_REQUEST_ID", ""))
        name = given if self.VALID.fullmatch(given) else uuid4().hex
        vars(request)["request_id"] = name  # Django logs 4xx and 5xx when all middleware is done
        before = request_id.set(name)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(before)
        response.headers["X-Request-ID"] = name
        return response
