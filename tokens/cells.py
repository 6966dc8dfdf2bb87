"""The four metrics as a person reads them: a value, its direction, its state, and where both come from. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokens.templatetags import figures

METRICS = ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")
TITLES = {
    "tx_accel": "Transactions",
    "vol_momentum": "Volume",
    "holder_growth": "Holders",
    "orderflow_imbalance": "Order flow",
}
SHORT = {"tx_accel": "Tx 5 m", "vol_momentum": "Vol 5 m", "holder_growth": "Holders", "orderflow_imbalance": "Flow"}
COLUMNS = {"tx_accel": "tx", "vol_momentum": "volume", "holder_growth": "holders", "orderflow_imbalance": "flow"}
REASONS = {
    "estimated": "estimated from the counts of buys and sells: their volumes are not known",
    "no_activity": "nothing was traded in the hour, so there is no pace to compare with",
    "no_history": "no figure from an hour ago to compare with yet",
    "stale": "the newest figure is too old to count",
    "capped": "the windows contradict each other: the value was cut at its limit",
    "error": "it could not be computed from these figures",
    "": "not scored yet",
}
COUNTED = {"ok", "estimated", "capped"}
PACES = {"tx_accel", "vol_momentum"}  # five minutes held against their hour
HOUR_SEC = 3600.0
HARDLY_BEGUN_SEC = 600.0  # up to here most of what the hour holds lies in its last five minutes
SOURCES = {
    "birdeye": "Birdeye",
    "pools": "the sum over its pools (DexScreener)",
    "pools+birdeye": "the sum over its pools (DexScreener); holders and flow from Birdeye",
    "binance": "Binance",
}
CONTRADICTIONS = {
    "trades_without_volume": "trades without volume",
    "volume_without_trades": "volume without trades",
    "dust_price": "a price that rests on dust",
    "window_5m_over_1h": "more in 5 minutes than in the hour",
    "price_jump": "a jump of the price",
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
    old = f"{'was' if past else 'is'} {figures.span(age_sec)} old"
    if age_sec < HARDLY_BEGUN_SEC:
        return f"it {old}: its hour {'had' if past else 'has'} hardly begun, so the pace says little"
    return f"it {old}: its hour {'was' if past else 'is'} not full yet, so the pace looks faster than it is"


def metric_cells(seen: Any, components: Mapping[str, Any] | None, age_sec: float | None = None) -> list[Cell]:
    """One cell a metric, in the order of METRICS. `seen` has the fields of a token snapshot, None for unknown; `age_sec` is how old the
    token was when it was taken."""
    known = parts(components)
    writers = (_transactions, _volume, _holders, _flow)
    doubt = hour_not_full(age_sec)
    return [write(seen, known[metric], doubt if metric in PACES else "") for metric, write in zip(METRICS, writers, strict=True)]


def _cell(part: Part, text: str, change: str, way: float, basis: str, doubt: str = "") -> Cell:
    if not part.counted or part.raw is None:
        return Cell(
            COLUMNS[part.metric],
            SHORT[part.metric],
            text,
            figures.UNKNOWN,
            0.0,
            part.state,
            _sentence(basis, "No direction: " + REASONS.get(part.state, REASONS[""])),
        )
    note = REASONS[part.state] if part.state in {"estimated", "capped"} else ""
    return Cell(COLUMNS[part.metric], SHORT[part.metric], text, change, _way(change, way), part.state, _sentence(basis, note, doubt))


def _way(change: str, way: float) -> float:
    """What is written as 0 % has no arrow."""
    return 0.0 if change == "0 %" else way


def _sentence(*pieces: str) -> str:
    return ". ".join(piece[0].upper() + piece[1:] for piece in pieces if piece) + "."


def _transactions(seen: Any, part: Part, doubt: str) -> Cell:
    basis = f"{figures.count(seen.tx_count_5m)} transactions in 5 minutes, {figures.count(seen.tx_count_1h)} in the hour"
    return _cell(part, figures.count(seen.tx_count_5m), figures.percent(part.lean), part.lean, basis + _pace(part), doubt)


def _volume(seen: Any, part: Part, doubt: str) -> Cell:
    basis = f"{figures.money(seen.volume_5m)} in 5 minutes, {figures.money(seen.volume_1h)} in the hour"
    return _cell(part, figures.money(seen.volume_5m), figures.percent(part.lean), part.lean, basis + _pace(part), doubt)


def _pace(part: Part) -> str:
    return f": {figures.number(part.raw)} × the hourly pace" if part.counted and part.raw is not None else ""


def _holders(seen: Any, part: Part, _: str) -> Cell:
    growth = math.expm1(min(part.raw, 50.0)) if part.raw is not None else 0.0
    basis = f"{figures.count(seen.holders)} holders" if seen.holders is not None else "the number of holders is not known"
    if part.counted and part.raw is not None:
        basis += f", {figures.percent(growth)} in the hour"
    return _cell(part, figures.count(seen.holders), figures.percent(growth), growth, basis)


def _flow(seen: Any, part: Part, _: str) -> Cell:
    imbalance = part.raw or 0.0
    if seen.buys_volume_5m is not None and seen.sells_volume_5m is not None:
        net = seen.buys_volume_5m - seen.sells_volume_5m
        text = ("+" if net > 0 else "") + figures.money(net)
        basis = f"bought for {figures.money(seen.buys_volume_5m)}, sold for {figures.money(seen.sells_volume_5m)} in 5 minutes"
    elif seen.buys_5m is not None and seen.sells_5m is not None:
        net = seen.buys_5m - seen.sells_5m
        text = ("+" if net > 0 else "") + figures.count(net)
        basis = f"{figures.count(seen.buys_5m)} buys, {figures.count(seen.sells_5m)} sells in 5 minutes"
    else:
        text, basis = figures.UNKNOWN, "buys and sells are not known"
    return _cell(part, text, figures.percent(imbalance), imbalance, basis)


def why_here(score: float | None, components: Mapping[str, Any] | None, past: bool = False, age_sec: float | None = None) -> str:
    """One sentence: what lifts the token, what holds it back. “high because …” when more lifts than holds, “was …” of old figures.
    Where a pace is named, `age_sec` (of the token, when it was scored) tells whether it can be trusted."""
    known = parts(components)
    if score is None:
        return _why_no_score(known.values())
    paces = any(round(abs(known[metric].lean), 3) for metric in PACES)
    doubt = hour_not_full(age_sec, past) if paces else ""
    return ("was " if past else "") + _why(known) + (f", but {doubt}" if doubt else "")


def _why(known: Mapping[str, Part]) -> str:
    moved = [part for part in known.values() if round(abs(part.lean), 3)]
    moved.sort(key=lambda part: -abs(part.lean * (part.weight if part.weight is not None else 1.0)))
    lifts, holds = [p for p in moved if p.lean > 0], [p for p in moved if p.lean < 0]
    if not moved:
        return "steady: nothing moves faster or slower than in the hour"
    high = sum(part.lean * (part.weight or 0.0) for part in moved) >= 0
    first, second = (lifts, holds) if high else (holds, lifts)
    lead = "high because " if high else "low because "
    turn = ", held back by " if high else ", though "
    sentence = lead + _joined(first) if first else ""
    return sentence + (turn + _joined(second) if second and sentence else _joined(second) if second else "")


def _why_no_score(known: Any) -> str:
    states = sorted({part.state for part in known})
    if states == [""]:
        return "not scored yet"
    return "no score: " + "; ".join(REASONS[state] for state in states if state not in COUNTED and state in REASONS)


def _joined(moved: Sequence[Part]) -> str:
    phrases = [_phrase(part) for part in moved]
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def _phrase(part: Part) -> str:
    raw = part.raw or 0.0
    about = "≈ " if part.state == "estimated" else ""
    if part.metric == "tx_accel":
        return f"transactions at {about}{figures.number(raw)}× their hourly pace"
    if part.metric == "vol_momentum":
        return f"volume at {about}{figures.number(raw)}× its pace"
    if part.metric == "holder_growth":
        return f"holders {figures.percent(math.expm1(min(raw, 50.0)))} in the hour"
    return f"{'buyers' if raw > 0 else 'sellers'} ahead by {about}{figures.share(abs(raw))}"


def contradictions(names: str) -> str:
    """The flags of a snapshot in words, empty when its figures agree with each other."""
    return ", ".join(CONTRADICTIONS.get(name, name.replace("_", " ")) for name in names.split())
