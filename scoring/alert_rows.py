"""What alerts leave behind: what each rule knows of each token, a row for every alert that was due, and how the scores looked."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from scoring.alert_models import AlertChannel, AlertRule
from tokens.models import Token


class AlertState(models.Model):
    """What a rule knows of a token, or of the system where there is no token. It lives here, so that a restart changes nothing."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="states")
    token = models.ForeignKey(Token, null=True, on_delete=models.CASCADE, related_name="+")
    state = models.SmallIntegerField(help_text="0: not beyond the level, 1: beyond it.")
    revision = models.BigIntegerField(null=True, help_text="The settings that made the score it was seen with.")
    mark = models.BigIntegerField(default=0, help_text="The newest event of this token that was looked at.")
    sent_at = models.DateTimeField(null=True, help_text="When this was last told; the cool-down counts from here.")

    class Meta:
        db_table = "alert_states"
        constraints = [
            models.UniqueConstraint(fields=["rule", "token"], name="alert_states_rule_token"),
            models.UniqueConstraint(fields=["rule"], condition=Q(token__isnull=True), name="alert_states_rule_system"),
            models.CheckConstraint(name="alert_states_known", condition=Q(state__in=(-1, 0, 1))),
        ]

    def __str__(self) -> str:
        return f"{self.rule} of {self.token or 'the system'}: {self.state}"


def new_uid() -> str:
    return str(uuid.uuid4())


class AlertDeliveryQuerySet(models.QuerySet[Any]):
    def due(self, now: datetime, abandoned: timedelta) -> AlertDeliveryQuerySet:
        """What waits for its turn, and what a process took up and never finished."""
        waiting = Q(state=AlertDelivery.State.WAITING, due_at__lte=now)
        left = Q(state=AlertDelivery.State.SENDING, claimed_at__lt=now - abandoned)
        return self.filter(waiting | left, state__in=("waiting", "sending")).order_by("due_at", "pk")

    def lost_since(self, since: datetime) -> int:
        """How many alerts of that time nobody could be told of; tests do not count."""
        return self.filter(made_at__gte=since, state=AlertDelivery.State.GAVE_UP, test=False).count()

    def claim(self, row: AlertDelivery, now: datetime) -> bool:
        """Whether this process may send it: of several that try, one."""
        as_read = self.filter(pk=row.pk, state=row.state, claimed_at=row.claimed_at, attempts=row.attempts)
        return as_read.update(state=AlertDelivery.State.SENDING, claimed_at=now, attempts=F("attempts") + 1) == 1


class AlertDelivery(models.Model):
    """One alert to one channel, from the moment it was due: sent, still to be sent, given up, or held back, and why."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENDING = "sending", "being sent"
        SENT = "sent", "sent"
        GAVE_UP = "gave_up", "given up"
        HELD = "held", "held back"

    uid = models.CharField(
        max_length=36, default=new_uid, editable=False, help_text="Of the alert: the same in all channels, however often it is sent."
    )
    rule = models.ForeignKey(AlertRule, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    rule_name = models.CharField(max_length=80)
    channel = models.ForeignKey(AlertChannel, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    channel_name = models.CharField(max_length=80, blank=True, default="")
    token = models.ForeignKey(Token, null=True, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=20)
    sentence = models.CharField(max_length=400)
    numbers = models.JSONField(default=dict, help_text="The figures that were the cause.")
    made_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    outcome = models.CharField(max_length=400, blank=True, default="", help_text="What came back, or why it was held back.")
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    test = models.BooleanField(default=False)

    objects = models.Manager.from_queryset(AlertDeliveryQuerySet)()

    class Meta:
        db_table = "alert_deliveries"
        verbose_name_plural = "alert deliveries"
        constraints = [
            models.CheckConstraint(
                name="alert_deliveries_known_state", condition=Q(state__in=["waiting", "sending", "sent", "gave_up", "held"])
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state__in=["waiting", "sending"]), name="alert_deliveries_due"),
            models.Index(fields=["-made_at"], name="alert_deliveries_made"),
            models.Index(fields=["rule", "-made_at"], name="alert_deliveries_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.sentence}"


class ScoreHealth(models.Model):
    """What the scores of all Active tokens looked like at one tick, and what was odd about it."""

    ts = models.DateTimeField(unique=True)
    revision = models.BigIntegerField(help_text="The settings in force.")
    tokens = models.PositiveIntegerField()
    scored = models.PositiveIntegerField()
    median = models.FloatField(null=True)
    spread = models.FloatField(null=True, help_text="Between the quartiles.")
    identical = models.FloatField()
    missing = models.JSONField(help_text="Share of the tokens, by metric.")
    capped = models.FloatField()
    estimated = models.JSONField(help_text="Share of the tokens, by metric.")
    odd = models.CharField(max_length=400, blank=True, default="", help_text="What was odd about this one look.")
    suspicious = models.BooleanField(default=False, help_text="Odd twice in a row.")

    class Meta:
        db_table = "score_health"

    def __str__(self) -> str:
        return f"{self.ts:%Y-%m-%d %H:%M:%S}: {self.odd or 'ok'}"
