"""The registry of models in the admin: what each learnt and how it did, to be read; who speaks and who goes, by hand and with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminTextInputWidget

from learning import model_file, model_watch, registry
from learning.models import SERVING, ModelVersion, Role
from learning.registry import NotNow
from learning.training.plan import HEADS
from tokens.admin_parts import ReadOnlyAdmin
from tokens.templatetags import figures

NO_EXTRA = "No model predicts: scikit-learn and skops are not installed (the extra ml, requirements-ml.lock)."
SHOWN = 12  # importances


@dataclass(frozen=True)
class Verb:
    title: str
    effect: str
    fits: Callable[[ModelVersion], bool]
    act: Callable[[int, str], ModelVersion]


VERBS = {
    "promote": Verb(
        "Promote",
        "Its predictions become signals from the next mark on. The champion before it goes on as a challenger.",
        lambda row: row.role == Role.CHALLENGER and row.stopped_at is None,
        lambda pk, why: registry.promote(pk),
    ),
    "retire": Verb(
        "Retire",
        "It is asked no more, for good, and its place is free. What it said stays.",
        lambda row: row.role in SERVING,
        lambda pk, why: registry.retire(pk, why, timezone.now()),
    ),
    "resume": Verb(
        "Resume",
        "It is asked again from the next mark on, as what it was. If the reason still holds, it is stopped again.",
        lambda row: row.role in SERVING and row.stopped_at is not None,
        lambda pk, why: registry.resume(pk),
    ),
}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=registry.LONGEST_WHY,
        strip=True,
        help_text="One sentence. It stands in the model's history, with your name.",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "placeholder": "Why? The next person will ask."}),
        error_messages={"required": "Give a reason: the next person will ask for it."},
    )


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "standing", "horizons_in_words", "trained_to", "made_at", "ahead", "stopped_why")
    list_filter = ("role",)
    list_select_related = ("schema",)
    ordering = ("-made_at", "-pk")
    sortable_by = ("made_at", "trained_to")
    fields = (
        *("standing", "by_hand", "troubles", "horizons_in_words", "trained_from", "trained_to", "made_at", "schema", "file", "file_hash"),
        *("stopped_at", "stopped_why", "examined", "leans_on", "now", "drift", "plan"),
    )
    readonly_fields = ("standing", "by_hand", "troubles", "horizons_in_words", "examined", "leans_on", "now", "drift", "plan")

    def get_urls(self) -> list[URLPattern]:
        own = path("<int:pk>/by-hand/<slug:verb>/", self.admin_site.admin_view(self.decide), name="learning_modelversion_by_hand")
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not model_file.installed():
            self.message_user(request, NO_EXTRA, messages.WARNING)
        elif not registry.in_service().exists():
            self.message_user(request, "No model is in service: train one with train_model.", messages.INFO)
        found: TemplateResponse = super().changelist_view(request, extra_context)
        return found

    # By hand

    def may_decide(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("learning.change_modelversion"))

    def decide(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Ask for the reason, then do it."""
        if not self.may_decide(request):
            raise PermissionDenied
        if verb not in VERBS:
            raise Http404
        row = get_object_or_404(ModelVersion, pk=pk)
        back = reverse("admin:learning_modelversion_change", args=[pk])
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._done(request, row, verb, form.cleaned_data["reason"], back)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": f"{VERBS[verb].title} {row}", "row": row}
        return TemplateResponse(
            request,
            "admin/learning/model_by_hand.html",
            {**context, "verb": VERBS[verb], "form": form, "back": back, "how": _standing(row)},
        )

    def _done(self, request: HttpRequest, row: ModelVersion, verb: str, reason: str, back: str) -> HttpResponse:
        try:
            changed = VERBS[verb].act(row.pk, reason)
        except NotNow as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.log_change(request, changed, f"{VERBS[verb].title}: {reason}")
            self.message_user(request, f"{VERBS[verb].title}: {changed} is {_standing(changed)} now.", messages.SUCCESS)
        return HttpResponseRedirect(back)

    # What it says of itself

    @admin.display(description="standing")
    def standing(self, row: ModelVersion) -> str:
        return _standing(row)

    @admin.display(description="by hand")
    def by_hand(self, row: ModelVersion) -> str:
        links = (
            (reverse("admin:learning_modelversion_by_hand", args=[row.pk, name]), verb.title)
            for name, verb in VERBS.items()
            if verb.fits(row)
        )
        return format_html_join(" ", '<a class="ttm-button" href="{}">{}…</a>', links) or "Nothing: it is out of service for good."

    @admin.display(description="horizons")
    def horizons_in_words(self, row: ModelVersion) -> str:
        return ", ".join(_span(minutes) for minutes in row.horizons) or "–"

    @admin.display(description="log loss less the baseline's")
    def ahead(self, row: ModelVersion) -> str:
        """The hardest one's, by horizon; the interval stands on the row's own page."""
        told = [(minutes, _hardest(found)[1]) for minutes, found in row.metrics.items() if "direction" in found]
        return ", ".join(f"{_span(minutes)} {against['value']:+.3f}" for minutes, against in told if against) or "not examined"

    @admin.display(description="examination")
    def examined(self, row: ModelVersion) -> str:
        lines = [
            (
                _span(minutes),
                "passed" if found.get("passed", {}).get("direction") else found.get("why_not", "not examined"),
                figures.count(found.get("rows")),
                found.get("windows", "–"),
                _interval(found.get("direction", {}).get("loss", {}).get("model")),
                _interval(_hardest(found)[1]),
                _interval(found.get("rank_correlation")),
                _interval(found.get("net_of_the_best")),
                ", ".join(head for head in HEADS if found.get("passed", {}).get(head)) or "none",
            )
            for minutes, found in row.metrics.items()
        ]
        head = "horizon, verdict, rows, windows, log loss, less the hardest baseline's, rank correlation, net of the best tenth, heads kept"
        by_figure = list(zip(head.split(", "), *lines, strict=True))  # a column a horizon: there are four at most
        return _table([str(each) for each in by_figure[0]], by_figure[1:]) if lines else _table([], [])

    @admin.display(description="leans on (permutation)")
    def leans_on(self, row: ModelVersion) -> str:
        lines = [
            (_span(minutes), each["name"], _interval(each))
            for minutes, found in row.importances.items()
            for each in found[:SHOWN]
            if each["low"] > 0
        ]
        return _table(["horizon", "feature", "log loss without it"], lines)

    @admin.display(description="troubles")
    def troubles(self, row: ModelVersion) -> str:
        if row.role in SERVING and not model_file.installed():
            return NO_EXTRA
        return " ".join(_last(row).get("troubles", [])) or "None at the last look."

    @admin.display(description="since it was made")
    def now(self, row: ModelVersion) -> str:
        lines = [
            (
                _span(each["horizon"]),
                each["baseline"],
                figures.count(each["rows"]),
                each["blocks"],
                _interval(each["difference"]),
                each["looks"],
            )
            for each in _last(row).get("standing", [])
        ]
        return _table(["horizon", "baseline", "outcomes", "spans of time", "log loss less the baseline's", "looks worse in a row"], lines)

    @admin.display(description="drift lately")
    def drift(self, row: ModelVersion) -> str:
        lines = [
            (each["group"], f"{each['index']:.3f}", f"{each['worst_slot']} {each['worst']:.3f}", figures.count(each["rows"]), _much(each))
            for each in _last(row).get("drift", [])
        ]
        return _table(["group", "index of the middle slot", "most", "vectors", ""], lines)

    @admin.display(description="settings of the training")
    def plan(self, row: ModelVersion) -> str:
        return ", ".join(f"{name} {value}" for name, value in row.settings.items())


def _standing(row: ModelVersion) -> str:
    stopped = ", stopped" if row.stopped_at and row.role in SERVING else ""
    place = f" at place {row.place}" if row.role in SERVING else ""
    return f"{row.get_role_display()}{place}{stopped}"


def _last(row: ModelVersion) -> Mapping[str, Any]:
    return next((told for told in model_watch.last_look().get("models", []) if told.get("pk") == row.pk), {})


def _much(each: Mapping[str, Any]) -> str:
    return "drifted" if each["much"] else ""


def _span(minutes: Any) -> str:
    return f"{minutes} min" if int(minutes) < 60 else f"{int(minutes) // 60} h"


def _hardest(found: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    name = str(found.get("hardest", ""))
    return name, found.get("direction", {}).get("against", {}).get(name)


def _interval(told: Mapping[str, Any] | None) -> str:
    """0.0123 (0.0101 … 0.0145); a dash where it is not known."""
    if not told or told.get("value") is None:
        return "–"
    if told.get("low") is None:
        return f"{told['value']:.4f}"
    return f"{told['value']:.4f} ({told['low']:.4f} … {told['high']:.4f})"


def _table(head: list[str], lines: list[tuple[Any, ...]]) -> str:
    if not lines:
        return "–"
    cells = format_html_join("", "<th>{}</th>", ((each,) for each in head))
    rows = format_html_join("", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((cell,) for cell in line)),) for line in lines))
    return format_html(
        '<div class="ttm-scroll"><table class="ttm-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>', cells, rows
    )
