"""The page on which people of the admin set up their second factor, make new recovery codes, or take it away again."""

from __future__ import annotations

from base64 import b32encode
from typing import Any

import django_otp
import segno
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from tothemoon import second_factor
from tothemoon.login import TOO_MANY, counted, forgiven

WRONG_CODE = "That code is not right, too old, or was used before. Wait for the next one."


def person(request: HttpRequest) -> User:
    return User.objects.get(username=request.user.get_username())


class OwnForm(forms.Form):
    """What somebody at an unlocked screen does not have. Tries are counted together with those of the login."""

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(*args)
        self.request, self.user = request, person(request)

    def clean(self) -> dict[str, Any]:
        if not counted(self.request, self.user.get_username()):
            raise ValidationError(TOO_MANY, code="too_many_tries")
        self.look()
        forgiven(self.request, self.user.get_username())
        return self.cleaned_data

    def look(self) -> None:
        raise NotImplementedError


class PasswordForm(OwnForm):
    password = forms.CharField(
        label="Your password",
        strip=False,
        max_length=4096,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )

    def look(self) -> None:
        if not self.user.check_password(self.cleaned_data.get("password", "")):
            raise ValidationError("That is not your password.", code="wrong")


class FirstCodeForm(OwnForm):
    code = forms.CharField(
        label="The six digits that the app shows now",
        max_length=16,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    device: TOTPDevice
    recovery_codes: list[str]

    def look(self) -> None:
        proved = second_factor.prove(self.user, self.cleaned_data.get("code", ""))
        if proved is None:
            raise ValidationError(WRONG_CODE, code="wrong")
        self.device, self.recovery_codes = proved


class CodeForm(OwnForm):
    code = forms.CharField(
        label="A code of the app, or a recovery code",
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code"}),
    )

    def look(self) -> None:
        if second_factor.taken(self.user, self.cleaned_data.get("code", "")) is None:
            raise ValidationError(WRONG_CODE, code="wrong")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """One page, three states: nothing set up, a secret to be proved, in force."""
    if not admin.site.may_set_up(request):  # type: ignore[attr-defined]
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    act = {"begin": _begin, "prove": _prove, "codes": _codes, "off": _off}.get(request.POST.get("do", ""))
    return act(request) if request.method == "POST" and act else _shown(request)


def _begin(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request, request.POST)
    if second_factor.in_force(request.user) or not form.is_valid():
        return _shown(request, form)
    second_factor.begin(form.user)
    return _again()


def _prove(request: HttpRequest) -> HttpResponse:
    form = FirstCodeForm(request, request.POST)
    if not form.is_valid():
        return _shown(request, form)
    django_otp.login(request, form.device)
    request.session.cycle_key()
    second_factor.forget_standing(request)
    return _shown(request, recovery_codes=form.recovery_codes)


def _codes(request: HttpRequest) -> HttpResponse:
    form = CodeForm(request, request.POST)
    if not form.is_valid():
        return _shown(request, form)
    return _shown(request, recovery_codes=second_factor.new_recovery_codes(form.user))


def _off(request: HttpRequest) -> HttpResponse:
    form = CodeForm(request, request.POST)
    if not form.is_valid():
        return _shown(request, form)
    second_factor.take_away(form.user, by=form.user)
    messages.success(request, "The second factor is taken away: the password alone opens the admin again.")
    return _again()


def _again() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:second_factor"))


def _shown(request: HttpRequest, form: OwnForm | None = None, recovery_codes: list[str] | None = None) -> HttpResponse:
    user = person(request)
    set_up = second_factor.in_force(user)
    device = None if set_up else second_factor.begun(user)
    usual: type[OwnForm] = CodeForm if set_up else FirstCodeForm if device else PasswordForm
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Second factor",
        "form": form if isinstance(form, usual) else usual(request),
        "set_up": set_up,
        "required": settings.SECOND_FACTOR == "required",
        "recovery_codes": [f"{code[:5]} {code[5:]}" for code in recovery_codes or []],
        "left": second_factor.recovery_codes_left(user) if set_up else 0,
        **(_secret(device) if device else {}),
    }
    return TemplateResponse(request, "admin/second_factor.html", context)


def _secret(device: TOTPDevice) -> dict[str, Any]:
    """The secret as a picture, as a link for the phone itself, and as letters to be typed."""
    secret = b32encode(device.bin_key).decode()
    picture = segno.make(device.config_url, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff", omitsize=False)
    return {
        "device": device,
        "picture": mark_safe(picture),  # noqa: S308 (drawn here, of squares; the secret and the name are not in it as text)
        "link": device.config_url,
        "letters": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    }
