"""What the stages have written, to be read and not to be touched: judgements with why, what became of them, back-tests, their reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from tokens.admin_parts import QuestionFilter, ReadOnlyAdmin, figure
from tokens.csv_export import CsvExport
from tokens.templatetags import figures
from trading import told, words
from trading.models import (
    AssetState,
    BacktestRun,
    EquityPoint,
    Judgement,
    LedgerAccount,
    PaperAccount,
    PaperFill,
    PaperOrder,
    PaperPosition,
    SkippedSignal,
)
from trading.names import Gate
from trading.templatetags.trading_words import dollars, price


def asset_link(token: Any) -> str:
    """The public page of the stages about it."""
    name = figures.tame(token.symbol) or figures.short(token.address)
    return format_html('<a href="{}">{}</a>', reverse("trading-asset", args=[token.address]), name)


def judgement_link(pk: int) -> str:
    return format_html('<a href="{}">why</a>', reverse("admin:trading_judgement_change", args=[pk]))


def unmirrored(value: object) -> str:
    """A price of a position or an order: those of a short are stored below zero."""
    known = figures.finite(value)
    return price(None if known is None else abs(known))


class Lately(QuestionFilter):
    title = "when"
    parameter_name = "when"
    questions = {
        "hour": ("In the last hour", lambda rows: rows.filter(ts__gte=timezone.now() - timedelta(hours=1))),
        "day": ("In the last 24 hours", lambda rows: rows.filter(ts__gte=timezone.now() - timedelta(days=1))),
    }


@admin.register(Judgement)
class JudgementAdmin(CsvExport):
    csv_columns = (
        *("key", "ts", "token__address", "token__symbol", "settings_id", "price", "market_state", "scenario", "score", "confidence"),
        *("confidence_is_probability", "recommendation_original", "recommendation", "basis", "gate", "side", "entry", "stop"),
        *("target_1", "target_2", "target_3", "reward_risk", "risk_class"),
    )
    list_display = (
        "ts",
        "asset",
        "said",
        "gate_in_words",
        "scenario",
        "confidence_in_words",
        figure("reward_risk", figures.number),
        "triggers_in_words",
        "revision",
    )
    list_filter = (Lately, "recommendation", "gate", "scenario", "market_state")
    list_select_related = ("token",)
    search_fields = ("token__symbol", "token__address")
    ordering = ("-ts", "-pk")
    sortable_by = ("ts",)
    readonly_fields = ("why",)

    @admin.display(description="asset")
    def asset(self, row: Judgement) -> str:
        return asset_link(row.token)

    @admin.display(description="recommendation")
    def said(self, row: Judgement) -> str:
        return words.word("recommendation", row.recommendation)

    @admin.display(description="gate", empty_value="–")
    def gate_in_words(self, row: Judgement) -> str | None:
        return (
            f"{words.word('gate', row.gate)} ({words.word('recommendation', row.recommendation_original)})"
            if row.gate != Gate.NONE
            else None
        )

    @admin.display(description="confidence")
    def confidence_in_words(self, row: Judgement) -> str:
        kind = "probability" if row.confidence_is_probability else "score"
        return figures.UNKNOWN if row.confidence is None else f"{figures.number(row.confidence)} {kind}"

    @admin.display(description="triggers")
    def triggers_in_words(self, row: Judgement) -> str:
        return ", ".join(words.word("trigger", trigger["name"]) for trigger in row.triggers)

    @admin.display(description="settings")
    def revision(self, row: Judgement) -> str:
        return format_html('<a href="{}">#{}</a>', reverse("admin:scoring_scoringsettings_change", args=[row.settings_id]), row.settings_id)

    @admin.display(description="why")
    def why(self, row: Judgement) -> str:
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((sentence,) for sentence in told.sentences(row))))


class Open(QuestionFilter):
    title = "state"
    parameter_name = "state"
    questions = {
        "open": ("Open", lambda rows: rows.filter(closed_at__isnull=True)),
        "won": ("Won", lambda rows: rows.filter(result__gt=0)),
        "lost": ("Lost", lambda rows: rows.filter(result__lte=0)),
    }


@admin.register(PaperPosition)
class PaperPositionAdmin(CsvExport):
    csv_columns = (
        *("judgement_id", "token__address", "token__symbol", "side", "opened_at", "closed_at", "entry", "quantity", "left", "first_stop"),
        *("stop", "targets", "reached", "invested", "risked", "result", "exit", "judgement__scenario", "judgement__settings_id"),
    )
    list_display = (
        "opened_at",
        "asset",
        "way",
        "closed_at",
        figure("entry", unmirrored),
        figure("invested", figures.money),
        "result_usd",
        "exit",
        "why",
    )
    list_filter = (Open, "exit")
    list_select_related = ("token",)
    search_fields = ("token__symbol", "token__address")
    ordering = ("-opened_at", "-pk")
    sortable_by = ("opened_at", "closed_at")

    @admin.display(description="asset")
    def asset(self, row: PaperPosition) -> str:
        return asset_link(row.token)

    @admin.display(description="side")
    def way(self, row: PaperPosition) -> str:
        return words.way(row.side)

    @admin.display(description="result", empty_value="open")
    def result_usd(self, row: PaperPosition) -> str | None:
        if row.result is None:
            return None
        return format_html('<span class="{}">{}</span>', "ttm-good" if row.result > 0 else "ttm-bad", dollars(row.result))

    @admin.display(description="judgement")
    def why(self, row: PaperPosition) -> str:
        return judgement_link(row.pk)


@admin.register(PaperFill)
class PaperFillAdmin(CsvExport):
    csv_columns = ("position_id", "position__token__address", "time", "deal", "price", "quantity", "usd", "fee", "assumed")
    list_display = (
        "time",
        "asset",
        "deal",
        figure("price", price),
        figure("quantity", figures.count),
        figure("usd", figures.money, "dollars"),
        figure("fee", figures.money),
        "liquidity",
    )
    list_filter = ("deal", "assumed")
    list_select_related = ("position__token",)
    search_fields = ("position__token__symbol", "position__token__address")
    ordering = ("-time", "-pk")
    sortable_by = ("time",)

    @admin.display(description="asset")
    def asset(self, row: PaperFill) -> str:
        return asset_link(row.position.token)

    @admin.display(description="liquidity")
    def liquidity(self, row: PaperFill) -> str:
        return "assumed" if row.assumed else "known"


@admin.register(SkippedSignal)
class SkippedSignalAdmin(CsvExport):
    csv_columns = ("judgement_id", "judgement__token__address", "time", "reason", "judgement__gate")
    list_display = ("time", "asset", "reason", "gate", "why")
    list_filter = ("reason",)
    list_select_related = ("judgement__token",)
    search_fields = ("judgement__token__symbol", "judgement__token__address")
    ordering = ("-time", "-pk")
    sortable_by = ("time",)

    @admin.display(description="asset")
    def asset(self, row: SkippedSignal) -> str:
        return asset_link(row.judgement.token)

    @admin.display(description="gate")
    def gate(self, row: SkippedSignal) -> str:
        return words.word("gate", row.judgement.gate)

    @admin.display(description="judgement")
    def why(self, row: SkippedSignal) -> str:
        return judgement_link(row.pk)


@admin.register(AssetState)
class AssetStateAdmin(CsvExport):
    csv_columns = ("token__address", "token__symbol", "ts", "price", "kept", "refusals", "market_state", "effective_reasons", "alert")
    list_display = ("asset", "ts", "alert", "kept", "market_state", "refused", figure("effective_reasons", figures.number))
    list_filter = ("alert", "kept", "market_state")
    list_select_related = ("token",)
    search_fields = ("token__symbol", "token__address")
    ordering = ("-alert", "-kept", "-ts", "pk")
    sortable_by = ("ts",)

    @admin.display(description="asset")
    def asset(self, row: AssetState) -> str:
        return asset_link(row.token)

    @admin.display(description="left out because", empty_value="–")
    def refused(self, row: AssetState) -> str | None:
        return ", ".join(words.word("refusal", name) for name in row.refusals.split()) or None


@admin.register(PaperAccount)
class PaperAccountAdmin(ReadOnlyAdmin):
    list_display = ("started_at", figure("capital", price), figure("cash", price), "cycles")
    exclude = ("co_firing", "entered", "closed")


@admin.register(PaperOrder)
class PaperOrderAdmin(ReadOnlyAdmin):
    list_display = ("due_at", "asset", "way", figure("quote", unmirrored), figure("stop", unmirrored), "why")
    list_select_related = ("token",)
    ordering = ("due", "pk")
    sortable_by = ()

    @admin.display(description="due")
    def due_at(self, row: PaperOrder) -> datetime:
        return datetime.fromtimestamp(row.due, UTC)

    @admin.display(description="asset")
    def asset(self, row: PaperOrder) -> str:
        return asset_link(row.token)

    @admin.display(description="side")
    def way(self, row: PaperOrder) -> str:
        return words.way(row.side)

    @admin.display(description="judgement")
    def why(self, row: PaperOrder) -> str:
        return judgement_link(row.pk)


@admin.register(EquityPoint)
class EquityPointAdmin(CsvExport):
    csv_columns = ("ts", "equity", "cash", "open_positions")
    list_display = ("ts", figure("equity", price), figure("cash", price), "open_positions")
    list_filter = (Lately,)
    ordering = ("-ts",)
    sortable_by = ("ts",)


@admin.register(LedgerAccount)
class LedgerAccountAdmin(CsvExport):
    csv_columns = ("reason", "ts", "since", "blocked", "followed", "won", "saved", "expectancy", "expectancy_low", "expectancy_high")
    list_display = ("name", "blocked", "followed", "won", "saved_usd", figure("expectancy", figures.signed), "ts")
    ordering = ("-blocked", "reason")
    sortable_by = ("blocked",)

    @admin.display(description="gate or reason")
    def name(self, row: LedgerAccount) -> str:
        return words.of_ledger(row.reason)

    @admin.display(description="saved", empty_value="–")
    def saved_usd(self, row: LedgerAccount) -> str | None:
        return dollars(row.saved) if row.followed else None


@admin.register(BacktestRun)
class BacktestRunAdmin(CsvExport):
    csv_columns = ("started_at", "from_ts", "to_ts", "settings_id", "symbols", "data_hash", "bars", "seconds", "result", "report")
    list_display = ("started_at", "from_ts", "to_ts", "assets", "settings", "trades", "bars", "how_long", "report")
    list_select_related = ("settings",)
    ordering = ("-started_at", "-pk")
    sortable_by = ("started_at",)

    @admin.display(description="assets")
    def assets(self, row: BacktestRun) -> str:
        return figures.count(len(row.symbols))

    @admin.display(description="trades", empty_value="–")
    def trades(self, row: BacktestRun) -> str | None:
        told_of = row.result.get("summary") if isinstance(row.result, dict) else None
        return figures.count(told_of.get("trades")) if isinstance(told_of, dict) else None

    @admin.display(description="took")
    def how_long(self, row: BacktestRun) -> str:
        return f"{row.seconds:.1f} s"
