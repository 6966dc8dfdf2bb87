"""From what is due to rows of the log: one for each channel of what goes out, one for what is held back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scoring.alert_models import AlertRule
from scoring.alert_rows import AlertDelivery, new_uid
from tokens.binary_rows import Row
from tokens.bulk_rows import insert_rows

HOUR = timedelta(hours=1)
LONGEST_SENTENCE = 400
State = AlertDelivery.State
FIELDS = ["uid", "rule", "rule_name", "token", "kind", "sentence", "numbers", "made_at", "due_at", "channel", "channel_name"]
FIELDS += ["state", "outcome", "ended_at", "attempts", "test"]
WAITING: Row = (State.WAITING.value, "", None, 0, False)


@dataclass(frozen=True)
class Due:
    """One alert. `verdict` says why it is held back; blank: it goes out."""

    rule: AlertRule
    token: int | None
    sentence: str
    numbers: Mapping[str, Any]
    verdict: str = ""

    def with_verdict(self, verdict: str) -> Due:
        return replace(self, verdict=verdict)


def sent_lately(now: datetime) -> dict[int, list[float]]:
    """Of each rule, the moments of the last hour's alerts that were not held back; one alert to three channels is one."""
    rows = AlertDelivery.objects.filter(made_at__gt=now - HOUR, made_at__lte=now, test=False, rule__isnull=False).exclude(state=State.HELD)
    found: dict[int, list[float]] = {}
    for rule, _, at in rows.order_by().values_list("rule_id", "uid", "made_at").distinct():
        found.setdefault(rule, []).append(at.timestamp())
    return found


def write_out(due: Sequence[Due], now: datetime) -> dict[str, int]:
    """Two statements at most, however many alerts. How many go out, and how many are held back."""
    insert_rows(AlertDelivery, FIELDS, [row for each in due for row in _rows(each, now)])
    out = sum(not each.verdict for each in due)
    return {"alerts": out, "held": len(due) - out}


def _rows(due: Due, now: datetime) -> list[Row]:
    """In the order of FIELDS: one for each channel, or one that says why there is none."""
    rule = due.rule
    about = (new_uid(), rule.pk, rule.name, due.token, rule.kind, due.sentence[:LONGEST_SENTENCE], json.dumps(due.numbers), now, now)
    channels = list(rule.channels.all())
    if due.verdict or not channels:
        return [(*about, None, "", *_held(due.verdict or "the rule has no channel", now))]
    return [(*about, channel.pk, channel.name, *(WAITING if channel.enabled else _held("the channel is off", now))) for channel in channels]


def _held(why: str, now: datetime) -> Row:
    return State.HELD.value, why, now, 0, False
