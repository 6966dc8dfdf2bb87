"""The admin's login, slowed down for those who guess."""

from __future__ import annotations

import contextlib
import logging
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from tothemoon import second_factor
from tothemoon.security import client_address

WINDOW_SEC = 15 * 60
TRIES = 5  # of one name from one address
TRIES_OF_ADDRESS = 30  # of any names from one address
TOO_MANY = "Too many tries. Wait 15 minutes, then try again."

logger = logging.getLogger(__name__)


class LimitedLogin(AuthenticationForm):
    """At most five tries of a name from an address in 15 minutes, the right password included once they are used up.

    A try is counted before the password is looked at, so that a hundred at once get no further than one after the other.
    The answer is the same for names that exist and names that do not, and the same whether password or code was wrong.
    """

    code = forms.CharField(
        label="Code of your second factor",
        help_text="Six digits of the app, or a recovery code. Leave it empty if you have set up none.",
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not second_factor.anybody_has_one():
            del self.fields["code"]

    def clean(self) -> dict[str, Any]:
        name = str(self.cleaned_data.get("username", ""))
        if not counted(self.request, name):
            raise ValidationError(TOO_MANY, code="too_many_tries")
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        if user is not None:
            self._ask_for_the_second(user, str(cleaned.get("code", "")))
        forgiven(self.request, name)
        return cleaned

    def _ask_for_the_second(self, user: User, code: str) -> None:
        if second_factor.in_force(user):
            device = second_factor.taken(user, code)
            if device is None:
                logger.warning("login refused: the password was right, the second factor was not", extra={"user": user.pk})
                raise self.get_invalid_login_error()
            user.otp_device = device  # type: ignore[attr-defined]  # kept in the session by django_otp when the login is made

    def get_invalid_login_error(self) -> ValidationError:
        if "code" not in self.fields:
            return super().get_invalid_login_error()
        return ValidationError(
            "Please enter the correct username and password for a staff account, and, if you have set up a second factor, "
            "a code that was not used before. Capital letters may matter.",
            code="invalid_login",
        )


def counted(request: HttpRequest | None, name: str) -> bool:
    """Counts a try of a name; False when it is one too many."""
    address = client_address(request) if request is not None else ""
    if _tried(_key(name.casefold(), address)) > TRIES or _tried(_key("", address)) > TRIES_OF_ADDRESS:
        logger.warning("login refused: too many tries", extra={"address": address})
        return False
    return True


def forgiven(request: HttpRequest | None, name: str) -> None:
    """What somebody tried before he was right counts no longer."""
    address = client_address(request) if request is not None else ""
    cache.delete(_key(name.casefold(), address))
    with contextlib.suppress(ValueError):  # it ran out meanwhile
        cache.decr(_key("", address))


def _key(name: str, address: str) -> str:
    return "login-" + sha256(f"{name}\0{address}".encode("utf-8", "backslashreplace")).hexdigest()


def _tried(key: str) -> int:
    cache.add(key, 0, WINDOW_SEC)
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two calls
        cache.set(key, 1, WINDOW_SEC)
        return 1
