"""What the workers leave behind about themselves, to be read and not to be touched."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from ingestion.models import ApiUsage, Heartbeat, ListeningGap, QuarantinedFrame, ServiceState, WatchedSymbol
from tokens.admin_parts import BoundedPaginator, QuestionFilter, ReadOnlyAdmin
from tokens.csv_export import CsvExport
from tokens.templatetags import figures


class When(QuestionFilter):
    title = "when"
    parameter_name = "when"
    questions = {
        "open": ("Open now", lambda rows: rows.filter(to_ts=None)),
        "day": ("In the last 24 hours", lambda rows: rows.filter(from_ts__gte=timezone.now() - timedelta(days=1))),
        "week": ("In the last 7 days", lambda rows: rows.filter(from_ts__gte=timezone.now() - timedelta(days=7))),
    }


@admin.register(ListeningGap)
class ListeningGapAdmin(ReadOnlyAdmin):
    list_display = ("from_ts", "to_ts_or_open", "length", "why", "source")
    list_filter = (When,)
    ordering = ("-from_ts", "-pk")
    sortable_by = ("from_ts",)

    @admin.display(description="to")
    def to_ts_or_open(self, gap: ListeningGap) -> str:
        return figures.day_and_clock(gap.to_ts) if gap.to_ts else format_html('<span class="ttm-bad">{}</span>', "still open")

    @admin.display(description="length")
    def length(self, gap: ListeningGap) -> str:
        return figures.span(((gap.to_ts or timezone.now()) - gap.from_ts).total_seconds())


@admin.register(QuarantinedFrame)
class QuarantinedFrameAdmin(ReadOnlyAdmin):
    list_display = ("ts", "reason", "size", "beginning", "source")
    ordering = ("-ts", "-pk")
    sortable_by = ("ts",)
    fields = ("ts", "source", "reason", "size", "whole")
    readonly_fields = ("whole",)

    @admin.display(description="beginning")
    def beginning(self, frame: QuarantinedFrame) -> str:
        return format_html('<span class="ttm-mono ttm-clip">{}</span>', figures.tame(frame.payload[:120]))

    @admin.display(description="payload", empty_value="empty")
    def whole(self, frame: QuarantinedFrame) -> str:
        return format_html('<div class="ttm-payload">{}</div>', frame.payload)


class ServiceFilter(admin.SimpleListFilter):
    title = "service"
    parameter_name = "service"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        return [("birdeye", "Birdeye"), ("dexscreener", "DexScreener"), ("pumpportal", "PumpPortal"), ("binance", "Binance")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(service=self.value()) if self.value() else queryset


@admin.register(ApiUsage)
class ApiUsageAdmin(CsvExport):
    csv_columns = (
        "day",
        "service",
        "endpoint",
        "calls",
        "units",
        "tokens",
        "cache_hits",
        "malformed",
        "temporary",
        "permanent",
        "throttled",
        "latency_ms_sum",
        "latency_ms_max",
    )
    list_display = ("day", "service", "endpoint", "calls", "units", "per_token", "cache_hits", "errors", "throttled", "mean_ms", "max_ms")
    list_filter = (ServiceFilter,)
    ordering = ("-day", "service", "endpoint")
    sortable_by = ("day",)

    @admin.display(description="units a token")
    def per_token(self, row: ApiUsage) -> str:
        return figures.number(row.units / row.tokens) if row.tokens and row.units else figures.UNKNOWN

    @admin.display(description="errors")
    def errors(self, row: ApiUsage) -> str:
        total = row.malformed + row.temporary + row.permanent
        parts = f"{row.malformed} malformed, {row.temporary} temporary, {row.permanent} permanent"
        return format_html('<span class="{}" title="{}">{}</span>', "ttm-bad" if total else "ttm-old", parts, total)

    @admin.display(description="mean")
    def mean_ms(self, row: ApiUsage) -> str:
        return f"{row.latency_ms_sum / row.calls:.0f} ms" if row.calls else figures.UNKNOWN

    @admin.display(description="longest")
    def max_ms(self, row: ApiUsage) -> str:
        return f"{row.latency_ms_max:.0f} ms"


@admin.register(ServiceState)
class ServiceStateAdmin(ReadOnlyAdmin):
    list_display = ("service", "use", "how_it_stands", "sentence", "since", "until")
    ordering = ("service", "endpoint")
    sortable_by = ("service",)

    @admin.display(description="use", ordering="endpoint")
    def use(self, state: ServiceState) -> str:
        return state.endpoint or "the whole service"

    @admin.display(description="state")
    def how_it_stands(self, state: ServiceState) -> str:
        good = state.state == ServiceState.State.OK
        return format_html('<span class="{}">{}</span>', "ttm-good" if good else "ttm-bad", state.get_state_display())


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("component", "how_old", "since", "says")
    ordering = ("component",)
    sortable_by = ("component",)
    fields = ("component", "ts", "started_at", "whole")
    readonly_fields = ("whole",)

    @admin.display(description="last sign")
    def how_old(self, beat: Heartbeat) -> str:
        return figures.span((timezone.now() - beat.ts).total_seconds()) + " ago"

    @admin.display(description="running since")
    def since(self, beat: Heartbeat) -> str:
        return figures.day_and_clock(beat.started_at) if beat.started_at else figures.UNKNOWN

    @admin.display(description="says")
    def says(self, beat: Heartbeat) -> str:
        words = ", ".join(f"{name} {value}" for name, value in beat.detail.items()) if isinstance(beat.detail, dict) else str(beat.detail)
        return format_html('<span class="ttm-clip" title="{}">{}</span>', words, words)

    @admin.display(description="detail")
    def whole(self, beat: Heartbeat) -> str:
        return format_html('<div class="ttm-payload">{}</div>', json.dumps(beat.detail, indent=1, ensure_ascii=False))


@admin.register(WatchedSymbol)
class WatchedSymbolAdmin(ModelAdmin):
    """The watch-list. A symbol is added or switched off here; its figures are Binance's. None is deleted: its history stays readable."""

    list_display = ("symbol", "watched", "says", "price_of_day", "volume", "book", "contracts", "filled_from", "figures_at")
    list_editable = ("watched",)
    list_filter = ("watched",)
    search_fields = ("symbol",)
    ordering = ("symbol",)
    sortable_by = ("symbol",)
    paginator = BoundedPaginator
    show_full_result_count = False
    readonly_fields = ("says", "tick_size", "volume", "price_of_day", "book", "contracts", "filled_from", "figures_at", "added_at")

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        return (*self.readonly_fields, *(("symbol",) if obj is not None else ()))

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    @admin.display(description="state")
    def says(self, symbol: WatchedSymbol) -> str:
        if symbol.obstacle:
            return format_html('<span class="ttm-bad">{}</span>', symbol.obstacle)
        if not symbol.watched:
            return "not watched"
        return "watched" if symbol.filled_from else "filling back: its first bars come with the next tick"

    @admin.display(description="24 h", empty_value="–")
    def price_of_day(self, symbol: WatchedSymbol) -> str | None:
        return figures.percent(symbol.change_24h) if symbol.change_24h is not None else None

    @admin.display(description="volume 24 h", empty_value="–")
    def volume(self, symbol: WatchedSymbol) -> str | None:
        return figures.money(symbol.volume_24h) if symbol.volume_24h is not None else None

    @admin.display(description="depth ±2 %", empty_value="–")
    def book(self, symbol: WatchedSymbol) -> str | None:
        return figures.money(symbol.depth) if symbol.depth is not None else None

    @admin.display(description="open interest", empty_value="–")
    def contracts(self, symbol: WatchedSymbol) -> str | None:
        return figures.money(symbol.open_interest) if symbol.open_interest is not None else None
