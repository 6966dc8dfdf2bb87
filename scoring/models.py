"""The operator's settings as immutable revisions, and every score with the revision that made it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from scoring import score_models
from scoring.alert_models import AlertChannel as AlertChannel
from scoring.alert_models import AlertRule as AlertRule
from scoring.alert_rows import AlertDelivery as AlertDelivery
from scoring.alert_rows import AlertState as AlertState
from scoring.alert_rows import ScoreHealth as ScoreHealth
from scoring.crossed import rules_across
from scoring.duel_models import Duel as Duel
from scoring.duel_models import DuelLook as DuelLook
from scoring.duel_models import DuelSide as DuelSide
from scoring.duel_models import ShadowScore as ShadowScore
from scoring.read_keys import ReadKeyQuerySet
from scoring.revisions import RevisionQuerySet, check_rules, names_of_dexes, not_a_plain_number
from scoring.stage_columns import STAGE_RANGES, StageColumns, stages_in_range
from tokens.models import LARGEST_AMOUNT, Token


class DegradeMode(models.TextChoices):
    ANY = "any", "any: few transactions or a low score"
    BOTH = "both", "both: few transactions and a low score"


def _between(least: float, most: float) -> list[MinValueValidator | MaxValueValidator]:
    return [MinValueValidator(least), MaxValueValidator(most)]


def _weight(what: str) -> models.FloatField[float, float]:
    return models.FloatField(
        default=0.25, validators=_between(0, 100), help_text=f"How much {what} counts. Typical: 0.25; the four usually sum to 1."
    )


# One place for the limits: the validators above read them from the fields, the constraints below from here.
RANGES: dict[str, tuple[float, float]] = {
    "weight_tx_accel": (0, 100),
    "weight_vol_momentum": (0, 100),
    "weight_holder_growth": (0, 100),
    "weight_orderflow_imbalance": (0, 100),
    "ewma_alpha": (0.001, 1),
    "min_tx_count": (0, 1_000_000),
    "activation_tx_margin": (0, 1_000_000),
    "min_active_liquidity": (0, 1e12),
    "min_score_keep_active": (-1000, 1000),
    "degrade_checks": (1, 10_000),
    "degrade_window_hours": (0.01, 720),
    "initial_timeout_hours": (0.01, 720),
    "interval_initial_sec": (0, 3600),
    "interval_active_sec": (0, 3600),
    "initial_young_minutes": (1, 1440),
    "freshness_limit_sec": (5, 3600),
    "holders_freshness_sec": (30, 86_400),
    "retention_hours": (2, 8760),
    "export_top_n": (1, 200),
    "export_min_score": (-1000, 1000),
    "export_max_age_sec": (5, 3600),
}
EVERY_RANGE = RANGES | STAGE_RANGES


class ScoringSettings(StageColumns):
    """One revision. Saving in the admin makes a new one; nothing is edited in place. Exactly one is active."""

    score_model = models.CharField(
        max_length=40,
        choices=score_models.CHOICES,
        default="hybrid_momentum",
        help_text="Which formula makes the score. Typical: hybrid momentum.",
    )
    weight_tx_accel = _weight("transaction acceleration")
    weight_vol_momentum = _weight("volume momentum")
    weight_holder_growth = _weight("holder growth")
    weight_orderflow_imbalance = _weight("order-flow imbalance")
    ewma_alpha = models.FloatField(
        default=0.3,
        validators=_between(0.001, 1),
        help_text="Share of the newest value in the smoothed one, at the normal interval. Typical: 0.3. 1 means no smoothing.",
    )
    min_tx_count = models.IntegerField(
        default=25,
        validators=_between(0, 1_000_000),
        help_text="Transactions in 5 minutes: at least this many to become Active, fewer counts as low. Typical: 25.",
    )
    activation_tx_margin = models.IntegerField(
        default=0,
        validators=_between(0, 1_000_000),
        help_text="Transactions above min_tx_count that a token needs to enter, so that one at the edge does not flap. Typical: 0 to 10.",
    )
    min_active_liquidity = models.FloatField(
        default=500.0,
        validators=_between(0, 1e12),
        help_text="US dollars in the pools that make a token Active by themselves. Typical: 500.",
    )
    min_score_keep_active = models.FloatField(
        default=0.3,
        validators=_between(-1000, 1000),
        help_text="A smoothed score below this counts as low. A perfectly steady token scores 0.5 with equal weights (hybrid_momentum), "
        "50 in the fair model. Typical: 0.3, fair: 20.",
    )
    degrade_checks = models.IntegerField(
        default=10, validators=_between(1, 10_000), help_text="Low checks in a row that archive an Active token. Typical: 10."
    )
    degrade_window_hours = models.FloatField(
        default=6.0, validators=_between(0.01, 720), help_text="The low checks must lie within this many hours of each other. Typical: 6."
    )
    degrade_mode = models.CharField(
        max_length=8, choices=DegradeMode, default=DegradeMode.ANY, help_text="What makes a check low. Typical: any."
    )
    initial_timeout_hours = models.FloatField(
        default=24.0,
        validators=_between(0.01, 720),
        help_text="Observed hours after which a token that never became Active is archived. Typical: 24.",
    )
    interval_initial_sec = models.IntegerField(
        default=0,
        validators=_between(0, 3600),
        help_text="Seconds between polls of a young Initial token. 0: as SCHED_INTERVAL_INITIAL_SEC says.",
    )
    interval_active_sec = models.IntegerField(
        default=0, validators=_between(0, 3600), help_text="Seconds between polls of an Active token. 0: as SCHED_INTERVAL_ACTIVE_SEC says."
    )
    initial_young_minutes = models.IntegerField(
        default=60, validators=_between(1, 1440), help_text="An Initial token older than this is polled less and less often. Typical: 60."
    )
    freshness_limit_sec = models.IntegerField(
        default=180,
        validators=_between(5, 3600),
        help_text="Order flow, wallets and market figures older than this are stale. Typical: 180.",
    )
    holders_freshness_sec = models.IntegerField(
        default=1800, validators=_between(30, 86_400), help_text="A holder count older than this is stale. Typical: 1800."
    )
    retention_hours = models.IntegerField(
        default=72, validators=_between(2, 8760), help_text="Snapshots and scores older than this are cleaned up. Typical: 72."
    )

    # What the ranking for programs holds. `db_default` too: the release before this one writes revisions without them.
    export_top_n = models.IntegerField(
        default=20,
        db_default=20,
        validators=_between(1, 200),
        help_text="At most this many tokens in the ranking for programs. Typical: 20.",
    )
    export_min_score = models.FloatField(
        default=0.5,
        db_default=0.5,
        validators=_between(-1000, 1000),
        help_text="Only tokens with at least this score are in the ranking for programs. Typical: 0.5, fair: 50.",
    )
    export_dexes = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        validators=[names_of_dexes],
        verbose_name="export DEXes",
        help_text="Only pools on these exchanges, and tokens that have one: names as the token's page shows them, separated by commas. "
        "Blank: all. Typical: pumpswap, raydium.",
    )
    export_max_age_sec = models.IntegerField(
        default=180,
        db_default=180,
        validators=_between(5, 3600),
        help_text="Scores older than this are left out of the ranking; when all are older, it is refused. Typical: 180.",
    )
    export_protected = models.BooleanField(
        default=False, db_default=False, help_text="The ranking is given only to programs with a read key, once there is a key."
    )

    active = models.BooleanField(default=False, editable=False)
    author = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, editable=False, related_name="+"
    )
    note = models.CharField(max_length=300, blank=True, default="", help_text="Why this was changed.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    preset = models.CharField(
        max_length=20, blank=True, default="", editable=False, help_text="The name of a revision that ships as a place to start from."
    )
    based_on = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, editable=False, related_name="+")
    set_aside = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Saved without being put in force: for a duel, or for later."
    )

    objects = models.Manager.from_queryset(RevisionQuerySet)()

    class Meta:
        db_table = "scoring_settings"
        verbose_name = "settings revision"
        verbose_name_plural = "settings revisions"
        constraints = [
            models.UniqueConstraint(fields=["active"], condition=Q(active=True), name="scoring_settings_one_active"),
            models.CheckConstraint(name="scoring_settings_known_model", condition=Q(score_model__in=list(score_models.REGISTRY))),
            models.CheckConstraint(name="scoring_settings_known_mode", condition=Q(degrade_mode__in=DegradeMode.values)),
            models.CheckConstraint(
                name="scoring_settings_some_weight",
                condition=Q(weight_tx_accel__gt=-F("weight_vol_momentum") - F("weight_holder_growth") - F("weight_orderflow_imbalance")),
            ),
            *rules_across(),
            *stages_in_range(),
            *[
                models.CheckConstraint(name=f"scoring_settings_{field}", condition=Q(**{f"{field}__gte": least, f"{field}__lte": most}))
                for field, (least, most) in RANGES.items()
            ],
        ]

    def __str__(self) -> str:
        return f"#{self.pk}" + (f" “{self.note}”" if self.note else "")

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new revision. One that is stored never changes: scores point at it."""
        if not self._state.adding:
            raise TypeError("A settings revision never changes. ScoringSettings.objects.revise(changes, author, note) makes the next one.")
        super().save(*args, **kwargs)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """As Django does, and refuse first what its validators let through: NaN, infinity, True, 2.7 for a whole number."""
        sentences = {
            name: sentence
            for name in EVERY_RANGE
            if name not in (exclude or ())
            and (sentence := not_a_plain_number(getattr(self, name), isinstance(self._meta.get_field(name), models.IntegerField)))
        }
        errors: dict[str, Any] = {name: [ValidationError(sentence, code="not_a_number")] for name, sentence in sentences.items()}
        if "trigger_overrides" not in (exclude or ()) and not isinstance(self.trigger_overrides, dict):
            errors["trigger_overrides"] = [ValidationError("Exceptions are an object; {} is none.", code="not_an_object")]
        try:
            super().clean_fields(exclude={*(exclude or ()), *errors})
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    def clean(self) -> None:
        """The rules across fields, where the fields themselves are sound."""
        try:
            self.clean_fields()
        except ValidationError:
            return  # said already, field by field
        check_rules(self)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Nothing to ask the database, twenty times: `clean_fields` and `clean` say the same before it, and it refuses all the same."""


class TokenScore(models.Model):
    """A score of the data of one moment. Unknown is null, never zero."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="scores")
    ts = models.DateTimeField(help_text="Moment of the snapshot it was made from.")
    score = models.FloatField(null=True, blank=True)
    components = models.JSONField(default=dict, help_text="For each metric: raw, smoothed, weight, state, inputs.")
    settings = models.ForeignKey(ScoringSettings, on_delete=models.PROTECT, related_name="scores")

    class Meta:
        db_table = "token_scores"
        constraints = [
            models.UniqueConstraint(fields=["token", "ts"], name="token_scores_token_ts"),
            models.CheckConstraint(
                name="token_scores_score_finite", condition=Q(score__isnull=True) | Q(score__gte=-LARGEST_AMOUNT, score__lte=LARGEST_AMOUNT)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.score} at {self.ts:%Y-%m-%d %H:%M:%S}"


class ReadKey(models.Model):
    """Opens the ranking to one program. The key itself is shown once and stored nowhere: only its hash is here."""

    name = models.CharField(max_length=80, unique=True, help_text="Which program uses it.")
    start = models.CharField(max_length=12, editable=False, help_text="Its first characters, to tell keys apart.")
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    author = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = models.Manager.from_queryset(ReadKeyQuerySet)()

    class Meta:
        db_table = "read_keys"
        constraints = [models.CheckConstraint(name="read_keys_name_not_blank", condition=~Q(name=""))]

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"
