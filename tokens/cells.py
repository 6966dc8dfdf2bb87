"""The four metrics as a person reads them: a value, its direction, its state, and where both come from. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop

from tokens.one_language import gettext as _
from tokens.templatetags import figures

METRICS = ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")
TITLES = {
    "tx_accel": gettext_noop("Transactions"),
    "vol_momentum": gettext_noop("Volume"),
    "holder_growth": gettext_noop("Holders"),
    "orderflow_imbalance": gettext_noop("Order flow"),
}
SHORT = {
    "tx_accel": gettext_noop("Tx 5 m"),
    "vol_momentum": gettext_noop("Vol 5 m"),
    "holder_growth": gettext_noop("Holders"),
    "orderflow_imbalance": gettext_noop("Flow"),
}
COLUMNS = {"tx_accel": "tx", "vol_momentum": "volume", "holder_growth": "holders", "orderflow_imbalance": "flow"}
REASONS = {
    "estimated": gettext_noop("estimated from the counts of buys and sells: their volumes are not known"),
    "no_activity": gettext_noop("nothing was traded in the hour, so there is no pace to compare with"),
    "no_history": gettext_noop("no figure from an hour ago to compare with yet"),
    "stale": gettext_noop("the newest figure is too old to count"),
    "capped": gettext_noop("the windows contradict each other: the value was cut at its limit"),
    "error": gettext_noop("it could not be computed from these figures"),
    "": gettext_noop("not scored yet"),
}
COUNTED = {"ok", "estimated", "capped"}
PACES = {"tx_accel", "vol_momentum"}  # five minutes held against their hour
HOUR_SEC = 3600.0
HARDLY_BEGUN_SEC = 600.0  # up to here most of what the hour holds lies in its last five minutes
SOURCES = {
    "birdeye": "Birdeye",
    "pools": gettext_noop("the sum over its pools (DexScreener)"),
    "pools+birdeye": gettext_noop("the sum over its pools (DexScreener); holders and flow from Birdeye"),
    "binance": "Binance",
}
CONTRADICTIONS = {
    "trades_without_volume": gettext_noop("trades without volume"),
    "volume_without_trades": gettext_noop("volume without trades"),
    "dust_price": gettext_noop("a price that rests on dust"),
    "window_5m_over_1h": gettext_noop("more in 5 minutes than in the hour"),
    "price_jump": gettext_noop("a jump of the price"),
}


@dataclass(frozen=True)
class Part:
    """One metric of a stored score. A metric that did not count has a state that says why, and no raw value."""

    metric: str
    state: str = ""
    raw: float | None = None
    smoothed: float | None = None
    weight: float | None = None

    @property
    def counted(self) -> bool:
        return self.state in COUNTED

    @property
    def lean(self) -> float:
        """How far it stands from its neutral value, in the units of the metric: 1 is neutral for the two paces, 0 for the others."""
        if self.raw is None or not self.counted:
            return 0.0
        return self.raw - (1.0 if self.metric in PACES else 0.0)


@dataclass(frozen=True)
class Cell:
    column: str
    label: str
    text: str
    change: str
    way: float
    state: str
    why: str


def parts(components: Mapping[str, Any] | None) -> dict[str, Part]:
    """The four metrics of a stored score; every one is there, whatever the row holds."""
    return {metric: _part(metric, (components or {}).get(metric)) for metric in METRICS}


def _part(metric: str, stored: Any) -> Part:
    if not isinstance(stored, Mapping):
        return Part(metric)
    state = str(stored.get("state") or "")
    raw, smoothed, weight = (figures.finite(stored.get(name)) for name in ("raw", "smoothed", "weight"))
    return Part(metric, state if state in REASONS or state == "ok" else "error", raw, smoothed, weight)


def hour_not_full(age_sec: float | None, past: bool = False) -> str:
    """What must be said beside every pace of a token younger than an hour; empty for others, and where the age is unknown.

    Its five minutes and its hour hold nearly the same trades: whatever happens, it stands far above the pace of its hour.
    """
    if age_sec is None or age_sec >= HOUR_SEC:
        return ""
    if age_sec < HARDLY_BEGUN_SEC:
        said = (
            _("it was %(age)s old: its hour had hardly begun, so the pace says little")
            if past
            else _("it is %(age)s old: its hour has hardly begun, so the pace says little")
        )
    else:
        said = (
            _("it was %(age)s old: its hour was not full yet, so the pace looks faster than it is")
            if past
            else _("it is %(age)s old: its hour is not full yet, so the pace looks faster than it is")
        )
    return said % {"age": figures.span(age_sec)}


def metric_cells(seen: Any, components: Mapping[str, Any] | None, age_sec: float | None = None) -> list[Cell]:
    """One cell a metric, in the order of METRICS. `seen` has the fields of a token snapshot, None for unknown; `age_sec` is how old the
    token was when it was taken."""
    return cells_of(seen, parts(components), age_sec)


def cells_of(seen: Any, known: Mapping[str, Part], age_sec: float | None = None) -> list[Cell]:
    """The same for a score that has been taken apart already."""
    writers = (_transactions, _volume, _holders, _flow)
    doubt = hour_not_full(age_sec)
    return [write(seen, known[metric], doubt if metric in PACES else "") for metric, write in zip(METRICS, writers, strict=True)]


def _cell(part: Part, written: str, change: str, way: float, basis: str, doubt: str = "") -> Cell:
    column, label = COLUMNS[part.metric], _(SHORT[part.metric])
    if not part.counted or part.raw is None:
        why = _("No direction: %(reason)s") % {"reason": reason_of(part.state)}
        return Cell(column, label, written, figures.UNKNOWN, 0.0, part.state, _sentence(basis, why))
    note = reason_of(part.state) if part.state in {"estimated", "capped"} else ""
    return Cell(column, label, written, change, _way(change, way), part.state, _sentence(basis, note, doubt))


def reason_of(state: str) -> str:
    """Why a metric does not count, or what there is to know about one that does."""
    return _(REASONS.get(state, REASONS[""]))


def _way(change: str, way: float) -> float:
    """What is written as 0 % has no arrow."""
    return 0.0 if change == "0 %" else way


def _sentence(*pieces: str) -> str:
    return ". ".join(piece[0].upper() + piece[1:] for piece in pieces if piece) + "."


def _transactions(seen: Any, part: Part, doubt: str) -> Cell:
    said = (
        _("%(now)s transactions in 5 minutes, %(hour)s in the hour: %(pace)s × the hourly pace")
        if _has_value(part)
        else _("%(now)s transactions in 5 minutes, %(hour)s in the hour")
    )
    basis = said % {"now": figures.count(seen.tx_count_5m), "hour": figures.count(seen.tx_count_1h), "pace": figures.number(part.raw)}
    return _cell(part, figures.count(seen.tx_count_5m), figures.percent(part.lean), part.lean, basis, doubt)


def _volume(seen: Any, part: Part, doubt: str) -> Cell:
    said = (
        _("%(now)s in 5 minutes, %(hour)s in the hour: %(pace)s × the hourly pace")
        if _has_value(part)
        else _("%(now)s in 5 minutes, %(hour)s in the hour")
    )
    basis = said % {"now": figures.money(seen.volume_5m), "hour": figures.money(seen.volume_1h), "pace": figures.number(part.raw)}
    return _cell(part, figures.money(seen.volume_5m), figures.percent(part.lean), part.lean, basis, doubt)


def _has_value(part: Part) -> bool:
    return part.counted and part.raw is not None


def _holders(seen: Any, part: Part, _doubt: str) -> Cell:
    growth = math.expm1(min(part.raw, 50.0)) if part.raw is not None else 0.0
    if seen.holders is None:
        said = (
            _("the number of holders is not known, %(growth)s in the hour") if _has_value(part) else _("the number of holders is not known")
        )
    else:
        said = _("%(holders)s holders, %(growth)s in the hour") if _has_value(part) else _("%(holders)s holders")
    basis = said % {"holders": figures.count(seen.holders), "growth": figures.percent(growth)}
    return _cell(part, figures.count(seen.holders), figures.percent(growth), growth, basis)


def _flow(seen: Any, part: Part, _doubt: str) -> Cell:
    imbalance = part.raw or 0.0
    if seen.buys_volume_5m is not None and seen.sells_volume_5m is not None:
        net = seen.buys_volume_5m - seen.sells_volume_5m
        written = ("+" if net > 0 else "") + figures.money(net)
        bought, sold = figures.money(seen.buys_volume_5m), figures.money(seen.sells_volume_5m)
        basis = _("bought for %(bought)s, sold for %(sold)s in 5 minutes") % {"bought": bought, "sold": sold}
    elif seen.buys_5m is not None and seen.sells_5m is not None:
        net = seen.buys_5m - seen.sells_5m
        written = ("+" if net > 0 else "") + figures.count(net)
        counts = {"buys": figures.count(seen.buys_5m), "sells": figures.count(seen.sells_5m)}
        basis = _("%(buys)s buys, %(sells)s sells in 5 minutes") % counts
    else:
        written, basis = figures.UNKNOWN, _("buys and sells are not known")
    return _cell(part, written, figures.percent(imbalance), imbalance, basis)


def why_here(score: float | None, components: Mapping[str, Any] | None, past: bool = False, age_sec: float | None = None) -> str:
    """One sentence: what lifts the token, what holds it back. “high because …” when more lifts than holds, “was …” of old figures.
    Where a pace is named, `age_sec` (of the token, when it was scored) tells whether it can be trusted."""
    return why_of(score, parts(components), past, age_sec)


def why_of(score: float | None, known: Mapping[str, Part], past: bool = False, age_sec: float | None = None) -> str:
    """The same for a score that has been taken apart already."""
    if score is None:
        return _why_no_score(known.values())
    paces = any(round(abs(known[metric].lean), 3) for metric in PACES)
    doubt = hour_not_full(age_sec, past) if paces else ""
    said = _why(known, past)
    return _("%(sentence)s, but %(doubt)s") % {"sentence": said, "doubt": doubt} if doubt else said


def _why(known: Mapping[str, Part], past: bool) -> str:
    moved = [part for part in known.values() if round(abs(part.lean), 3)]
    moved.sort(key=lambda part: -abs(part.lean * (part.weight if part.weight is not None else 1.0)))
    if not moved:
        return (
            _("was steady: nothing moves faster or slower than in the hour")
            if past
            else _("steady: nothing moves faster or slower than in the hour")
        )
    lifts, holds = _joined([part for part in moved if part.lean > 0]), _joined([part for part in moved if part.lean < 0])
    high = sum(part.lean * (part.weight or 0.0) for part in moved) >= 0
    return _frame(high, past, lifts, holds) % {"lifts": lifts, "holds": holds}


def _frame(high: bool, past: bool, lifts: str, holds: str) -> str:
    """The sentence around what lifts and what holds: whole, for every language has an order of its own."""
    if not (lifts if high else holds):  # weights of zero: it is neither high nor low because of them
        return "%(holds)s" if high else "%(lifts)s"
    if high and holds:
        return _("was high because %(lifts)s, held back by %(holds)s") if past else _("high because %(lifts)s, held back by %(holds)s")
    if high:
        return _("was high because %(lifts)s") if past else _("high because %(lifts)s")
    if lifts:
        return _("was low because %(holds)s, though %(lifts)s") if past else _("low because %(holds)s, though %(lifts)s")
    return _("was low because %(holds)s") if past else _("low because %(holds)s")


def _why_no_score(known: Any) -> str:
    states = sorted({part.state for part in known})
    if states == [""]:
        return _("not scored yet")
    return _("no score: %(reasons)s") % {
        "reasons": "; ".join(_(REASONS[state]) for state in states if state not in COUNTED and state in REASONS)
    }


def _joined(moved: Sequence[Part]) -> str:
    return listed([_phrase(part) for part in moved])


def listed(phrases: Sequence[str]) -> str:
    """One, two and three."""
    if len(phrases) < 2:
        return "".join(phrases)
    return _("%(phrases)s and %(last)s") % {"phrases": ", ".join(phrases[:-1]), "last": phrases[-1]}


def _phrase(part: Part) -> str:
    raw = part.raw or 0.0
    about = "≈ " if part.state == "estimated" else ""
    if part.metric == "tx_accel":
        return _("transactions at %(pace)s× their hourly pace") % {"pace": about + figures.number(raw)}
    if part.metric == "vol_momentum":
        return _("volume at %(pace)s× its pace") % {"pace": about + figures.number(raw)}
    if part.metric == "holder_growth":
        return _("holders %(growth)s in the hour") % {"growth": figures.percent(math.expm1(min(raw, 50.0)))}
    said = _("buyers ahead by %(share)s") if raw > 0 else _("sellers ahead by %(share)s")
    return said % {"share": about + figures.share(abs(raw))}


def contradictions(names: str) -> str:
    """The flags of a snapshot in words, empty when its figures agree with each other."""
    return ", ".join(_(CONTRADICTIONS[name]) if name in CONTRADICTIONS else name.replace("_", " ") for name in names.split())


def source_of(name: str) -> str:
    """Where figures come from, as it is told to a reader; a source we do not know by its own name."""
    return _(SOURCES[name]) if name in SOURCES else name
