"""Read keys for programs: made here, shown once, revoked here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from scoring.models import ReadKey
from tokens.admin_parts import BoundedPaginator
from tokens.templatetags import figures


@admin.register(ReadKey)
class ReadKeyAdmin(ModelAdmin):
    list_display = ("name", "start_of_it", "stands", "created_at", "author", "last_used")
    list_display_links = ("name",)
    list_select_related = ("author",)
    list_fullwidth = True
    fields = ("name",)
    ordering = ("-pk",)
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    actions = ("revoke",)

    @admin.display(description="begins with")
    def start_of_it(self, row: ReadKey) -> str:
        return format_html('<span class="ttm-mono">{}…</span>', row.start)

    @admin.display(description="state")
    def stands(self, row: ReadKey) -> str:
        if row.revoked_at is None:
            return format_html('<span class="ttm-good">{}</span>', "holds")
        return format_html('<span class="ttm-old">revoked {}</span>', figures.day_and_clock(row.revoked_at))

    @admin.display(description="last used")
    def last_used(self, row: ReadKey) -> str:
        return figures.span((timezone.now() - row.last_used_at).total_seconds()) + " ago" if row.last_used_at else "never"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a revoked key stays in the list: who had one, and until when

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("scoring.change_readkey"))

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ReadKey]) -> None:
        chosen = list(ReadKey.objects.valid().filter(pk__in=queryset.values("pk")))
        revoked = ReadKey.objects.filter(pk__in=[key.pk for key in chosen]).revoke(timezone.now())
        for key in chosen:
            self.log_change(request, key, "Revoked")
        self.message_user(request, f"Revoked: {revoked}. Programs with these keys are refused from now on.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made, key = ReadKey.objects.make(form.cleaned_data["name"], request.user, timezone.now())
        obj.pk, obj.start, obj.shown_once = made.pk, made.start, key

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """The key itself, on this page and never again: it goes through no cookie, no session and no log."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": f"Read key {obj.name}", "key": obj.shown_once}
        return TemplateResponse(request, "admin/scoring/readkey/shown_once.html", context)
