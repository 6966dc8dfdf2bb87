"""The settings as revisions: a change makes a new one, and nobody's change is lost unseen."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from scoring.alert_channel_admin import AlertChannelAdmin as AlertChannelAdmin  # these three register themselves
from scoring.alert_log_admin import AlertDeliveryAdmin as AlertDeliveryAdmin
from scoring.alert_rule_admin import AlertRuleAdmin as AlertRuleAdmin
from scoring.models import EVERY_RANGE, ScoringSettings, TokenScore
from scoring.numbers_in_forms import PlainFloat as PlainFloat
from scoring.numbers_in_forms import PlainInteger as PlainInteger
from scoring.read_key_admin import ReadKeyAdmin as ReadKeyAdmin  # registers itself
from scoring.revisions import NOT_SETTINGS, Overtaken, written
from scoring.stage_parameters import PARAMETERS
from tokens.admin import RowsOfTokens, number, token_link
from tokens.admin_parts import BoundedPaginator
from tokens.templatetags import figures

SETTINGS = [field.name for field in ScoringSettings._meta.concrete_fields if field.name not in NOT_SETTINGS]
FIELDSETS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "Why",
        {"fields": ("note", "based_on_pk"), "description": "A revision never changes later. Workers use the new one at their next tick."},
    ),
    (
        "Score",
        {
            "fields": (
                "score_model",
                "weight_tx_accel",
                "weight_vol_momentum",
                "weight_holder_growth",
                "weight_orderflow_imbalance",
                "ewma_alpha",
            )
        },
    ),
    ("Becoming Active", {"fields": ("min_tx_count", "activation_tx_margin", "min_active_liquidity", "initial_timeout_hours")}),
    ("Being archived", {"fields": ("min_score_keep_active", "degrade_mode", "degrade_checks", "degrade_window_hours")}),
    ("Polling", {"fields": ("interval_active_sec", "interval_initial_sec", "initial_young_minutes")}),
    ("Age of data", {"fields": ("freshness_limit_sec", "holders_freshness_sec", "retention_hours")}),
    (
        "Ranking for programs",
        {
            "fields": ("export_top_n", "export_min_score", "export_dexes", "export_max_age_sec", "export_protected"),
            "description": "What /api/ranking.json, /api/ranking.toml and the command export_ranking give.",
        },
    ),
)
STAGES = (
    *((title, [row.name for row in PARAMETERS if row.group == title]) for title in dict.fromkeys(row.group for row in PARAMETERS)),
    ("Triggers: exceptions", ["trigger_overrides"]),
)
FIELDSETS = (*FIELDSETS, *((title, {"fields": tuple(names), "classes": ("collapse",)}) for title, names in STAGES))


LABELS = {
    "weight_tx_accel": "Weight of transactions",
    "weight_vol_momentum": "Weight of volume",
    "weight_holder_growth": "Weight of holders",
    "weight_orderflow_imbalance": "Weight of order flow",
    "ewma_alpha": "EWMA alpha (smoothing)",
    "export_top_n": "Tokens at most",
    "export_min_score": "Minimum score",
    "export_dexes": "Allowed DEXes",
    "export_max_age_sec": "Maximum age (seconds)",
    "export_protected": "Read key needed",
}


def difference(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """What changed from one revision to another: name, before, after."""
    return [(name, getattr(old, name), getattr(new, name)) for name in SETTINGS if getattr(old, name) != getattr(new, name)]


def told(changes: list[tuple[str, Any, Any]]) -> SafeString:
    return format_html_join(", ", "{} {} → <strong>{}</strong>", ((name, written(old), written(new)) for name, old, new in changes))


class RevisionForm(forms.ModelForm):  # type: ignore[type-arg]
    note = forms.CharField(
        max_length=300,
        help_text="Why this is changed, in one sentence. It stands in the list of revisions, with your name.",
        error_messages={"required": "Say why: the next person will ask."},
        widget=UnfoldAdminTextInputWidget,
    )
    based_on_pk = forms.IntegerField(widget=forms.HiddenInput, required=False, label="")

    class Meta:
        model = ScoringSettings
        fields = [*SETTINGS, "note"]

    def clean_trigger_overrides(self) -> Any:
        """Nothing written is no exception."""
        return self.cleaned_data["trigger_overrides"] or {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        present = ScoringSettings.objects.filter(active=True).select_related("author").first()
        begun_from = ScoringSettings.objects.filter(pk=cleaned.get("based_on_pk") or 0).first()
        if present is not None and begun_from is not None and present.pk != begun_from.pk:
            self._take_over(begun_from, present)
        return cleaned

    def _take_over(self, begun_from: ScoringSettings, present: ScoringSettings) -> None:
        """Somebody was quicker: show what he changed, keep what was changed here, and let the person save again."""
        posted: Any = self.data
        data = posted.copy()
        rows = []
        for name, before, after in difference(begun_from, present):
            mine = self.cleaned_data.get(name)
            changed_here = name in self.cleaned_data and mine not in (before, after)
            if not changed_here:
                data[self.add_prefix(name)] = json.dumps(after) if isinstance(after, dict) else after
            rows.append((name, before, after, f" (yours: {mine}, kept)" if changed_here else " (taken over)"))
        data[self.add_prefix("based_on_pk")] = present.pk
        self.data = data
        self.add_error(
            None,
            format_html(
                "{} saved revision #{} meanwhile: {}. Nothing of yours is saved yet. Look below, then save again. {}",
                present.author or "Somebody",
                present.pk,
                present.note or "no note",
                format_html_join("; ", "{} {} → {}{}", rows),
            ),
        )


@admin.register(ScoringSettings)
class ScoringSettingsAdmin(ModelAdmin):
    form = RevisionForm
    fieldsets = FIELDSETS  # type: ignore[assignment]
    list_display = ("revision", "in_force", "created_at", "author", "why", "changes")
    empty_value_display = figures.UNKNOWN
    list_display_links = ("revision",)
    list_select_related = ("author", "based_on")
    list_per_page = 50
    list_fullwidth = True
    list_before_template: Any = "admin/scoring/scoringsettings/above_list.html"
    show_add_link = False
    ordering = ("-pk",)
    sortable_by = ()
    actions = None
    paginator = BoundedPaginator
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in EVERY_RANGE:
            whole = db_field.get_internal_type() == "IntegerField"
            kwargs["form_class"] = PlainInteger if whole else PlainFloat
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in EVERY_RANGE and field is not None:
            field.widget.attrs |= {"inputmode": "decimal", "step": "any"}
        if field is not None:
            field.label = LABELS.get(db_field.name, field.label)
        return field

    # The list of revisions

    @admin.display(description="revision")
    def revision(self, row: ScoringSettings) -> str:
        return f"#{row.pk}"

    @admin.display(description="in force")
    def in_force(self, row: ScoringSettings) -> str:
        return format_html('<span class="ttm-badge ttm-active">{}</span>', "in force") if row.active else figures.UNKNOWN

    @admin.display(description="note")
    def why(self, row: ScoringSettings) -> str:
        return format_html('<span class="ttm-diff ttm-note">{}</span>', row.note or figures.UNKNOWN)

    @admin.display(description="changed")
    def changes(self, row: ScoringSettings) -> str:
        if row.based_on is None:
            return "ships with ToTheMoon" if row.preset else "the first"
        found = difference(row.based_on, row)
        return format_html('<span class="ttm-diff">{}</span>', told(found) if found else "nothing")

    # A change is a new revision

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a stored revision is only looked at; see add_view

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The values in force, or those of an earlier revision that is to be used again."""
        present = ScoringSettings.objects.filter(active=True).first()
        wanted = request.GET.get("from", "")
        source = (
            ScoringSettings.objects.filter(pk=int(wanted)).first() if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
        )
        values = {name: getattr(source or present, name) for name in SETTINGS} if source or present else {}
        note = f"Back to #{source.pk}" if source else ""
        return {**values, "based_on_pk": present.pk if present else None, "note": note}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {
            "title": "Change the settings",
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
            **(extra_context or {}),
        }
        try:
            return super().add_view(request, form_url, context)
        except Overtaken:  # between the form's look and the save: look again, now it shows
            return super().add_view(request, form_url, context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in SETTINGS}
        saved = ScoringSettings.objects.revise(
            values, author=request.user, note=form.cleaned_data["note"], based_on=form.cleaned_data.get("based_on_pk")
        )
        obj.pk, obj.active, obj.based_on = saved.pk, True, saved.based_on

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        found = difference(obj.based_on, obj) if obj.based_on else []
        words = told(found) if found else "no value changed"
        self.message_user(
            request, format_html("Revision #{} is in force: {}. Workers use it at their next tick.", obj.pk, words), messages.SUCCESS
        )
        return HttpResponseRedirect(reverse("admin:scoring_scoringsettings_changelist"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        revision = self.get_object(request, object_id)
        context: dict[str, Any] = {"title": f"Revision {revision}"}
        if isinstance(revision, ScoringSettings):
            present = ScoringSettings.objects.filter(active=True).first()
            context |= {
                "against_before": difference(revision.based_on, revision) if revision.based_on else [],
                "against_present": difference(revision, present) if present and present.pk != revision.pk else [],
                "present": present,
                "may_use_again": self.has_add_permission(request) and not revision.active,
            }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})


@admin.register(TokenScore)
class TokenScoreAdmin(RowsOfTokens):
    csv_columns = ("ts", "token__address", "score", "settings", "components")

    list_display = ("ts", "token_column", "score_column", "settings_column")
    list_display_links = ("ts",)

    @admin.display(description="token")
    def token_column(self, row: TokenScore) -> str:
        return token_link(row.token)

    @admin.display(description="score")
    def score_column(self, row: TokenScore) -> str:
        return number(figures.number(row.score))

    @admin.display(description="settings")
    def settings_column(self, row: TokenScore) -> str:
        return f"#{row.settings_id}"
