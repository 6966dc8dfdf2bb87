"""The evidence, to be read and not to be touched: each row with links along its keys, vectors by the names of their slots."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from learning import keys
from learning.model_admin import ModelVersionAdmin  # noqa: F401  registered by being read
from learning.models import FeatureSchema, FeatureVector, Outcome, Prediction, Signal
from learning.passport import grouped
from learning.templatetags.evidence_words import exact
from tokens.admin_parts import QuestionFilter, ReadOnlyAdmin, figure
from tokens.csv_export import CsvExport
from tokens.models import Token
from tokens.templatetags import figures


def link(row: Any, words: object = None) -> str:
    """To the row's own page in the admin."""
    where = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a class="ttm-link" href="{}">{}</a>', where, words or row)


def named(token: Any) -> str:
    return link(token, figures.tame(token.symbol) or figures.short(token.address))


def _since(hours: float) -> Callable[[QuerySet[Any]], QuerySet[Any]]:
    """By the key, which is in the order of time."""
    return lambda rows: rows.filter(pk__gte=keys.first_of(timezone.now() - timedelta(hours=hours)))


class Lately(QuestionFilter):
    title = "when"
    parameter_name = "when"
    questions = {
        "hour": ("In the last hour", _since(1)),
        "day": ("In the last 24 hours", _since(24)),
        "week": ("In the last 7 days", _since(168)),
    }


class Evidence(CsvExport):
    """Tables of millions: in the order of their key, never counted, searched by a token's whole address or by a key."""

    ordering = ("-pk",)
    sortable_by = ()
    list_filter: ClassVar[Any] = (Lately,)
    search_fields = ("pk",)
    search_help_text = "The whole address of a token, or a key"
    leads_to = "token"

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.replace("\x00", "").strip()[:64]
        if not term:
            return queryset, False
        if term.isascii() and term.isdecimal() and len(term) <= 18:
            return queryset.filter(pk=int(term)), False
        return queryset.filter(**{f"{self.leads_to}__in": Token.objects.filter(address=term).values("pk")}), False


@admin.register(FeatureVector)
class FeatureVectorAdmin(Evidence):
    csv_columns = ("id", "ts", "stored_at", "token__address", "schema_id")
    list_display = ("ts", "of", "stored_after", "version", "known", "size")
    list_select_related = ("token", "schema")
    fields = ("id", "ts", "stored_at", "of", "version", "said", "slots")
    readonly_fields = ("of", "version", "said", "slots")

    @admin.display(description="token")
    def of(self, row: FeatureVector) -> str:
        return named(row.token)

    @admin.display(description="stored after")
    def stored_after(self, row: FeatureVector) -> str:
        return figures.span((row.stored_at - row.ts).total_seconds())

    @admin.display(description="schema")
    def version(self, row: FeatureVector) -> str:
        return link(row.schema)

    @admin.display(description="known")
    def known(self, row: FeatureVector) -> str:
        reasons = row.reasons_array()
        return f"{int((reasons == 0).sum())} of {len(reasons)}"

    @admin.display(description="bytes")
    def size(self, row: FeatureVector) -> int:
        return len(bytes(row.values)) + len(bytes(row.reasons))

    @admin.display(description="made of it")
    def said(self, row: FeatureVector) -> str:
        made = [*row.predictions.select_related("model"), *row.signals.select_related("token")]
        return format_html_join(" · ", "{}", ((link(each),) for each in made)) or "–"

    @admin.display(description="slots")
    def slots(self, row: FeatureVector) -> str:
        return format_html_join(
            "", "<h3>{}</h3><table class='ttm-table'>{}</table>", ((group.name, _lines(group)) for group in grouped(row))
        )


def _lines(group: Any) -> SafeString:
    return format_html_join(
        "",
        "<tr><td><code>{}</code></td><td class='ttm-r'>{}</td><td>{}</td><td class='ttm-old'>{}</td></tr>",
        ((slot.name, exact(slot.value), slot.unit, slot.why or slot.text) for slot in group.slots),
    )


@admin.register(Prediction)
class PredictionAdmin(Evidence):
    leads_to = "vector__token"
    csv_columns = tuple(field.attname for field in Prediction._meta.concrete_fields if field.attname != "raw")
    list_display = (
        "ts",
        "of",
        "by",
        figure("return_15m", figures.percent, "15 m"),
        figure("return_1h", figures.percent, "1 h"),
        figure("return_4h", figures.percent, "4 h"),
        figure("return_12h", figures.percent, "12 h"),
        figure("inference_ms", figures.number, "ms"),
    )
    list_select_related = ("vector__token", "model")
    exclude = ("vector", "model", "raw")
    readonly_fields = ("of", "by", "vector_link", "raw_outputs")

    @admin.display(description="token")
    def of(self, row: Prediction) -> str:
        return named(row.vector.token)

    @admin.display(description="model")
    def by(self, row: Prediction) -> str:
        return link(row.model)

    @admin.display(description="vector")
    def vector_link(self, row: Prediction) -> str:
        return link(row.vector)

    @admin.display(description="raw outputs")
    def raw_outputs(self, row: Prediction) -> str:
        return ", ".join(exact(value) for value in memoryview(bytes(row.raw)).cast("f").tolist()) or "–"


@admin.register(Signal)
class SignalAdmin(Evidence):
    csv_columns = (
        *("id", "ts", "stored_at", "token__address", "token__symbol", "source", "direction", "strength", "confidence", "price", "cost"),
        *("settings_id", "vector_id", "token_score_id", "prediction_id"),
    )
    list_display = (
        "ts",
        "of",
        "source",
        "direction",
        figure("strength", figures.number),
        figure("confidence", figures.number),
        figure("price", figures.money),
        "passport",
    )
    list_select_related = ("token",)
    list_filter: ClassVar[Any] = (Lately, "source", "direction")
    exclude = ("token", "vector", "settings", "token_score", "prediction")
    readonly_fields = ("of", "rests_on", "came", "passport")

    @admin.display(description="token")
    def of(self, row: Signal) -> str:
        return named(row.token)

    @admin.display(description="passport")
    def passport(self, row: Signal) -> str:
        return format_html('<a class="ttm-link" href="{}">passport</a>', reverse("evidence-signal", args=[row.pk]))

    @admin.display(description="rests on")
    def rests_on(self, row: Signal) -> str:
        linked = [row.vector, row.settings, row.token_score, row.prediction]
        return format_html_join(" · ", "{}", ((link(each),) for each in linked if each is not None))

    @admin.display(description="came of it")
    def came(self, row: Signal) -> str:
        return format_html_join(" · ", "{}", ((link(each),) for each in row.outcomes.order_by("pk"))) or "not settled yet"


@admin.register(Outcome)
class OutcomeAdmin(Evidence):
    leads_to = "signal__token"
    csv_columns = tuple(field.attname for field in Outcome._meta.concrete_fields)
    list_display = (
        "settled_at",
        "of",
        "after",
        "state",
        figure("gross", figures.percent, "return"),
        figure("net", figures.percent, "after costs"),
        figure("best", figures.percent),
        figure("worst", figures.percent),
    )
    list_select_related = ("signal__token", "prediction__vector__token")
    list_filter: ClassVar[Any] = (Lately, "horizon_min", "state")
    exclude = ("signal", "prediction")
    readonly_fields = ("of", "came_of")

    @admin.display(description="token")
    def of(self, row: Outcome) -> str:
        return named(row.signal.token if row.signal else row.prediction.vector.token)  # type: ignore[union-attr]

    @admin.display(description="of")
    def came_of(self, row: Outcome) -> str:
        return link(row.signal or row.prediction)

    @admin.display(description="after")
    def after(self, row: Outcome) -> str:
        return figures.span(60 * row.horizon_min)


@admin.register(FeatureSchema)
class FeatureSchemaAdmin(ReadOnlyAdmin):
    list_display = ("version", "created_at", "slots", "hash")
    ordering = ("-version",)
    sortable_by = ()
    fields = ("version", "hash", "created_at", "slots")
    readonly_fields = ("slots",)

    @admin.display(description="slots")
    def slots(self, row: FeatureSchema) -> int:
        return len(row.names)
