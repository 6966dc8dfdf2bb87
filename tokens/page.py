"""The page of one token: why it stands where it stands, and what would change that. Reads few rows, hands out ready-made values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from tokens import cells, chart, then_and_now
from tokens.freshness import USUAL_FRESHNESS_SEC, age_at
from tokens.models import Chain, Pool, PoolSnapshot, Status, Token
from tokens.moved import Moved, adding_up, between
from tokens.retold import retold
from tokens.templatetags import figures

RECENT_MIN = 15
MOST_POOLS = 50
MOST_POOLS_READ = 500
MOST_CHANGES = 50


def context(token: Any, now: datetime) -> dict[str, Any]:
    """All that the page of a token prints; ten queries, whatever the token."""
    stored, snapshot = newest_score(token), newest_snapshot(token)
    explanation = explained(stored, age_at(token, token.last_scored_at))
    pools, pool_total = pools_of(token)
    limit = stored.settings.freshness_limit_sec if stored else USUAL_FRESHNESS_SEC
    fresh = snapshot is not None and (now - snapshot.ts).total_seconds() <= limit
    return {
        "token": token,
        "now": now,
        "symbol": figures.tame(token.symbol) or figures.short(token.address),
        "name": figures.tame(token.name),
        "snapshot": snapshot,
        "source": cells.source_of(snapshot.source) if snapshot else "",
        "flags": cells.contradictions(snapshot.contradictions) if snapshot else "",
        "fresh": fresh,
        "explanation": explanation,
        "why": cells.why_here(
            token.last_score_value, stored.components if stored else None, not fresh, age_at(token, token.last_scored_at)
        ),
        "moved": moved(token, explanation),
        "then_and_now": then_and_now.table(token, snapshot, stored.score if stored else None),
        "pools": pools,
        "pool_total": pool_total,
        "explorers": explorers(token),
        "changes": [(change, retold(change)) for change in token.status_changes.order_by("-ts", "-pk")[:MOST_CHANGES]],
        "outlook": outlook(token, snapshot, settings_for(stored)),
        "ranges": [*((seconds, _("%d h") % (seconds // 3600)) for seconds in chart.RANGES_SEC), ("all", _("All"))],
        "age": token.age(now),
        "in_status": (now - token.status_changed_at).total_seconds(),
    }


@dataclass(frozen=True)
class ScorePart:
    """One metric's way into the score: raw → (part →) smoothed → weight → contribution."""

    metric: str
    title: str
    raw: float | None
    part: float | None  # what a model smooths in place of the raw value
    smoothed: float | None
    weight: float | None
    share: float | None  # of the weights that count
    contribution: float | None
    state: str
    reason: str
    inputs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Explanation:
    """A stored score taken apart. The contributions add up to it."""

    score: float | None
    ts: datetime
    settings: Any
    parts: Sequence[ScorePart]
    factors: Sequence[tuple[str, float]]

    @property
    def counted(self) -> list[ScorePart]:
        return [part for part in self.parts if part.contribution is not None]

    @property
    def shown(self) -> list[tuple[ScorePart, str]]:
        """Every part with its contribution as the page writes it: rounded so that what is shown adds up to the score that is shown."""
        texts = iter(adding_up([part.contribution or 0.0 for part in self.counted], self.score or 0.0))
        return [(part, figures.UNKNOWN if part.contribution is None else next(texts)) for part in self.parts]

    @property
    def sum(self) -> str:
        """0.418 transactions + 0.361 volume − 0.020 order flow."""
        terms = [(part.title.lower(), text) for part, text in self.shown if part.contribution is not None]
        signed = [
            (figures.MINUS if text.startswith(figures.MINUS) else "+", text.removeprefix(figures.MINUS), title) for title, text in terms
        ]
        return " ".join(f"{sign} {text} {title}" for sign, text, title in signed).removeprefix("+ ") or _("nothing that counts")

    @property
    def has_own_parts(self) -> bool:
        return any(part.part is not None for part in self.parts)

    @property
    def note(self) -> str:
        """What was done for the metrics that do not count."""
        missing = [part.title.lower() for part in self.parts if part.contribution is None]
        if not missing or not self.counted:
            return ""
        return _("%(metrics)s left out, the other weights scaled up to fill the place") % {"metrics": cells.listed(missing)}


def newest_score(token: Any) -> Any:
    return token.scores.select_related("settings").order_by("-ts").first()


def explained(stored: Any, age_sec: float | None = None) -> Explanation | None:
    """The parts of a stored score (a row of token.scores). `age_sec`: how old its token was then."""
    if stored is None:
        return None
    components: Mapping[str, Any] = stored.components or {}
    known = cells.parts(components)
    together = sum(part.weight or 0.0 for part in known.values() if part.counted)
    doubt = cells.hour_not_full(age_sec)
    rows = [_score_part(known[metric], components.get(metric), together, doubt) for metric in cells.METRICS]
    factors = [(str(name).replace("_", " "), value) for name, value in (components.get("factors") or {}).items()]
    return Explanation(stored.score, stored.ts, stored.settings, rows, factors)


def _score_part(part: cells.Part, stored: Any, together: float, doubt: str) -> ScorePart:
    details = stored if isinstance(stored, Mapping) else {}
    inputs = details.get("inputs")
    last_value = figures.finite(details.get("age_sec"))
    reason = cells.reason_of(part.state) if part.state in cells.REASONS else ""
    if doubt and part.counted and part.metric in cells.PACES:
        reason = f"{reason}; {doubt}" if reason else doubt
    if last_value and not part.counted:
        reason = _("%(reason)s; its last value is %(age)s older") % {"reason": reason, "age": figures.span(last_value)}
    return ScorePart(
        metric=part.metric,
        title=_(cells.TITLES[part.metric]),
        raw=part.raw,
        part=figures.finite(details.get("part")),
        smoothed=part.smoothed,
        weight=part.weight,
        share=(part.weight or 0.0) / together if part.counted and together else None,
        contribution=figures.finite(details.get("contribution")) if part.counted else None,
        state=part.state or "not_scored",
        reason=reason,
        inputs=[_input(part, name, value) for name, value in _in_order(inputs)] if isinstance(inputs, Mapping) else [],
    )


INPUT_NAMES = {
    "tx_count_5m": gettext_noop("5 m"),
    "tx_count_1h": gettext_noop("1 h"),
    "volume_5m": gettext_noop("5 m"),
    "volume_1h": gettext_noop("1 h"),
    "holders": gettext_noop("now"),
    "holders_before": gettext_noop("before"),
    "minutes_between": gettext_noop("minutes between"),
    "reading_age_sec": gettext_noop("read before the score"),
    "buys": gettext_noop("bought"),
    "sells": gettext_noop("sold"),
}


def _in_order(inputs: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """As a sentence would name them: PostgreSQL keeps the keys of a document in an order of its own."""
    places = {name: place for place, name in enumerate(INPUT_NAMES)}
    return sorted(((str(name), value) for name, value in inputs.items()), key=lambda named: places.get(named[0], len(places)))


def _input(part: cells.Part, name: str, value: Any) -> tuple[str, str]:
    """An input as a person reads it, by what its name says it is."""
    label = _(INPUT_NAMES[name]) if name in INPUT_NAMES else name.replace("_", " ")
    if value is None:
        return label, figures.UNKNOWN
    if name.endswith("_sec"):
        return label, figures.span(value)
    if isinstance(value, str):
        return label, figures.tame(value)[:40]
    in_dollars = name.startswith("volume") or (name in {"buys", "sells"} and part.state != "estimated")
    return label, figures.money(value) if in_dollars else figures.count(value)


def moved(token: Any, newest: Explanation | None) -> Moved | None:
    """Against the score of a quarter of an hour before, or the oldest one after it; None when there is nothing to compare with."""
    if newest is None or newest.score is None:
        return None
    since = newest.ts - timedelta(minutes=RECENT_MIN)
    stored = token.scores.select_related("settings").filter(ts__gte=since, ts__lt=newest.ts, score__isnull=False).order_by("ts").first()
    before = explained(stored)
    return between(before, newest) if before is not None else None


def newest_snapshot(token: Any) -> Any:
    return token.snapshots.order_by("-ts").first()


@dataclass(frozen=True)
class PoolRow:
    pool: Any
    newest: Any  # its newest snapshot, or None
    link: str


def pools_of(token: Any) -> tuple[list[PoolRow], int]:
    """Its pools with their newest figures, the deepest first, and how many there are; two queries."""
    newest = PoolSnapshot.objects.filter(pool=OuterRef("pk")).order_by("-ts").values("pk")[:1]
    pools = list(Pool.objects.filter(token=token).annotate(newest_pk=Subquery(newest)).order_by("-last_seen")[:MOST_POOLS_READ])
    seen = PoolSnapshot.objects.in_bulk([pool.newest_pk for pool in pools if pool.newest_pk])
    on_solana = token.chain == Chain.SOLANA
    rows = [
        PoolRow(pool, seen.get(pool.newest_pk), f"https://dexscreener.com/solana/{quote(pool.pool_address, safe='')}" if on_solana else "")
        for pool in pools
    ]
    rows.sort(key=lambda row: -(row.newest.liquidity or 0.0) if row.newest else 1.0)
    return rows[:MOST_POOLS], len(rows)


def explorers(token: Any) -> list[tuple[str, str]]:
    """Where else this token can be looked at. Only Solana's explorers know it."""
    if token.chain != Chain.SOLANA:
        return []
    mint = quote(token.address, safe="")
    return [
        ("DexScreener", f"https://dexscreener.com/solana/{mint}"),
        ("Birdeye", f"https://birdeye.so/token/{mint}?chain=solana"),
        ("Solscan", f"https://solscan.io/token/{mint}"),
    ]


def settings_for(newest: Any) -> Any:
    """The revision its newest score was made with; for a token without a score, the one used last for any token."""
    if newest is not None:
        return newest.settings
    last = Token.objects.filter(scores__isnull=False).order_by("-scores__pk").first()
    return newest_score(last).settings if last is not None else None


def outlook(token: Any, snapshot: Any, settings: Any) -> list[str]:
    """What would change its status, in sentences with the thresholds and where the token stands now."""
    if token.held:
        return [_("An operator holds this token by hand: no rule changes its status until it is released.")]
    if token.status == Status.ARCHIVED:
        return [_("An archived token is not watched any more. Only an operator’s hand brings it back.")]
    if settings is None:
        return [_("No settings are known yet: nothing has been scored.")]
    return _out_of_initial(token, snapshot, settings) if token.status == Status.INITIAL else _out_of_active(token, snapshot, settings)


def _out_of_initial(token: Any, snapshot: Any, settings: Any) -> list[str]:
    enter = settings.min_tx_count + settings.activation_tx_margin
    liquidity, transactions = (snapshot.liquidity, snapshot.tx_count_5m) if snapshot else (None, None)
    becomes = _(
        "Becomes Active with at least one pool and either liquidity of %(least_liquidity)s (now %(liquidity)s) or %(least_transactions)s "
        "transactions in 5 minutes (now %(transactions)s)."
    )
    ends = _("Is archived when it has not become Active within %(limit)s of observed time; observed so far: %(observed)s.")
    return [
        becomes
        % {
            "least_liquidity": figures.money(settings.min_active_liquidity),
            "liquidity": figures.money(liquidity),
            "least_transactions": enter,
            "transactions": figures.count(transactions),
        },
        ends % {"limit": figures.span(settings.initial_timeout_hours * 3600), "observed": figures.span(token.observed_sec)},
    ]


def _out_of_active(token: Any, snapshot: Any, settings: Any) -> list[str]:
    ends = ngettext(
        "Is archived after %(checks)s low check in a row within %(window)s.",
        "Is archived after %(checks)s low checks in a row within %(window)s.",
        settings.degrade_checks,
    )
    low = (
        _(
            "A check is low with fewer than %(least_transactions)s transactions in 5 minutes (now %(transactions)s) and a score below "
            "%(least_score)s (now %(score)s)."
        )
        if settings.degrade_mode == "both"
        else _(
            "A check is low with fewer than %(least_transactions)s transactions in 5 minutes (now %(transactions)s) or a score below "
            "%(least_score)s (now %(score)s)."
        )
    )
    said = ends % {"checks": settings.degrade_checks, "window": figures.span(settings.degrade_window_hours * 3600)}
    figures_now = {
        "least_transactions": settings.min_tx_count,
        "transactions": figures.count(snapshot.tx_count_5m if snapshot else None),
        "least_score": figures.number(settings.min_score_keep_active),
        "score": figures.number(token.last_score_value),
    }
    return [f"{said} {low % figures_now}", _last_checks(token, settings)]


def _last_checks(token: Any, settings: Any) -> str:
    if token.low_checks:
        said = _("Low checks in a row now: %(checks)s of %(most)s, since %(since)s UTC.")
        return said % {"checks": token.low_checks, "most": settings.degrade_checks, "since": figures.clock(token.low_since)}
    return _("The last check was good.") if token.last_check_at else _("It has not been checked in this status yet.")
