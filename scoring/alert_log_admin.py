"""The log of alerts: what was due, why, where it went, and what came of it."""

from __future__ import annotations

import json
from datetime import timedelta

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html

from scoring.alert_rows import AlertDelivery, ScoreHealth
from scoring.templatetags.alert_words import state_badge
from tokens.admin import RowsOfTokens, token_link
from tokens.admin_parts import QuestionFilter, ReadOnlyAdmin
from tokens.templatetags import figures

State = AlertDelivery.State


def wrapped(sentence: str) -> str:
    """A sentence that may take more than one line of its cell."""
    return format_html('<span class="ttm-diff">{}</span>', sentence or figures.UNKNOWN)


class What(QuestionFilter):
    title = "what became of it"
    parameter_name = "state"
    questions = {
        "sent": ("Sent", lambda rows: rows.filter(state=State.SENT)),
        "waiting": ("Still to be sent", lambda rows: rows.filter(state__in=(State.WAITING, State.SENDING))),
        "gave-up": ("Given up", lambda rows: rows.filter(state=State.GAVE_UP)),
        "held": ("Held back", lambda rows: rows.filter(state=State.HELD)),
        "quiet": ("Withheld in quiet hours", lambda rows: rows.filter(state=State.HELD, outcome="quiet hours")),
        "test": ("Tests", lambda rows: rows.filter(test=True)),
    }


class When(QuestionFilter):
    title = "when"
    parameter_name = "when"
    questions = {
        name: (words, lambda rows, hours=hours: rows.filter(made_at__gte=timezone.now() - timedelta(hours=hours)))
        for name, words, hours in (("hour", "In the last hour", 1), ("day", "In the last day", 24), ("week", "In the last week", 168))
    }


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(RowsOfTokens):
    csv_columns = (
        "made_at",
        "rule_name",
        "token__address",
        "sentence",
        "numbers",
        "channel_name",
        "state",
        "outcome",
        "attempts",
        "ended_at",
        "uid",
    )
    list_display = ("made_at", "rule_name", "about", "what", "channel_name", "became", "came_back", "attempts")
    list_display_links = ("made_at",)
    list_filter = (What, When, ("rule", admin.RelatedOnlyFieldListFilter), ("channel", admin.RelatedOnlyFieldListFilter))
    fields = (
        "made_at",
        "rule_name",
        "about",
        "sentence",
        "why",
        "channel_name",
        "became",
        "outcome",
        "attempts",
        "due_at",
        "ended_at",
        "uid",
    )
    readonly_fields = fields
    list_select_related = ("token",)

    @admin.display(description="about")
    def about(self, row: AlertDelivery) -> str:
        return token_link(row.token) if row.token else "a test" if row.test else "the system"

    @admin.display(description="what")
    def what(self, row: AlertDelivery) -> str:
        return wrapped(row.sentence)

    @admin.display(description="what came back")
    def came_back(self, row: AlertDelivery) -> str:
        return wrapped(row.outcome)

    @admin.display(description="became")
    def became(self, row: AlertDelivery) -> str:
        return state_badge(row.state)

    @admin.display(description="why")
    def why(self, row: AlertDelivery) -> str:
        return format_html('<pre class="ttm-payload">{}</pre>', json.dumps(row.numbers, indent=2, ensure_ascii=False))


@admin.register(ScoreHealth)
class ScoreHealthAdmin(ReadOnlyAdmin):
    list_display = ("ts", "state", "tokens", "scored", "middle", "width", "same", "what")
    list_display_links = ("ts",)
    ordering = ("-ts",)
    sortable_by = ()

    @admin.display(description="state")
    def state(self, row: ScoreHealth) -> str:
        words = "suspicious" if row.suspicious else "odd once" if row.odd else "ok"
        return format_html('<span class="{}">{}</span>', "ttm-bad" if row.suspicious else "ttm-warning" if row.odd else "ttm-good", words)

    @admin.display(description="what is odd")
    def what(self, row: ScoreHealth) -> str:
        return wrapped(row.odd)

    @admin.display(description="median")
    def middle(self, row: ScoreHealth) -> str:
        return figures.number(row.median)

    @admin.display(description="spread")
    def width(self, row: ScoreHealth) -> str:
        return figures.number(row.spread)

    @admin.display(description="identical")
    def same(self, row: ScoreHealth) -> str:
        return figures.share(row.identical)
