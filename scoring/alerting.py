"""After each tick: what the rules see, what each has to say, and the rows that carry it out, all in one transaction.

A row for an alert is written together with the state that it follows from, so that a crash loses neither and repeats neither. Nothing is
sent here: see scoring.alert_delivery. The number of statements does not depend on the number of tokens. Rules and sentinel look at the
tokens of the list; exchange symbols are scored too, but have no holders, and the stages tell of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection, transaction

from scoring import alert_words
from scoring.alert_kinds import EVENT, KINDS, SYSTEM, TOKEN, Circumstances, Happening
from scoring.alert_memory import Memory
from scoring.alert_models import AlertRule
from scoring.alert_outbox import Due, sent_lately, write_out
from scoring.alert_state import UNSEEN, held_back, step, takes
from scoring.metrics import METRICS, STATES
from scoring.score_watch import in_short, watch
from tokens.columns import Column, read_columns
from tokens.models import Chain, StatusChange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.models import ScoringSettings

    Numbers = NDArray[np.float64]
    Columns = Mapping[str, Numbers]

log = logging.getLogger(__name__)

FRESH_EVENT = timedelta(minutes=10)  # what is found later, after an outage, is history and no alert
_CODES = " ".join(f"WHEN '{state}' THEN {code}" for code, state in enumerate(STATES))
COLUMNS = (
    Column("pk", "t.id"),
    Column("active", "t.status = 'Active'", "flag"),
    Column("living", "t.status <> 'Archived'", "flag"),
    Column("created_at", "t.created_at", "moment"),
    Column("scored_at", "t.last_scored_at", "moment"),
    Column("score", "t.last_score_value"),
    Column("revision", "last.settings_id"),
    *(Column(name, f"s.{name}") for name in ("liquidity", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h", "holders")),
    Column("birdeye_at", "s.birdeye_at", "moment"),
    *(Column(name, "last.components", "json", (name, "raw")) for name in METRICS),
    *(Column(f"{name}.state", f"CASE last.components -> '{name}' ->> 'state' {_CODES} END") for name in METRICS),
)
PRESENT = """
    FROM tokens t
    LEFT JOIN token_scores last ON last.token_id = t.id AND last.ts = t.last_scored_at
    LEFT JOIN token_snapshots s ON s.token_id = t.id AND s.ts = t.last_scored_at
    WHERE t.chain = 'solana' AND (t.status IN ('Initial', 'Active') OR t.status_changed_at >= '{since}')
    ORDER BY t.id
"""
REASON_SHOWN = 200


@dataclass
class Round:
    """One evaluation: what is read once and asked by every rule."""

    now: datetime
    present: Columns
    circumstances: Circumstances
    happenings: Sequence[Happening]
    memory: Memory
    revision: ScoringSettings
    sent: Mapping[int, Sequence[float]]
    due: list[Due] = field(default_factory=list)


def evaluate(
    now: datetime, revision: ScoringSettings, circumstances: Circumstances, happenings: Sequence[Happening] = ()
) -> dict[str, Any]:
    """Look once. How many alerts go out and how many are held back, and how the scores look. `happenings` come from parts that this one
    does not know."""
    with transaction.atomic():
        present = _present(now)
        health = watch(present, revision.pk)
        rules = list(AlertRule.objects.prefetch_related("channels").order_by("pk"))
        AlertRule.objects.filter(enabled=False).exclude(learned="").update(learned="")  # on again, it starts by learning
        at_work = [rule for rule in rules if rule.enabled]
        if not at_work:
            return {"alerts": 0, "held": 0, "scores": in_short(health)}
        if health is not None and health.suspicious:
            circumstances = _with_health(circumstances, health.odd)
        looked = Round(
            now,
            present,
            circumstances,
            [*_status_changes(now), *happenings],
            Memory.read(),
            revision,
            sent_lately(now),
        )
        for rule in at_work:
            _ask(rule, looked)
        looked.memory.write()
        return {**write_out(looked.due, now), "scores": in_short(health)}


def _present(now: datetime) -> Columns:
    since = (now - FRESH_EVENT).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") + ("+00" if connection.vendor == "postgresql" else "")
    return read_columns(COLUMNS, PRESENT.format(since=since))


def _with_health(circumstances: Circumstances, odd: str) -> Circumstances:
    return Circumstances(
        {**circumstances.figures, "scores_suspicious": 1.0},
        {**circumstances.sentences, "scores_suspicious": odd or "The scores look wrong."},
    )


def _status_changes(now: datetime) -> list[Happening]:
    rows = (
        StatusChange.objects.filter(ts__gte=now - FRESH_EVENT, ts__lte=now, token__chain=Chain.SOLANA)
        .order_by("pk")
        .values_list("pk", "token_id", "old", "new", "reason", "ts")
    )
    return [
        Happening("status", token, pk, ts, f"{old or 'new'} → {new}: {reason[:REASON_SHOWN]}", old, new)
        for pk, token, old, new, reason, ts in rows
        if old != new
    ]


def _ask(rule: AlertRule, looked: Round) -> None:
    """One rule: its states move on, and what it has to say joins the others."""
    learning = rule.learned != (wording := rule.wording())
    about = KINDS[rule.kind].about
    if about == TOKEN:
        _ask_of_tokens(rule, looked, learning)
    elif about == SYSTEM:
        _ask_of_the_system(rule, looked, learning)
    elif about == EVENT:
        _ask_of_events(rule, looked, learning)
    if learning:
        AlertRule.objects.filter(pk=rule.pk).update(learned=wording, learned_at=looked.now)


# Figures of tokens


def _ask_of_tokens(rule: AlertRule, looked: Round, learning: bool) -> None:
    level, figure, tokens = rule.level_of(), figure_of(rule), looked.present
    fresh = (tokens["living"] == 1) & (looked.now.timestamp() - tokens["scored_at"] <= looked.revision.freshness_limit_sec)
    value = np.where(fresh, value_of(figure, tokens, tokens["scored_at"], looked.revision.holders_freshness_sec), np.nan)
    seen = looked.memory.of(rule.pk, tokens["pk"])
    known = np.where(learning, UNSEEN, seen.state).astype(np.int8)
    silent = np.full(value.shape, learning) | ((known == UNSEEN) & (tokens["created_at"] <= _seconds(rule.learned_at)))
    if figure == "score":
        silent |= ~np.isnan(seen.revision) & (seen.revision != tokens["revision"])
    allowed = allows(rule, tokens["active"] == 1, tokens["liquidity"], tokens["scored_at"] - tokens["created_at"])
    state, fires = step(level, known, value, allowed, silent)
    places = np.flatnonzero(fires)
    places = places[np.argsort(-value[places] if level.rising else value[places], kind="stable")]
    due = [
        Due(
            rule,
            int(tokens["pk"][place]),
            alert_words.crossing(figure, level, float(value[place])),
            {"value": float(value[place]), "level": level.at, "figure": figure, **_numbers(tokens, place)},
        )
        for place in places.tolist()
    ]
    sent = _hold_back(rule, due, looked, seen.sent_at_of(tokens["pk"][places]))
    looked.memory.keep(rule.pk, seen, tokens["pk"], state, np.where(np.isnan(value), seen.revision, tokens["revision"]), sent, looked.now)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else -np.inf


def figure_of(rule: AlertRule) -> str:
    return KINDS[rule.kind].figure or rule.figure


def value_of(figure: str, columns: Columns, at: Numbers, holders_freshness_sec: float) -> Numbers:
    """The figure's column; a count of holders that is too old is unknown."""
    if figure == "holders":
        return np.where(at - columns["birdeye_at"] <= holders_freshness_sec, columns["holders"], np.nan)
    return columns[figure]


def allows(rule: AlertRule, active: NDArray[np.bool_], liquidity: Numbers, age_sec: Numbers) -> NDArray[np.bool_]:
    """Who meets the rule's other limits. What is unknown meets none."""
    allowed = active.copy() if rule.only_active else np.ones(active.shape, dtype=bool)
    if rule.min_liquidity is not None:
        allowed &= liquidity >= rule.min_liquidity
    if rule.min_age_minutes is not None:
        allowed &= age_sec >= rule.min_age_minutes * 60
    if rule.max_age_hours is not None:
        allowed &= age_sec <= rule.max_age_hours * 3600
    return allowed


def _numbers(tokens: Columns, place: int) -> dict[str, Any]:
    names = ("score", "liquidity", "tx_count_5m", "volume_5m", "holders", "revision")
    found: dict[str, Any] = {name: _known(float(tokens[name][place])) for name in names}
    return {**found, "scored_at": _moment(float(tokens["scored_at"][place]))}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _moment(at: float) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat() if np.isfinite(at) else None


# The system, and events


def _ask_of_the_system(rule: AlertRule, looked: Round, learning: bool) -> None:
    figure, level = figure_of(rule), rule.level_of()
    value = np.array([looked.circumstances.figures.get(figure, np.nan)])
    nobody = np.array([np.nan])
    seen = looked.memory.of(rule.pk, nobody)
    known = np.where(learning, UNSEEN, seen.state).astype(np.int8)
    state, fires = step(level, known, value, np.array([True]), np.array([learning]))
    due = []
    if fires[0]:
        sentence = looked.circumstances.sentences.get(figure, KINDS[rule.kind].words)
        due = [Due(rule, None, sentence, {"value": float(value[0]), "level": level.at, "figure": figure})]
    sent = _hold_back(rule, due, looked, seen.sent_at_of(nobody))
    looked.memory.keep(rule.pk, seen, nobody, state, seen.revision, sent, looked.now)


def _ask_of_events(rule: AlertRule, looked: Round, learning: bool) -> None:
    """What is newer than the mark of its token, and than the rule itself."""
    since = looked.now if learning else (rule.learned_at or looked.now)
    new = [each for each in looked.happenings if each.kind == rule.kind and each.at > looked.now - FRESH_EVENT]
    tokens = np.unique(np.array([each.token_id for each in new], dtype=np.float64))
    seen = looked.memory.of(rule.pk, tokens)
    places = {int(pk): place for place, pk in enumerate(tokens.tolist())}
    told = [each for each in new if each.mark > seen.mark[places[each.token_id]] and (seen.known[places[each.token_id]] or each.at > since)]
    marks = seen.mark.copy()
    for each in new:
        marks[places[each.token_id]] = max(marks[places[each.token_id]], each.mark)
    if learning:
        told = []
    due = [
        Due(rule, each.token_id, each.sentence, {**each.numbers, **about})
        for each in told
        if takes(rule.old_status, each.old) and takes(rule.new_status, each.new) and (about := _meets(rule, each, looked)) is not None
    ]
    sent = _hold_back(rule, due, looked, seen.sent_at_of(np.array([row.token or 0 for row in due], dtype=np.float64)))
    looked.memory.keep(rule.pk, seen, tokens, np.zeros(tokens.size, dtype=np.int8), seen.revision, sent, looked.now, marks)


def _meets(rule: AlertRule, each: Happening, looked: Round) -> dict[str, Any] | None:
    """The token's figures, if they are within the rule's other limits."""
    pks = looked.present["pk"]
    place = int(np.searchsorted(pks, each.token_id))
    if place >= pks.size or pks[place] != each.token_id:
        return {} if rule.has_no_limit() else None
    age = np.array([each.at.timestamp() - looked.present["created_at"][place]])
    if not allows(rule.for_events(), np.array([True]), looked.present["liquidity"][place : place + 1], age)[0]:
        return None
    return _numbers(looked.present, place)


def _hold_back(rule: AlertRule, due: list[Due], looked: Round, last_sent: Mapping[int, float]) -> set[int]:
    """Decides about each, adds them to the round, and returns whom something goes out about (0: the system)."""
    now = looked.now.timestamp()
    verdicts = held_back([(now, row.token or 0) for row in due], rule.manner(), last_sent, looked.sent.get(rule.pk, ()))
    looked.due += [row.with_verdict(verdict) for row, verdict in zip(due, verdicts, strict=True)]
    return {row.token or 0 for row, verdict in zip(due, verdicts, strict=True) if not verdict}
