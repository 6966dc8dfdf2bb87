"""Channels: made here, tried out here. A secret goes in and never comes out again; of what is stored the last four characters are shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminPasswordWidget

from scoring.alert_delivery import send_test
from scoring.alert_models import SECRETS, AlertChannel
from scoring.alert_rows import AlertDelivery
from scoring.templatetags.alert_words import state_badge
from tokens.admin_parts import BoundedPaginator
from tokens.templatetags import figures

LAST_SHOWN = 5
SHOWN_OF_A_SECRET = 4


def ending(secret: str) -> str:
    """“…abcd” of a secret that is long enough to lose four characters."""
    return f"…{secret[-SHOWN_OF_A_SECRET:]}" if len(secret) >= 4 * SHOWN_OF_A_SECRET else "…"


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    """Secrets are only ever written: the page never holds one, and a blank field keeps what is stored."""

    class Meta:
        model = AlertChannel
        fields = ("name", "kind", "enabled", "chat_id", *SECRETS)
        widgets = {name: UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}) for name in SECRETS}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = {name: getattr(self.instance, name) for name in SECRETS}
        for name, stored in self._stored.items():
            if stored and name in self.fields:
                self.initial[name] = ""
                self.fields[name].help_text = f"Stored, ends in {ending(stored)}. Leave blank to keep it. {self.fields[name].help_text}"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        return cleaned | {name: (cleaned.get(name) or "").strip() or stored for name, stored in self._stored.items()}


@admin.register(AlertChannel)
class AlertChannelAdmin(ModelAdmin):
    form = ChannelForm
    list_display = ("name", "kind", "goes_to", "stands", "last_time")
    list_display_links = ("name",)
    list_fullwidth = True
    ordering = ("name",)
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    actions = None
    compressed_fields = True
    warn_unsaved_form = True
    conditional_fields = {
        "chat_id": "kind == 'telegram'",
        "bot_token": "kind == 'telegram'",
        "webhook_url": "kind == 'discord' || kind == 'webhook'",
        "signing_secret": "kind == 'webhook'",
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertChannel]:
        newest = AlertDelivery.objects.filter(channel=OuterRef("pk"), ended_at__isnull=False).order_by("-pk")
        last = {name: Subquery(newest.values(name)[:1]) for name in ("state", "outcome", "ended_at")}
        rows: QuerySet[AlertChannel] = super().get_queryset(request).annotate(**{f"last_{name}": value for name, value in last.items()})
        return rows

    @admin.display(description="goes to")
    def goes_to(self, row: AlertChannel) -> str:
        return f"chat {row.chat_id}" if row.kind == AlertChannel.Kind.TELEGRAM else f"an address ending in {ending(row.webhook_url)}"

    @admin.display(description="state")
    def stands(self, row: AlertChannel) -> str:
        return format_html('<span class="{}">{}</span>', "ttm-good" if row.enabled else "ttm-old", "on" if row.enabled else "off")

    @admin.display(description="last time")
    def last_time(self, row: Any) -> str:
        if row.last_ended_at is None:
            return "nothing sent yet"
        ago = figures.span((timezone.now() - row.last_ended_at).total_seconds())
        return format_html(
            '<span class="ttm-diff">{} <span class="ttm-old">{} ago</span> {}</span>', state_badge(row.last_state), ago, row.last_outcome
        )

    # The test button

    def get_urls(self) -> list[URLPattern]:
        own = path("<int:pk>/test/", self.admin_site.admin_view(self.test), name="scoring_alertchannel_test")
        return [own, *super().get_urls()]

    def test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Sends one message now and says what came back; some seconds at most."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        channel = AlertChannel.objects.filter(pk=pk).first()
        if channel is None:
            self.message_user(request, "This channel is not there any more.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:scoring_alertchannel_changelist"))
        row = send_test(channel, timezone.now())
        took = (row.ended_at - row.made_at).total_seconds() if row.ended_at else 0.0
        fine = row.state == AlertDelivery.State.SENT
        words = f"The test was sent in {took:.1f} s. {row.outcome}" if fine else f"The test did not arrive. {row.outcome}"
        self.message_user(request, words, messages.SUCCESS if fine else messages.ERROR)
        return HttpResponseRedirect(reverse("admin:scoring_alertchannel_change", args=[pk]))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        number = int(object_id) if object_id.isascii() and object_id.isdigit() and len(object_id) < 19 else 0
        recent = list(AlertDelivery.objects.filter(channel=number).select_related("token").order_by("-pk")[:LAST_SHOWN])
        context = {"recent": recent, "may_test": self.has_change_permission(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.author = request.user
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """To its own page, where the test button is."""
        self.message_user(request, f"{obj} is stored. Now try it out: press “Send a test”.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:scoring_alertchannel_change", args=[obj.pk]))
