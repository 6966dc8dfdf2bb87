"""How a key travels: in one header, or in the address where a service wants it there, and visible to nobody on the way."""

from urllib.parse import urlsplit, urlunsplit

import requests
from requests.auth import AuthBase


class Secret:
    """A key that shows itself to nobody who prints it: not in a log, not among a traceback's variables."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(•••)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def reveal(self) -> str:
        return self._value


class KeyHeader(AuthBase):
    """Puts the key into its header at the last moment, so that no other variable ever holds it."""

    def __init__(self, header: str, key: Secret) -> None:
        self._header, self._key = header, key

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers[self._header] = self._key.reveal()
        return r

    def masked(self, message: str) -> str:
        """`message` of the other side, without our key in case it quotes it."""
        key = self._key.reveal()
        return message.replace(key, "•••") if key else message


class SecretPath(KeyHeader):
    """Puts the path, which is itself the key, into the address at the last moment. Query and host stay as they are."""

    def __init__(self, path: Secret) -> None:
        self._key = path

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        path, _, query = self._key.reveal().partition("?")
        r.url = urlunsplit((*urlsplit(r.url or "")[:2], path, query, ""))
        return r
