"""Hands alerts over to their receivers, in a job of its own: a receiver that hangs delays nobody but its own next alert.

Each channel has one alert under way at a time, all channels side by side. A row is claimed by a conditional UPDATE before it is sent and
marked right after; a process that is killed in between leaves it claimed, and after a while it is sent once more, under the same id. That
is the only way in which an alert comes twice, but for a receiver that took it and never said so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from ingestion import messengers
from ingestion.channels import Channel
from ingestion.errors import OutsideError, Permanent
from ingestion.message_texts import Message
from scoring.alert_models import AlertChannel
from scoring.alert_rows import AlertDelivery, AlertState, ScoreHealth
from scoring.alert_words import facts
from tokens.models import Status
from tokens.templatetags import figures

log = logging.getLogger(__name__)

LANES = 8  # channels that are at work at once
RUN_SEC = 40.0  # after this nothing more is begun; the rest waits for the next run
LOOK_AGAIN_SEC = 1.0
ABANDONED = timedelta(minutes=2)  # longer than a run and a deadline together: whoever claimed it is gone
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
MOST_ATTEMPTS = 10
TOO_OLD = timedelta(hours=1)  # the price has gone on; it stands in the log
MOST_LOOKED_AT = 200
KEPT = timedelta(days=90)
STATES_KEPT = timedelta(days=1)  # of a token in the archive; one that comes back later is learned anew
State = AlertDelivery.State


@dataclass
class _Lanes:
    """Who is under way, and which channels rest until when after a failure."""

    under_way: dict[Future[str], AlertDelivery] = field(default_factory=dict)
    resting: dict[int | None, datetime] = field(default_factory=dict)
    unforeseen: list[BaseException] = field(default_factory=list)

    def free(self, row: AlertDelivery, now: datetime) -> bool:
        busy = {other.channel_id for other in self.under_way.values()}
        return len(self.under_way) < LANES and row.channel_id not in busy and self.resting.get(row.channel_id, now) <= now


def deliver(
    clock: Callable[[], datetime] = timezone.now,
    stopped: Callable[[float], bool] = lambda seconds: True,
    run_sec: float = RUN_SEC,
) -> dict[str, int]:
    """Send what is due, and within this run what is due again soon. How many were sent, put off and given up.

    `stopped` waits so many seconds and says whether to end; the default ends as soon as nothing is due any more.
    """
    counts = {"sent": 0, "put_off": 0, "gave_up": 0}
    lanes, end = _Lanes(), clock() + timedelta(seconds=run_sec)
    with ThreadPoolExecutor(LANES, thread_name_prefix="alert") as threads:
        while True:
            now = clock()
            if now < end:
                for row, channel, message in _claimed(now, lanes):
                    lanes.under_way[threads.submit(messengers.send, channel, message)] = row
            if lanes.under_way:
                _take_back(lanes, counts, clock)
            elif now >= end or not _more_is_due_by(end) or stopped(LOOK_AGAIN_SEC):
                break
    if lanes.unforeseen:
        raise lanes.unforeseen[0]
    return counts


def _take_back(lanes: _Lanes, counts: dict[str, int], clock: Callable[[], datetime]) -> None:
    done, _ = wait(lanes.under_way, return_when=FIRST_COMPLETED)
    for future in done:
        row, now = lanes.under_way.pop(future), clock()
        error = future.exception()
        outcome, resting = ("sent", None) if error is None else _failed(row, error, now)
        if error is None:
            _end(row, State.SENT, future.result(), now)
        elif not isinstance(error, OutsideError):
            lanes.unforeseen.append(error)  # a fault of ours: the others first, then it is raised
        if resting:
            lanes.resting[row.channel_id] = resting
        counts[outcome] += 1


def _more_is_due_by(end: datetime) -> bool:
    return bool(AlertDelivery.objects.filter(state=State.WAITING, due_at__lt=end).exists())


def _claimed(now: datetime, lanes: _Lanes) -> Iterator[tuple[AlertDelivery, Channel, Message]]:
    """The next row of each channel that is free, ours from here on."""
    for row in AlertDelivery.objects.due(now, ABANDONED).select_related("channel", "token")[:MOST_LOOKED_AT]:
        if row.channel is None or not row.channel.enabled:
            _end(row, State.HELD, "the channel is gone" if row.channel is None else "the channel is off", now)
        elif now - row.made_at > TOO_OLD:
            _end(row, State.GAVE_UP, f"Too old. {row.outcome}" if row.outcome else "Too old: nothing could be sent for an hour.", now)
        elif lanes.free(row, now) and AlertDelivery.objects.claim(row, now):
            row.attempts += 1
            yield row, row.channel.channel(), message_of(row)


def message_of(row: AlertDelivery) -> Message:
    token = row.token
    return Message(
        id=str(row.uid),
        at=row.made_at,
        rule=row.rule_name,
        kind=row.kind,
        what=row.sentence,
        who=(figures.tame(token.symbol) or figures.short(token.address)) if token else "",
        address=token.address if token else "",
        facts=facts(row.numbers),
        numbers=row.numbers,
        simulated=settings.SIMULATED,
        test=row.test,
    )


def _failed(row: AlertDelivery, error: BaseException, now: datetime) -> tuple[str, datetime]:
    """What becomes of it, and until when its channel rests."""
    due = now + max(timedelta(seconds=getattr(error, "retry_after", None) or 0), pause_after(row.attempts))
    sentence = _sentence(error)
    if isinstance(error, Permanent):
        _end(row, State.GAVE_UP, sentence, now)
    elif row.attempts >= MOST_ATTEMPTS or due - row.made_at > TOO_OLD:
        _end(row, State.GAVE_UP, f"Given up after {row.attempts} attempt{'s' if row.attempts > 1 else ''}. {sentence}", now)
    else:
        _mine(row).update(state=State.WAITING, due_at=due, outcome=sentence[:400])
        return "put_off", due
    log.error("alert to %s given up: %s", row.channel_name, sentence)
    return "gave_up", due


def pause_after(attempts: int) -> timedelta:
    """5 s, 10 s, 20 s … ten minutes."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)


def _sentence(error: BaseException) -> str:
    """Errors from outside never hold an address or a key; of a fault of ours only the name is said."""
    words = str(error) if isinstance(error, OutsideError) else f"A fault of ours: {type(error).__name__}."
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def _end(row: AlertDelivery, state: str, outcome: str, now: datetime) -> None:
    _mine(row).update(state=state, outcome=outcome[:400], ended_at=now)


def _mine(row: AlertDelivery) -> Any:
    return AlertDelivery.objects.filter(pk=row.pk, state__in=(State.WAITING, State.SENDING))


# The test button


TEST_PATIENCE_SEC, TEST_DEADLINE_SEC = 2.0, 5.0


def send_test(channel: AlertChannel, now: datetime) -> AlertDelivery:
    """Really send a message, now, and say in the log what came back. Takes some seconds at most."""
    row = AlertDelivery.objects.create(
        rule_name="Test",
        channel=channel,
        channel_name=channel.name,
        kind="test",
        sentence="This is what an alert looks like. Nothing has happened.",
        numbers={},
        made_at=now,
        due_at=now,
        state=State.SENDING,
        claimed_at=now,
        attempts=1,
        test=True,
    )
    try:
        state, outcome = State.SENT, messengers.send(channel.channel(), message_of(row), TEST_PATIENCE_SEC, TEST_DEADLINE_SEC)
    except OutsideError as error:
        state, outcome = State.GAVE_UP, _sentence(error)
    row.state, row.outcome, row.ended_at = state, outcome[:400], timezone.now()
    row.save(update_fields=["state", "outcome", "ended_at"])
    return row


def forget_old(now: datetime, before: datetime) -> int:
    """Log rows beyond a season go; what rules know of archived tokens; looks at scores from before the retention. How many rows went."""
    rows = AlertDelivery.objects.filter(made_at__lt=now - KEPT).delete()[0]
    rows += AlertState.objects.filter(token__status=Status.ARCHIVED, token__status_changed_at__lt=now - STATES_KEPT).delete()[0]
    return int(rows + ScoreHealth.objects.filter(ts__lt=before).delete()[0])
