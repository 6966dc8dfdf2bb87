"""The admin's login, slowed down for those who guess."""

from __future__ import annotations

import contextlib
import logging
from hashlib import sha256
from typing import Any

from django.core.cache import cache
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from tothemoon.security import client_address

WINDOW_SEC = 15 * 60
TRIES = 5  # of one name from one address
TRIES_OF_ADDRESS = 30  # of any names from one address

logger = logging.getLogger(__name__)


class LimitedLogin(AuthenticationForm):
    """At most five tries of a name from an address in 15 minutes, the right password included once they are used up.

    A try is counted before the password is looked at, so that a hundred at once get no further than one after the other.
    The answer is the same for names that exist and names that do not.
    """

    def clean(self) -> dict[str, Any]:
        address = client_address(self.request) if self.request is not None else ""
        mine = _key(str(self.cleaned_data.get("username", "")).casefold(), address)
        everybody = _key("", address)
        if _tried(mine) > TRIES or _tried(everybody) > TRIES_OF_ADDRESS:
            logger.warning("login refused: too many tries", extra={"address": address})
            raise ValidationError("Too many tries. Wait 15 minutes, then try again.", code="too_many_tries")
        cleaned: dict[str, Any] = super().clean()
        cache.delete(mine)
        with contextlib.suppress(ValueError):  # it ran out meanwhile
            cache.decr(everybody)
        return cleaned


def _key(name: str, address: str) -> str:
    return "login-" + sha256(f"{name}\0{address}".encode("utf-8", "backslashreplace")).hexdigest()


def _tried(key: str) -> int:
    cache.add(key, 0, WINDOW_SEC)
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two calls
        cache.set(key, 1, WINDOW_SEC)
        return 1
