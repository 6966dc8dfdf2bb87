"""The admin's own site: as Unfold's, and whoever has a second factor comes in only with it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from tothemoon.second_factor import Standing, lets_in, standing


class OwnAdminSite(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and lets_in(request)

    def may_set_up(self, request: HttpRequest) -> bool:
        """Staff, except where a factor is in force and this session has not shown it."""
        return bool(super().has_permission(request)) and standing(request) is not Standing.OWED

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Where everybody needs a second factor, whoever has none yet is led to where it is set up, and nowhere else."""
        if request.method == "GET" and self.may_set_up(request) and not self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:second_factor"))
        return super().login(request, extra_context)

    def extra_urls(self) -> list[URLPattern]:
        from tothemoon.second_factor_page import page

        return [path("second-factor/", page, name="second_factor")]
