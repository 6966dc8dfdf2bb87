"""From what is due to rows of the log: one for each channel of what goes out, one for what is held back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scoring.alert_models import AlertRule
from scoring.alert_rows import AlertDelivery

HOUR = timedelta(hours=1)
LONGEST_SENTENCE = 400
State = AlertDelivery.State


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
    AlertDelivery.objects.bulk_create([row for each in due for row in _rows(each, now)])
    out = sum(not each.verdict for each in due)
    return {"alerts": out, "held": len(due) - out}


def _rows(due: Due, now: datetime) -> list[AlertDelivery]:
    about: dict[str, Any] = {
        "uid": uuid.uuid4(),
        "rule": due.rule,
        "rule_name": due.rule.name,
        "token_id": due.token,
        "kind": due.rule.kind,
        "sentence": due.sentence[:LONGEST_SENTENCE],
        "numbers": dict(due.numbers),
        "made_at": now,
        "due_at": now,
    }
    channels = list(due.rule.channels.all())
    if due.verdict or not channels:
        return [AlertDelivery(**about, state=State.HELD, ended_at=now, outcome=due.verdict or "the rule has no channel")]
    return [
        AlertDelivery(**about, channel=channel, channel_name=channel.name)
        if channel.enabled
        else AlertDelivery(
            **about, channel=channel, channel_name=channel.name, state=State.HELD, ended_at=now, outcome="the channel is off"
        )
        for channel in channels
    ]
