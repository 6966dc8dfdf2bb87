"""The operator's tables of tokens: what is watched, why it stands where it stands, and the hand that moves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.views import ChangeList

from tokens import cells, page, sparkline
from tokens.admin_parts import QuestionFilter
from tokens.by_hand import MOST_AT_ONCE, VERBS, ByHandForm, carry_out
from tokens.csv_export import CsvExport
from tokens.freshness import age_at
from tokens.models import LIVING, Status, StatusChange, Token, TokenSnapshot
from tokens.questions import NEWEST_FIGURES
from tokens.score_lines import score_lines
from tokens.templatetags import figures

RECENT = 20
FRESH = timedelta(minutes=3)


class Which(QuestionFilter):
    title = "which"
    parameter_name = "which"
    questions = {
        "active": ("Active, the highest score first", lambda rows: rows.filter(status=Status.ACTIVE)),
        "initial": ("Initial", lambda rows: rows.filter(status=Status.INITIAL)),
        "archived": ("Archived", lambda rows: rows.filter(status=Status.ARCHIVED)),
        "held": ("Held by hand", lambda rows: rows.filter(status__in=LIVING, held=True)),
        "held-archived": ("Held in the archive", lambda rows: rows.filter(status=Status.ARCHIVED, held=True)),
        "falling": ("About to be archived", lambda rows: rows.filter(status=Status.ACTIVE, low_checks__gt=0)),
    }


class Trouble(QuestionFilter):
    title = "what is wrong"
    parameter_name = "trouble"
    questions = {
        "no-figures": ("Living, but never seen", lambda rows: rows.filter(status__in=LIVING, last_snapshot_at=None)),
        "stale": (
            "Active, but no figures for 3 minutes",
            lambda rows: rows.filter(status=Status.ACTIVE).filter(
                Q(last_snapshot_at=None) | Q(last_snapshot_at__lt=timezone.now() - FRESH)
            ),
        ),
        "no-score": ("Active, but without a score", lambda rows: rows.filter(status=Status.ACTIVE, last_score_value=None)),
        "failing": ("Polls in a row that brought nothing", lambda rows: rows.filter(status__in=LIVING, poll_failures__gte=3)),
    }


# Only one status has a small table or a fitting index for each of these orders; all others go by the newest token.
ORDERS: dict[str, tuple[Any, ...]] = {
    "active": (F("last_score_value").desc(nulls_last=True), "-pk"),
    "initial": (F("last_score_value").desc(nulls_last=True), "-pk"),
    "archived": ("-status_changed_at", "-pk"),
}


class TokenList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """The newest figures and the score's line for one page of tokens: two queries, whatever the page holds."""
        super().get_results(request)
        tokens = list(self.result_list)
        newest = {token.pk: token for token in Token.objects.filter(pk__in=[token.pk for token in tokens]).with_newest_figures()}
        lines = score_lines(tokens, timezone.now())
        for token in tokens:
            token.seen_as, token.line = newest.get(token.pk, token), lines[token.pk]
        self.result_list = tokens


@admin.register(Token)
class TokenAdmin(CsvExport):
    csv_columns = (
        "address",
        "symbol",
        "name",
        "status",
        "held",
        "last_score_value",
        "last_scored_at",
        *NEWEST_FIGURES,
        "last_snapshot_at",
        "pool_count",
        "created_at",
        "status_changed_at",
        "units_spent",
    )
    list_display = ("who", "standing", "score", "line", "liquidity", "transactions", "fresh", "age", "since")
    list_display_links = ("who",)
    list_filter = (Which, Trouble)
    list_before_template: Any = "admin/tokens/token/above_list.html"
    search_fields = ("address", "symbol", "name")
    search_help_text = "An address or its beginning, a pool's address, a symbol, a name"
    ordering = ("-created_at", "-pk")
    sortable_by = ("who", "age")
    actions = tuple(f"by_hand_{verb}" for verb in VERBS)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return TokenList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        asked = request.GET.get(Which.parameter_name, "")
        names = [("", "All, the newest first"), *((name, words) for name, (words, _) in Which.questions.items())]
        chips = [{"words": words, "link": f"?which={name}" if name else "?", "on": name == asked} for name, words in names]
        context: Any = {"chips": chips, **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        return ORDERS.get(request.GET.get("which", ""), self.ordering)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Token], search_term: str) -> tuple[QuerySet[Token], bool]:
        term = search_term.replace("\x00", "").strip()[:80]
        if not term:
            return queryset, False
        found = Q(symbol__istartswith=term) | Q(name__icontains=term) | Q(address__startswith=term)
        return queryset.filter(found | Q(pk__in=Token.objects.filter(pools__pool_address=term).values("pk"))), False

    # Columns

    @admin.display(description="token", ordering="symbol")
    def who(self, token: Any) -> str:
        symbol, name = figures.tame(token.symbol), figures.tame(token.name)
        return format_html(
            '<span class="ttm-who"><bdi class="ttm-symbol">{}</bdi> <bdi class="ttm-name">{}</bdi>'
            '<span class="ttm-address">{}</span></span>',
            symbol or "?",
            name if name != symbol else "",
            figures.short(token.address),
        )

    @admin.display(description="status")
    def standing(self, token: Any) -> str:
        return standing(token)

    @admin.display(description="score")
    def score(self, token: Any) -> str:
        return number(figures.number(token.last_score_value))

    @admin.display(description="2 h")
    def line(self, token: Any) -> str:
        return drawn(token.line, "Score over two hours")

    @admin.display(description="liquidity")
    def liquidity(self, token: Any) -> str:
        return number(figures.money(getattr(token.seen_as, "liquidity", None)))

    @admin.display(description="tx 5 m")
    def transactions(self, token: Any) -> str:
        return number(figures.count(getattr(token.seen_as, "tx_count_5m", None)))

    @admin.display(description="figures")
    def fresh(self, token: Any) -> str:
        return freshness(token.last_snapshot_at, timezone.now(), token.status != Status.ARCHIVED)

    @admin.display(description="age", ordering="-created_at")
    def age(self, token: Any) -> str:
        return number(figures.age(token.age(timezone.now())))

    @admin.display(description="in status")
    def since(self, token: Any) -> str:
        return number(figures.span((timezone.now() - token.status_changed_at).total_seconds()))

    def csv_rows(self, rows: Any) -> QuerySet[Token]:
        with_figures: QuerySet[Token] = rows.with_newest_figures()
        return with_figures

    # By hand

    def has_by_hand_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tokens.change_token"))

    def get_urls(self) -> list[URLPattern]:
        own = path("by-hand/<slug:verb>/", self.admin_site.admin_view(self.by_hand), name="tokens_token_by_hand")
        return [own, *super().get_urls()]

    def by_hand(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Ask for the reason, then do it: for tokens ticked in the list as for one on its page."""
        if not self.has_by_hand_permission(request):
            raise PermissionDenied
        if verb not in VERBS:
            raise Http404
        pks = [int(pk) for pk in request.GET.get("ids", "").split(",") if pk.isascii() and pk.isdigit() and len(pk) < 19][:MOST_AT_ONCE]
        chosen = list(Token.objects.filter(pk__in=pks).order_by("symbol", "pk"))
        if not chosen:
            self.message_user(request, "These tokens are not there any more.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:tokens_token_changelist"))
        form = ByHandForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._done(request, verb, chosen, form.cleaned_data["reason"])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{VERBS[verb].title} {len(chosen)} tokens" if len(chosen) > 1 else f"{VERBS[verb].title} {chosen[0]}",
            "verb": VERBS[verb],
            "chosen": [(token, standing(token)) for token in chosen],
            "form": form,
            "back": self._page_of(chosen),
        }
        return TemplateResponse(request, "admin/tokens/token/by_hand.html", context)

    def _done(self, request: HttpRequest, verb: str, chosen: list[Token], reason: str) -> HttpResponse:
        changed = carry_out(verb, chosen, reason, request.user.get_username(), timezone.now())
        for token in changed:
            self.log_change(request, token, f"{VERBS[verb].title}: {reason}")
        same = len(chosen) - len(changed)
        words = f"{VERBS[verb].done}: {len(changed)} of {len(chosen)}." + (f" {same} stood so already." if same else "")
        self.message_user(request, words, messages.SUCCESS if changed else messages.WARNING)
        return HttpResponseRedirect(self._page_of(chosen))

    def _page_of(self, chosen: list[Token]) -> str:
        if len(chosen) == 1:
            return reverse("admin:tokens_token_change", args=[chosen[0].pk])
        return reverse("admin:tokens_token_changelist")

    # One token

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        token = self.get_object(request, unquote(object_id))
        if token is None:
            self.message_user(request, "This token is not there (any more).", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:tokens_token_changelist"))
        if not self.has_view_permission(request, token):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": token,
            "title": str(token),
            "may_change": self.has_by_hand_permission(request),
            "verbs": [(name, verb) for name, verb in VERBS.items() if verb.fits(token)],
            **seen(token, timezone.now()),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/tokens/token/page.html", context)


def _action(verb: str) -> Callable[..., HttpResponse | None]:
    @admin.action(description=f"{VERBS[verb].title}…", permissions=["by_hand"])
    def act(self: TokenAdmin, request: HttpRequest, queryset: QuerySet[Token]) -> HttpResponse | None:
        pks = list(queryset.order_by().values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(pks) > MOST_AT_ONCE:
            self.message_user(request, f"At most {MOST_AT_ONCE} tokens at once: choose fewer.", messages.WARNING)
            return None
        where = reverse("admin:tokens_token_by_hand", args=[verb])
        return HttpResponseRedirect(f"{where}?ids={','.join(map(str, pks))}")

    act.__name__ = f"by_hand_{verb}"
    return act


for _verb in VERBS:
    setattr(TokenAdmin, f"by_hand_{_verb}", _action(_verb))


def seen(token: Token, now: datetime) -> dict[str, Any]:
    """All that one page says about one token, in nine queries."""
    snapshots = list(token.snapshots.order_by("-ts")[:RECENT])
    stored = list(_scores(token)[:RECENT])
    newest = stored[0] if stored else None
    pools, pool_total = page.pools_of(token)
    line = score_lines([token], now)[token.pk]
    return {
        "now": now,
        "age": token.age(now),
        "in_status": (now - token.status_changed_at).total_seconds(),
        "standing": standing(token),
        "freshness": freshness(token.last_snapshot_at, now, token.status != Status.ARCHIVED),
        "newest": snapshots[0] if snapshots else None,
        "contradictions": cells.contradictions(snapshots[0].contradictions) if snapshots else "",
        "line": drawn(line, "Score over two hours"),
        "explanation": page.explained(newest, age_at(token, newest.ts if newest else None)),
        "why": cells.why_here(newest.score, newest.components, age_sec=age_at(token, newest.ts)) if newest else "",
        "outlook": page.outlook(token, snapshots[0] if snapshots else None, page.settings_for(newest)),
        "pools": pools,
        "pool_total": pool_total,
        "snapshots": snapshots,
        "stored_scores": [(row, cells.why_here(row.score, row.components, age_sec=age_at(token, row.ts))) for row in stored],
        "changes": list(token.status_changes.order_by("-ts", "-pk")[:50]),
        "explorers": page.explorers(token),
    }


def _scores(token: Any) -> QuerySet[Any]:
    rows: QuerySet[Any] = token.scores.select_related("settings").order_by("-ts")
    return rows


def number(text: str) -> str:
    return format_html('<span class="ttm-n">{}</span>', text)


def standing(token: Token) -> str:
    held = (
        format_html(' <span class="ttm-badge ttm-held" title="{}">held</span>', "Automatic changes leave it alone.") if token.held else ""
    )
    return format_html('<span class="ttm-badge ttm-{}">{}</span>{}', token.status.lower(), token.status, held)


def freshness(moment: datetime | None, now: datetime, matters: bool) -> str:
    """How old figures are; coloured only where being old is wrong."""
    if moment is None:
        return format_html('<span class="ttm-n ttm-old">{}</span>', "none yet")
    late = matters and now - moment > FRESH
    return format_html(
        '<time class="ttm-n{}" datetime="{}" title="{}">{}</time>',
        " ttm-late" if late else "",
        figures.machine(moment),
        figures.day_and_clock(moment),
        figures.age((now - moment).total_seconds()) + " ago",
    )


def drawn(values: list[float | None], label: str) -> str:
    """A sparkline, or a dash where there is nothing to draw yet."""
    curve = sparkline.path(values)
    if not curve:
        return format_html('<span class="ttm-old">{}</span>', "–")
    return format_html(
        '<svg class="ttm-spark ttm-{}" viewBox="0 0 96 22" width="96" height="22" role="img" aria-label="{}"><path d="{}"/></svg>',
        figures.direction(sparkline.trend(values)),
        label,
        curve,
    )


class ByRule(QuestionFilter):
    title = "who did it"
    parameter_name = "who"
    questions = {
        "rules": ("A rule", lambda rows: rows.filter(actor__startswith="rule:")),
        "people": ("A person", lambda rows: rows.exclude(actor__startswith="rule:").exclude(actor="listener")),
        "listener": ("The listener (new tokens)", lambda rows: rows.filter(actor="listener")),
    }


@admin.register(StatusChange)
class StatusChangeAdmin(CsvExport):
    csv_columns = ("ts", "token__address", "token__symbol", "old", "new", "reason", "actor", "evidence")
    list_display = ("ts", "token_link", "step", "reason", "actor")
    list_display_links = ("ts",)
    list_select_related = ("token",)
    list_filter = (ByRule, "new")
    search_fields = ("token__address", "token__symbol")
    search_help_text = "A token's symbol or address"
    ordering = ("-ts", "-pk")
    sortable_by = ("ts",)
    fields = ("token", "ts", "old", "new", "reason", "evidence", "actor")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StatusChange], search_term: str
    ) -> tuple[QuerySet[StatusChange], bool]:
        term = search_term.replace("\x00", "").strip()[:80]
        if not term:
            return queryset, False
        tokens = Token.objects.filter(Q(symbol__iexact=term) | Q(address__startswith=term)).values("pk")
        return queryset.filter(token__in=tokens), False

    @admin.display(description="token")
    def token_link(self, change: StatusChange) -> str:
        return token_link(change.token)

    @admin.display(description="change")
    def step(self, change: StatusChange) -> str:
        if change.old == change.new:
            return format_html('<span class="ttm-badge ttm-{}">{}</span>', change.new.lower(), change.new)
        return format_html('{} → <span class="ttm-badge ttm-{}">{}</span>', change.old or "new", change.new.lower(), change.new)


def token_link(token: Token) -> str:
    where = reverse("admin:tokens_token_change", args=[token.pk])
    return format_html('<a class="ttm-link" href="{}"><bdi>{}</bdi></a>', where, figures.tame(token.symbol) or figures.short(token.address))


class RowsOfTokens(CsvExport):
    """Millions of rows: the newest first, by the primary key, and of one token at a time when asked."""

    list_select_related = ("token",)
    search_fields = ("token__address",)
    search_help_text = "A token's whole address or its symbol"
    ordering = ("-pk",)
    sortable_by = ()

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.replace("\x00", "").strip()[:80]
        if not term:
            return queryset, False
        pks = list(Token.objects.filter(Q(address=term) | Q(symbol=term)).values_list("pk", flat=True)[:50])
        return queryset.filter(token__in=pks), False


@admin.register(TokenSnapshot)
class TokenSnapshotAdmin(RowsOfTokens):
    csv_columns = ("ts", "token__address", *NEWEST_FIGURES)

    list_display = ("ts", "token_link", "source", "money_price", "money_liquidity", "tx_count_5m", "holders", "contradictions")
    list_display_links = ("ts",)

    @admin.display(description="token")
    def token_link(self, row: TokenSnapshot) -> str:
        return token_link(row.token)

    @admin.display(description="price")
    def money_price(self, row: TokenSnapshot) -> str:
        return number(figures.money(row.price))

    @admin.display(description="liquidity")
    def money_liquidity(self, row: TokenSnapshot) -> str:
        return number(figures.money(row.liquidity))
