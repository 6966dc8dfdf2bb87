"""A second factor for people of the admin: the rules. An app on a phone makes a code every 30 seconds (TOTP), ten recovery codes stand in
for a lost phone. In force for a person from the moment when a first code has proved that the phone and we mean the same secret."""

from __future__ import annotations

import re
from enum import Enum

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import get_random_string, salted_hmac
from django_otp import verify_token
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

RECOVERY_CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another on paper; ten of them are 49 random bits
FROM_APP = re.compile(r"[0-9]{6}")


class Standing(Enum):
    """What a session has to do with the second factor of its person."""

    NOT_SET_UP = "the password is all there is"
    OWED = "set up, and this session has not shown it"
    SHOWN = "this session has shown it"


def standing(request: HttpRequest) -> Standing:
    """Asked of the database once a request, so that a factor just set up holds for every older session too."""
    found: Standing | None = getattr(request, "second_factor", None)
    if found is None:
        if getattr(request.user, "otp_device", None) is not None:
            found = Standing.SHOWN
        else:
            found = Standing.OWED if in_force(request.user) else Standing.NOT_SET_UP
        request.second_factor = found  # type: ignore[attr-defined]
    return found


def forget_standing(request: HttpRequest) -> None:
    """After it has changed within a request."""
    vars(request).pop("second_factor", None)


def lets_in(request: HttpRequest) -> bool:
    """Whether the second factor stands in nobody's way: shown, or neither set up nor required."""
    now = standing(request)
    return now is Standing.SHOWN or (now is Standing.NOT_SET_UP and settings.SECOND_FACTOR != "required")


def in_force(user: AbstractBaseUser | object) -> bool:
    return TOTPDevice.objects.filter(user_id=getattr(user, "pk", None), confirmed=True).exists()


def anybody_has_one() -> bool:
    return TOTPDevice.objects.filter(confirmed=True).exists()


def taken(user: User, code: str) -> Device | None:
    """The device whose code this is. Every code is taken once; after a wrong one the device waits 1, 2, 4, 8 … seconds."""
    plain = _plain(code)
    device: Device | None
    if FROM_APP.fullmatch(plain):
        device, token = TOTPDevice.objects.filter(user=user, confirmed=True).first(), plain
    else:
        device, token = StaticDevice.objects.filter(user=user, confirmed=True).first(), fingerprint(plain)
    if device is None:
        return None
    accepted: Device | None = verify_token(user, device.persistent_id, token)
    return accepted


def begun(user: User) -> TOTPDevice | None:
    """A secret shown and not yet proved."""
    return TOTPDevice.objects.filter(user=user, confirmed=False).order_by("-pk").first()


def begin(user: User) -> TOTPDevice:
    """A new secret; one that was shown before and never proved is worth nothing any more."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        device: TOTPDevice = TOTPDevice.objects.create(user=user, name="app", confirmed=False)
        return device


def prove(user: User, code: str) -> tuple[TOTPDevice, list[str]] | None:
    """The device now in force and the recovery codes, which can be read only this once; None for a wrong code."""
    device = begun(user)
    if device is None or not FROM_APP.fullmatch(_plain(code)) or not verify_token(user, device.persistent_id, _plain(code)):
        return None
    with transaction.atomic():
        device.refresh_from_db()
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        codes = new_recovery_codes(user)
        _noted(user, user, "Set up a second factor.")
    return device, codes


def new_recovery_codes(user: User) -> list[str]:
    """Ten codes for once each; those from before are void. Only what proves them is kept, not they themselves."""
    codes = [get_random_string(10, LETTERS) for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        device, _ = StaticDevice.objects.get_or_create(user=user, defaults={"name": "recovery codes"})
        device.token_set.all().delete()
        device.token_set.bulk_create(StaticToken(device=device, token=fingerprint(code)) for code in codes)
    return codes


def recovery_codes_left(user: User) -> int:
    return StaticToken.objects.filter(device__user=user).count()


def take_away(user: User, by: User | None) -> bool:
    """Back to the password alone; whether there was anything to take away."""
    with transaction.atomic():
        _, of_kind = TOTPDevice.objects.filter(user=user, confirmed=True).delete()
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        if of_kind:
            _noted(user, by or user, "Took the second factor away.")
    return bool(of_kind)


def fingerprint(code: str) -> str:
    """What is kept of a recovery code. The code cannot be found from it without the site's SECRET_KEY."""
    return salted_hmac("recovery code", code, algorithm="sha256").hexdigest()[:16]


def _plain(code: str) -> str:
    """As people type it from a screen or from paper."""
    return "".join(code.split()).replace("-", "").lower()


def _noted(user: User, by: User, words: str) -> None:
    LogEntry.objects.log_actions(by.pk, [user], CHANGE, change_message=words, single_object=True)
