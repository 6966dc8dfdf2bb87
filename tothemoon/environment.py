"""Typed readers of the environment. Settings call these and nothing else reads os.environ: a wrong value stops the start
with a sentence that names the variable."""

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()
ASKED: set[str] = set()  # every variable that settings have read: what the demo must not inherit


def read_dotenv(path: Path) -> None:
    if path.is_file():
        _env.read_env(str(path))


def text(name: str, default: str = "") -> str:
    ASKED.add(name)
    return str(_env.str(name, default="")).strip() or secret(name) or default


def secret(name: str) -> str:
    """The value kept in a file rather than in the environment: the file that NAME_FILE names, or systemd's credential NAME."""
    named = os.environ.get(f"{name}_FILE", "").strip()
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "").strip()
    if not named and not folder:
        return ""
    path = Path(named) if named else Path(folder, name)
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError) and not named:
            return ""  # systemd was not given this one
        raise ImproperlyConfigured(f"{name}: its file {path} cannot be read ({type(error).__name__}).") from None


def words(name: str, default: Sequence[str] = ()) -> list[str]:
    return [word.strip() for word in text(name).split(",") if word.strip()] or list(default)


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value == "":
        return default
    raise ImproperlyConfigured(f"{name} is “{value}”: write true or false.")


def number(name: str, default: float, least: float, most: float) -> float:
    raw = text(name)
    if raw == "":
        return default
    try:
        value = float(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is “{raw}”: write a number from {least:g} to {most:g}.") from None
    if not math.isfinite(value) or not least <= value <= most:
        raise ImproperlyConfigured(f"{name} is {raw}: it must lie between {least:g} and {most:g}.")
    return value


def whole(name: str, default: int, least: int, most: int) -> int:
    value = number(name, default, least, most)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} is {value:g}: write a whole number from {least} to {most}.")
    return int(value)


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is “{value}”: choose one of {', '.join(choices)}.")
    return value


def address(name: str, default: str, schemes: Sequence[str]) -> str:
    """An address of an outside service, without a trailing slash; credentials in it are refused, they would end up in logs."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ImproperlyConfigured(f"{name} holds a user name or password: give keys in their own variables.")
    if parts.scheme not in schemes or not parts.hostname:
        raise ImproperlyConfigured(f"{name} is “{value}”: write an address that starts with {' or '.join(s + '://' for s in schemes)}.")
    return value


def folder(name: str, default: Path) -> Path:
    """A folder that is there, or can be made when it is needed; nothing is made here."""
    value = text(name, str(default))
    path = Path(value)
    standing = next((each for each in (path, *path.parents) if os.path.exists(each)), None)  # Path.exists() may raise, this does not
    if standing is None or not standing.is_dir():
        raise ImproperlyConfigured(f"{name} is “{value}”: write a folder; {standing or 'this'} is none.")
    return path


def database(name: str, default: str) -> dict[str, object]:
    # An empty DATABASE_URL= in a .env would give an engine called '' and a crash far from its cause.
    value = text(name, default)
    try:
        with warnings.catch_warnings(action="ignore"):  # the warning would print the password
            config = environ.Env.db_url_config(value)
    except (ValueError, KeyError, ImproperlyConfigured):
        config = {}
    engine = str(config.get("ENGINE", ""))
    if not engine.endswith(("sqlite3", "postgresql")):
        raise ImproperlyConfigured(
            f"{name}: write sqlite:///path/to/file or postgresql://user:password@host:port/name (the value is not shown)."
        )
    return dict(config)


def cache(name: str, default: str) -> dict[str, object]:
    value = text(name, default)
    try:
        return dict(environ.Env.cache_url_config(value))
    except (ValueError, KeyError, ImproperlyConfigured):
        raise ImproperlyConfigured(
            f"{name}: write locmemcache://, dbcache://table or redis://host:port/0 (the value is not shown)."
        ) from None
