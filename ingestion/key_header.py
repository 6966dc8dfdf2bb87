"""How a key travels: in one header, or in the address where a service wants it there."""

from urllib.parse import urlsplit, urlunsplit

import requests
from requests.auth import AuthBase

from ingestion.secret import Secret


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
