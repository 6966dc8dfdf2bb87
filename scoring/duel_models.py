"""A duel: revisions that score in the shadow of the one in force, what they remember, and the evidence they leave."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tokens.models import LARGEST_AMOUNT, Status, Token

MOST_SIDES = 3


class Duel(models.Model):
    """At most one runs. It begins at the end of the tick after its start, with everything that the revision in force remembers then."""

    note = models.CharField(max_length=300, blank=True, default="", help_text="What is to be found out.")
    author = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    begun_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    ending = models.CharField(max_length=200, blank=True, default="", editable=False, help_text="Why it ended.")
    running = models.BooleanField(default=True, editable=False)

    class Meta:
        db_table = "duels"
        constraints = [
            models.UniqueConstraint(fields=["running"], condition=Q(running=True), name="duels_one_runs"),
            models.CheckConstraint(name="duels_ended_or_running", condition=Q(running=True, ended_at=None) | Q(running=False)),
        ]

    def __str__(self) -> str:
        return f"duel {self.pk}" + (f" “{self.note}”" if self.note else "")


class DuelSide(models.Model):
    """One revision of a duel. Place 0 belongs to whatever is in force, which is no row here."""

    duel = models.ForeignKey(Duel, on_delete=models.CASCADE, related_name="sides")
    settings = models.ForeignKey("scoring.ScoringSettings", on_delete=models.PROTECT, related_name="duel_sides")
    place = models.SmallIntegerField()

    class Meta:
        db_table = "duel_sides"
        constraints = [
            models.UniqueConstraint(fields=["duel", "place"], name="duel_sides_place"),
            models.UniqueConstraint(fields=["duel", "settings"], name="duel_sides_settings"),
            models.CheckConstraint(name="duel_sides_known_place", condition=Q(place__gte=1, place__lte=MOST_SIDES)),
        ]

    def __str__(self) -> str:
        return f"#{self.settings_id}"


def _unknown_at_first() -> models.FloatField[float | None, float | None]:
    return models.FloatField(null=True, blank=True)


class ShadowScore(models.Model):
    """What one side of a duel thinks of one token: its newest score, and all that its next tick needs to go on. One row, overwritten."""

    side = models.ForeignKey(DuelSide, on_delete=models.CASCADE, related_name="scores")
    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="shadow_scores")
    ts = models.DateTimeField(null=True, blank=True, help_text="Moment of the snapshot that was scored last.")
    ticks = models.IntegerField(default=0, help_text="How many scores it has made in this duel.")
    score = models.FloatField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.INITIAL)
    activated_at = models.DateTimeField(null=True, blank=True, help_text="When this side first made it Active, while the duel ran.")
    archived_at = models.DateTimeField(null=True, blank=True)

    smoothed_tx_accel = _unknown_at_first()
    smoothed_vol_momentum = _unknown_at_first()
    smoothed_holder_growth = _unknown_at_first()
    smoothed_orderflow_imbalance = _unknown_at_first()
    age_sec_tx_accel = _unknown_at_first()
    age_sec_vol_momentum = _unknown_at_first()
    age_sec_holder_growth = _unknown_at_first()
    age_sec_orderflow_imbalance = _unknown_at_first()

    last_check_at = models.DateTimeField(null=True, blank=True)
    observed_sec = models.FloatField(default=0.0)
    low_since = models.DateTimeField(null=True, blank=True)
    low_checks = models.IntegerField(default=0)

    class Meta:
        db_table = "shadow_scores"
        constraints = [
            models.UniqueConstraint(fields=["side", "token"], name="shadow_scores_side_token"),
            models.CheckConstraint(name="shadow_scores_known_status", condition=Q(status__in=Status.values)),
            models.CheckConstraint(
                name="shadow_scores_score_finite",
                condition=Q(score__isnull=True) | Q(score__gte=-LARGEST_AMOUNT, score__lte=LARGEST_AMOUNT),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.score} ({self.status})"


class DuelLook(models.Model):
    """The evidence: what every side thought of every living token at one moment, and its price then. `scoring.duel_looks` reads `data`."""

    duel = models.ForeignKey(Duel, on_delete=models.CASCADE, related_name="looks")
    number = models.IntegerField()
    ts = models.DateTimeField()
    settings = models.ForeignKey("scoring.ScoringSettings", on_delete=models.PROTECT, related_name="+", help_text="What was in force.")
    tokens = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        db_table = "duel_looks"
        constraints = [
            models.UniqueConstraint(fields=["duel", "number"], name="duel_looks_number"),
            models.CheckConstraint(name="duel_looks_counted", condition=Q(number__gte=0, tokens__gte=0)),
        ]

    def __str__(self) -> str:
        return f"look {self.number} at {self.ts:%Y-%m-%d %H:%M}"
