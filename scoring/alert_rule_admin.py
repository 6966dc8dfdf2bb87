"""Rules: what is watched, how often it may be told, and beside that what it would have told in the stored hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from ingestion.models import ListeningGap
from scoring import alert_words
from scoring.alert_kinds import KINDS, SYSTEM
from scoring.alert_log_admin import wrapped
from scoring.alert_models import LIMITS, AlertRule
from scoring.alert_rows import AlertDelivery, ScoreHealth
from scoring.alert_trial import Told, judged, over_time, trial
from scoring.numbers_in_forms import PlainFloat, PlainInteger
from scoring.settings_in_force import active_settings
from tokens.admin_parts import BoundedPaginator
from tokens.models import Token

SHOWN = 12
DAY = timedelta(days=1)
State = AlertDelivery.State
WHAT = ("name", "enabled", "kind", "figure", "rising", "level", "band", "old_status", "new_status")
WHICH = ("only_active", "min_liquidity", "min_age_minutes", "max_age_hours")
HOW = ("channels", "cooldown_minutes", "an_hour", "quiet_from", "quiet_to", "quiet_zone", "critical")


@dataclass(frozen=True)
class Past:
    """What the rule would have told: over how many hours, in one sentence, and the last of it."""

    hours: float
    summary: str
    last: Sequence[tuple[datetime, Token | None, Told]]
    trouble: str = ""


def past_of(rule: AlertRule, now: datetime) -> Past:
    """The rule as it stands, over what is stored."""
    if KINDS[rule.kind].about == SYSTEM:
        return _system_past(rule, now)
    from scoring.console import replayed  # which itself needs the admin of the settings

    revision = active_settings()
    stretch, played = replayed(revision, now)
    told = trial(rule, stretch, revision, played)
    return Past(stretch.hours, alert_words.counted([each.verdict for each in told]), _named(told[-SHOWN:][::-1]))


def _system_past(rule: AlertRule, now: datetime) -> Past:
    """From the looks at the scores and from the gaps in listening; what the budget was is stored nowhere."""
    if rule.kind == "health":
        rows = ScoreHealth.objects.filter(ts__gte=now - DAY).order_by("ts").values_list("ts", "suspicious", "odd")
        course = [(ts.timestamp(), float(suspicious)) for ts, suspicious, _ in rows]
        odd = {ts.timestamp(): words for ts, _, words in rows}
        due = [(at, 0, odd[at]) for at in over_time(rule.level_of(), course)]
    elif rule.kind == "feed":
        due = [(at, 0, "The feed of new tokens has been silent.") for at in _silences(rule, now)]
    elif rule.kind == "model":
        return Past(0, "", (), "What earlier looks at the models found is not stored: this rule cannot be tried on the past.")
    else:
        return Past(0, "", (), "How much of the budget was left at an earlier time is not stored: this rule cannot be tried on the past.")
    told = judged(rule, due)
    return Past(24, alert_words.counted([each.verdict for each in told]), _named(told[-SHOWN:][::-1]))


def _silences(rule: AlertRule, now: datetime) -> list[float]:
    """When a gap in listening became as long as the rule allows."""
    gaps = ListeningGap.objects.filter(from_ts__gte=now - DAY).order_by("from_ts").values_list("from_ts", "to_ts")
    limit = timedelta(minutes=rule.level or 0)
    return [(begin + limit).timestamp() for begin, end in gaps if (end or now) - begin >= limit]


def _named(told: Sequence[Told]) -> list[tuple[datetime, Token | None, Told]]:
    names = Token.objects.only("symbol", "address").in_bulk([each.pk for each in told if each.pk])
    return [(datetime.fromtimestamp(each.at, UTC), names.get(each.pk), each) for each in told]


def _shown_when(name: str) -> str:
    """The condition under which the form shows a field: a kind that asks for it is chosen."""
    return " || ".join(f"kind == '{kind.name}'" for kind in KINDS.values() if name in kind.asks) or "false"


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = AlertRule
        fields = (*WHAT, *WHICH, *HOW)


@admin.register(AlertRule)
class AlertRuleAdmin(ModelAdmin):
    form = RuleForm
    fieldsets = (("What", {"fields": WHAT}), ("Which tokens", {"fields": WHICH}), ("How often, and where to", {"fields": HOW}))
    conditional_fields = {name: _shown_when(name) for name in ("figure", "rising", "level", "band", "old_status", "new_status", *WHICH)}
    list_display = ("name", "stands", "in_words", "to", "day")
    list_display_links = ("name",)
    list_fullwidth = True
    ordering = ("name",)
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    actions = None
    compressed_fields = True
    warn_unsaved_form = True

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in LIMITS:
            kwargs["form_class"] = PlainInteger if db_field.get_internal_type() == "IntegerField" else PlainFloat
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in LIMITS and field is not None:
            field.widget.attrs |= {"inputmode": "decimal", "step": "any"}
        return field

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRule]:
        lately = Q(deliveries__made_at__gte=timezone.now() - DAY)
        held = Q(deliveries__state=State.HELD)
        counts = {
            "told": Count("deliveries__uid", filter=lately & ~held, distinct=True),
            "held": Count("deliveries__uid", filter=lately & held, distinct=True),
        }
        rows: QuerySet[AlertRule] = super().get_queryset(request).prefetch_related("channels").annotate(**counts)
        return rows

    @admin.display(description="state")
    def stands(self, row: AlertRule) -> str:
        words = "off" if not row.enabled else "on" if row.learned == row.wording() else "learns at the next tick"
        return format_html('<span class="{}">{}</span>', "ttm-good" if words == "on" else "ttm-old", words)

    @admin.display(description="watches")
    def in_words(self, row: AlertRule) -> str:
        return wrapped(alert_words.described(row))

    @admin.display(description="tells")
    def to(self, row: AlertRule) -> str:
        return ", ".join(channel.name for channel in row.channels.all()) or "only the log"

    @admin.display(description="last 24 h")
    def day(self, row: Any) -> str:
        return f"{row.told} told, {row.held} held back" if row.told or row.held else "nothing"

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        rule = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if isinstance(rule, AlertRule):
            context = {"past": past_of(rule, timezone.now()), "in_words": alert_words.described(rule)}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})
