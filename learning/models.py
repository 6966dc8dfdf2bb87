"""The evidence: what was known of a token at a moment, what was made of it, what was said, and what came of it.

    Token ← FeatureVector ← Prediction → ModelVersion
                 ↑            ↑
               Signal ────────┘ → TokenScore, settings revision
                 ↑
              Outcome  (of a signal or of a prediction)

Rows are written once and never changed. Every arrow is a foreign key of the database, and every key is made of the moment, the token and
a small number (`learning.keys`): the database itself refuses a row whose key says something else than its columns.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThanOrEqual
from django.utils import timezone

from learning import keys
from learning.columns import Epoch, RealField
from scoring.models import ScoringSettings, TokenScore
from tokens.models import LARGEST_AMOUNT, Token

HORIZONS_MIN = keys.HORIZONS_MIN


class Source(models.TextChoices):
    SCORE = "score", "score"
    STAGE2 = "stage2", "Stage 2"
    MODEL = "model", "model"


class Direction(models.TextChoices):
    UP = "up", "up"
    DOWN = "down", "down"
    NONE = "none", "none"


class Role(models.TextChoices):
    CHAMPION = "champion", "champion"
    CHALLENGER = "challenger", "challenger"
    RETIRED = "retired", "retired"
    REFUSED = "refused", "refused"


SERVING = (Role.CHAMPION, Role.CHALLENGER)


class OutcomeState(models.TextChoices):
    PRICED = "priced", "priced"
    DEAD = "dead", "dead: no fresh price came"
    UNKNOWN = "unknown", "unknown: we did not look"


def _key_says(name: str, slot: Any = 0) -> models.CheckConstraint:
    """The key is made of the row's own columns."""
    made = Epoch(F("ts")) * (1 << keys.TS_SHIFT) + F("token_id") * keys.SLOTS + slot
    return models.CheckConstraint(name=name, condition=Exact(F("id"), made))


def _of_their_vector(table: str) -> models.CheckConstraint:
    """The same moment and token as the vector it was made from."""
    return models.CheckConstraint(name=f"{table}_of_their_vector", condition=Exact(_of_vector("id"), _of_vector("vector_id")))


def _of_vector(field: str) -> Combinable:
    """The key of the vector behind a signal or prediction."""
    return F(field).bitrightshift(keys.SLOT_BITS) * keys.SLOTS


def _outcome_key(field: str, kind: int) -> Combinable:
    """What the key of an outcome of this signal or prediction must be."""
    horizons = [models.When(horizon_min=minutes, then=models.Value(slot)) for slot, minutes in enumerate(keys.HORIZONS_MIN)]
    place = F(field).bitand(keys.PLACES - 1)
    return _of_vector(field) + place * 4 + (kind << 4) + models.Case(*horizons, output_field=models.BigIntegerField())


def _finite(table: str, *fields: str) -> list[models.CheckConstraint]:
    """One constraint for all: unknown, or a number between the two largest amounts. Never NaN, never infinite."""
    condition = Q()
    for field in fields:
        condition &= Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gte": -LARGEST_AMOUNT, f"{field}__lte": LARGEST_AMOUNT})
    return [models.CheckConstraint(name=f"{table}_finite", condition=condition)]


class AlreadyWritten(RuntimeError):
    """Evidence is written once: a row that is there is never changed."""


class WrittenOnce(models.Model):
    """A row that can be made and read. Nothing is ever filled in afterwards."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AlreadyWritten(f"{self._meta.db_table} {self.pk} is there already")
        super().save(*args, **{**options, "force_insert": True})


class FeatureSchema(WrittenOnce):
    """What the slots of a vector mean. A new version is a new row; vectors of the old one keep their meaning."""

    version = models.PositiveSmallIntegerField(primary_key=True)
    hash = models.CharField(max_length=64, unique=True)
    names = models.JSONField(help_text="One a slot, in their order.")
    documented = models.JSONField(default=list, help_text="Of each slot: group, unit, text.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "feature_schemas"

    def __str__(self) -> str:
        return f"version {self.version}"


class FeatureVector(WrittenOnce):
    """What was known of one token at one moment: a number a slot, and a reason for each that is missing."""

    id = models.BigIntegerField(primary_key=True, help_text="Made of the moment and the token.")
    ts = models.DateTimeField(help_text="The moment it is about: nothing in it is newer.")
    stored_at = models.DateTimeField(help_text="What had been stored by then could be in it.")
    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="vectors")
    schema = models.ForeignKey(FeatureSchema, on_delete=models.PROTECT, related_name="vectors", db_index=False)
    values = models.BinaryField(help_text="Little-endian float32, one a slot; NaN where it is missing.")
    reasons = models.BinaryField(default=b"", help_text="Half a byte a slot: why it is missing. Empty when nothing is.")

    class Meta:
        db_table = "feature_vectors"
        constraints = [
            _key_says("feature_vectors_key"),
            models.CheckConstraint(name="feature_vectors_stored_later", condition=Q(stored_at__gte=F("ts"))),
        ]

    def __str__(self) -> str:
        return f"{self.token_id} at {self.ts:%Y-%m-%d %H:%M:%S}"

    def as_array(self) -> Any:
        """The values as they are stored, NaN where one is missing."""
        from learning import packing  # and numpy with it, which a start alone does not need

        return packing.unpack_values([bytes(self.values)])[0]

    def reasons_array(self) -> Any:
        """One number a slot: 0 where there is a value, else why there is none (`learning.missing.Reason`)."""
        from learning import packing

        return packing.unpack_reasons([bytes(self.reasons)], len(self.values) // packing.FLOAT.itemsize)[0]

    def named(self) -> dict[str, float]:
        """Every slot by its name; NaN where it is missing."""
        return dict(zip(self.schema.names, self.as_array().tolist(), strict=True))


class ModelVersion(models.Model):
    """One trained model: what it learnt from, how it did, and whether it speaks."""

    name = models.CharField(max_length=60)
    number = models.PositiveIntegerField()
    role = models.CharField(max_length=12, choices=Role)
    place = models.PositiveSmallIntegerField(default=0, help_text="The slot of its predictions.")
    schema = models.ForeignKey(FeatureSchema, on_delete=models.PROTECT, related_name="model_versions")
    horizons = models.JSONField(default=list, help_text="In minutes.")
    trained_from = models.DateTimeField()
    trained_to = models.DateTimeField()
    made_at = models.DateTimeField(default=timezone.now)
    file = models.CharField(max_length=200, blank=True, default="")
    file_hash = models.CharField(max_length=64, blank=True, default="")
    settings = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict, help_text="Each with its interval.")
    baselines = models.JSONField(default=dict, help_text="What it had to beat, and whether it did.")
    importances = models.JSONField(default=dict, help_text="By permutation.")
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_why = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        db_table = "model_versions"
        constraints = [
            models.UniqueConstraint(fields=["name", "number"], name="model_versions_name_number"),
            models.UniqueConstraint(fields=["role"], condition=Q(role=Role.CHAMPION), name="model_versions_one_champion"),
            models.UniqueConstraint(fields=["place"], condition=Q(role__in=SERVING), name="model_versions_one_a_place"),
            models.CheckConstraint(name="model_versions_known_role", condition=Q(role__in=Role.values)),
            models.CheckConstraint(name="model_versions_known_place", condition=Q(place__gte=0, place__lt=keys.PLACES)),
            models.CheckConstraint(name="model_versions_trained_on_a_time", condition=Q(trained_to__gte=F("trained_from"))),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


def _per_horizon(text: str) -> dict[str, Any]:
    return {"null": True, "blank": True, "help_text": text}


class Prediction(WrittenOnce):
    """What one model made of one vector, for each horizon: expected return, probabilities of up, flat and down, risk."""

    id = models.BigIntegerField(primary_key=True, help_text="Made of the moment, the token and the model's place.")
    ts = models.DateTimeField()
    vector = models.ForeignKey(FeatureVector, on_delete=models.PROTECT, related_name="predictions")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="predictions", db_index=False)
    inference_ms = RealField(help_text="Of the whole batch, shared among its rows.")
    return_15m = RealField(**_per_horizon("0.03 is +3 %."))
    up_15m = RealField(**_per_horizon("Probability."))
    flat_15m = RealField(**_per_horizon("Probability."))
    down_15m = RealField(**_per_horizon("Probability."))
    risk_15m = RealField(**_per_horizon("What may be lost."))
    return_1h = RealField(**_per_horizon("0.03 is +3 %."))
    up_1h = RealField(**_per_horizon("Probability."))
    flat_1h = RealField(**_per_horizon("Probability."))
    down_1h = RealField(**_per_horizon("Probability."))
    risk_1h = RealField(**_per_horizon("What may be lost."))
    return_4h = RealField(**_per_horizon("0.03 is +3 %."))
    up_4h = RealField(**_per_horizon("Probability."))
    flat_4h = RealField(**_per_horizon("Probability."))
    down_4h = RealField(**_per_horizon("Probability."))
    risk_4h = RealField(**_per_horizon("What may be lost."))
    return_12h = RealField(**_per_horizon("0.03 is +3 %."))
    up_12h = RealField(**_per_horizon("Probability."))
    flat_12h = RealField(**_per_horizon("Probability."))
    down_12h = RealField(**_per_horizon("Probability."))
    risk_12h = RealField(**_per_horizon("What may be lost."))
    raw = models.BinaryField(default=b"", help_text="What the model itself gave out, little-endian float32.")

    class Meta:
        db_table = "predictions"
        constraints = [
            models.CheckConstraint(name="predictions_key", condition=Exact(F("id").bitrightshift(keys.TS_SHIFT), Epoch(F("ts")))),
            _of_their_vector("predictions"),
        ]

    def __str__(self) -> str:
        return f"{self.vector_id} by {self.model_id}"


def _slot_of_source() -> Combinable:
    whens = [models.When(source=source, then=models.Value(slot)) for slot, source in enumerate(keys.SOURCES)]
    return models.Case(*whens, output_field=models.BigIntegerField())


class Signal(WrittenOnce):
    """What was said of one token at one moment, by the score, by Stage 2 or by a model, and what it was based on."""

    id = models.BigIntegerField(primary_key=True, help_text="Made of the moment, the token and the source.")
    ts = models.DateTimeField()
    stored_at = models.DateTimeField()
    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="signals")
    vector = models.ForeignKey(FeatureVector, on_delete=models.PROTECT, related_name="signals")
    settings = models.ForeignKey(ScoringSettings, on_delete=models.PROTECT, related_name="signals", db_index=False)
    token_score = models.ForeignKey(TokenScore, null=True, blank=True, on_delete=models.PROTECT, related_name="signals")
    prediction = models.ForeignKey(Prediction, null=True, blank=True, on_delete=models.PROTECT, related_name="signals")
    price = models.FloatField(help_text="At the decision, in US dollars.")
    strength = models.FloatField(
        null=True, blank=True, help_text="The number it was: the score, the score of Stage 2, the expected return."
    )
    confidence = models.FloatField(null=True, blank=True, help_text="A probability; blank where it is none.")
    cost = RealField(help_text="Of buying and selling, as a share: what net outcomes have paid.")
    source = models.CharField(max_length=6, choices=Source)
    direction = models.CharField(max_length=4, choices=Direction)

    class Meta:
        db_table = "signals"
        constraints = [
            _key_says("signals_key", slot=_slot_of_source()),
            _of_their_vector("signals"),
            models.CheckConstraint(
                name="signals_based_on_what_made_them",
                condition=Q(source=Source.SCORE, token_score__isnull=False, prediction__isnull=True)
                | Q(source=Source.STAGE2, token_score__isnull=True, prediction__isnull=True)
                | Q(source=Source.MODEL, token_score__isnull=True, prediction__isnull=False),
            ),
            models.CheckConstraint(name="signals_known_direction", condition=Q(direction__in=Direction.values)),
            models.CheckConstraint(name="signals_price_is_a_price", condition=Q(price__gt=0, price__lte=LARGEST_AMOUNT)),
            models.CheckConstraint(
                name="signals_confidence_share", condition=Q(confidence__isnull=True) | Q(confidence__gte=0, confidence__lte=1)
            ),
            models.CheckConstraint(name="signals_cost_share", condition=Q(cost__gte=0, cost__lte=1)),
            *_finite("signals", "strength"),
        ]

    def __str__(self) -> str:
        return f"{self.source} says {self.direction} of {self.token_id} at {self.ts:%Y-%m-%d %H:%M:%S}"


class Outcome(WrittenOnce):
    """What came of a signal or a prediction after one horizon. Written once, when the horizon is over.

    `priced`: measured between the price at the decision and the last one before the horizon ended. `dead`: the token was looked at no more
    or had no price any more; its last price counts less the share that the settings say is lost (`evidence_dead_loss`). `unknown`: we
    ourselves were not looking when it ended, and no number is given. Best and worst are unknown too where we were blind on the way.
    """

    id = models.BigIntegerField(primary_key=True, help_text="Made of the moment, the token, what it is of, and the horizon.")
    settled_at = models.DateTimeField()
    signal = models.ForeignKey(Signal, null=True, blank=True, on_delete=models.PROTECT, related_name="outcomes")
    prediction = models.ForeignKey(Prediction, null=True, blank=True, on_delete=models.PROTECT, related_name="outcomes")
    price = models.FloatField(
        null=True, blank=True, help_text="The last one seen before the horizon ended; blank if none after the decision."
    )
    gross = models.FloatField(null=True, blank=True, help_text="The return before costs: 0.03 is +3 %.")
    net = models.FloatField(null=True, blank=True, help_text="After the costs of buying and selling.")
    best = models.FloatField(null=True, blank=True, help_text="The highest return on the way; blank where we were blind for a while.")
    worst = models.FloatField(null=True, blank=True, help_text="The lowest return on the way; blank where we were blind for a while.")
    best_sec = models.IntegerField(null=True, blank=True, help_text="Seconds until then.")
    worst_sec = models.IntegerField(null=True, blank=True, help_text="Seconds until then.")
    horizon_min = models.SmallIntegerField(help_text="15, 60, 240 or 720.")
    state = models.CharField(max_length=7, choices=OutcomeState)

    class Meta:
        db_table = "outcomes"
        constraints = [
            models.CheckConstraint(name="outcomes_known_horizon", condition=Q(horizon_min__in=HORIZONS_MIN)),
            models.CheckConstraint(name="outcomes_known_state", condition=Q(state__in=OutcomeState.values)),
            models.CheckConstraint(
                name="outcomes_of_one_thing",
                condition=Q(signal__isnull=False, prediction__isnull=True) | Q(signal__isnull=True, prediction__isnull=False),
            ),
            models.CheckConstraint(
                name="outcomes_key",
                condition=Exact(
                    F("id"),
                    Coalesce(_outcome_key("signal_id", keys.OF_SIGNAL), _outcome_key("prediction_id", keys.OF_PREDICTION)),
                ),
            ),
            models.CheckConstraint(
                name="outcomes_never_early",
                condition=GreaterThanOrEqual(Epoch(F("settled_at")), F("id").bitrightshift(keys.TS_SHIFT) + F("horizon_min") * 60),
            ),
            models.CheckConstraint(
                name="outcomes_numbers_unless_unknown",
                condition=Q(state=OutcomeState.UNKNOWN, gross__isnull=True, net__isnull=True, best__isnull=True, worst__isnull=True)
                | Q(state__in=(OutcomeState.PRICED, OutcomeState.DEAD), gross__isnull=False, net__isnull=False),
            ),
            *_finite("outcomes", "price", "gross", "net", "best", "worst"),
        ]

    def __str__(self) -> str:
        return f"{self.signal_id or self.prediction_id} after {self.horizon_min} min: {self.state}"


class Settled(models.Model):
    """How far the settling has come with one horizon: everything with a lesser key has its outcome. A worker's note, no evidence."""

    horizon_min = models.SmallIntegerField(primary_key=True)
    until = models.BigIntegerField(default=0, help_text="A key.")

    class Meta:
        db_table = "evidence_settled"

    def __str__(self) -> str:
        return f"{self.horizon_min} min until {self.until}"
