"""Alerts: where they go, and the rules that say what they wait for and how often they may be told."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from ingestion import channels
from ingestion.channels import Channel
from ingestion.secret import Secret
from scoring.alert_kinds import EVENT, FIGURES, KINDS, Kind
from scoring.alert_manner import Level, Manner, QuietHours, zone_named
from scoring.revisions import not_a_plain_number
from tokens.models import LARGEST_AMOUNT, Status

SECRETS = ("bot_token", "webhook_url", "signing_secret")
PARTS = {"token": "bot_token", "chat": "chat_id", "address": "webhook_url", "signing": "signing_secret"}
NUMBERS = ("level", "band", "min_liquidity", "min_age_minutes", "max_age_hours", "cooldown_minutes", "an_hour")
OTHER_LIMITS = ("min_liquidity", "min_age_minutes", "max_age_hours")


class AlertChannel(models.Model):
    """One place that alerts go to. Its secrets are written here and shown nowhere again."""

    class Kind(models.TextChoices):
        TELEGRAM = channels.TELEGRAM, "Telegram"
        DISCORD = channels.DISCORD, "Discord"
        WEBHOOK = channels.WEBHOOK, "any web address (signed)"

    name = models.CharField(max_length=80, unique=True, help_text="How rules and the log call it: “my phone”.")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TELEGRAM)
    enabled = models.BooleanField(default=True, help_text="Off: nothing is sent here; the log says what would have been.")
    chat_id = models.CharField(
        max_length=40, blank=True, default="", help_text="The chat's number, like -1001234567890, or a public channel's @name."
    )
    bot_token = models.CharField(max_length=120, blank=True, default="", help_text="What BotFather gave, like 123456789:AAF…")
    webhook_url = models.CharField(
        max_length=channels.LONGEST_ADDRESS,
        blank=True,
        default="",
        verbose_name="webhook address",
        help_text="Discord: channel settings, Integrations, Webhooks, Copy URL. Else where your program listens: https://…, or http:// on "
        "this machine or in its own network. Redirects are not followed.",
    )
    signing_secret = models.CharField(
        max_length=200, blank=True, default="", help_text="16 characters or more that only your program and this page know."
    )
    author = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "alert_channels"
        constraints = [
            models.CheckConstraint(name="alert_channels_name_not_blank", condition=~Q(name="")),
            models.CheckConstraint(
                name="alert_channels_complete",
                condition=(Q(kind=channels.TELEGRAM) & ~Q(bot_token="") & ~Q(chat_id="") & Q(webhook_url="", signing_secret=""))
                | (Q(kind=channels.DISCORD, webhook_url__startswith="http") & Q(bot_token="", chat_id="", signing_secret=""))
                | (Q(kind=channels.WEBHOOK, webhook_url__startswith="http") & ~Q(signing_secret="") & Q(bot_token="", chat_id="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def channel(self) -> Channel:
        """As the messengers need it."""
        return Channel(
            self.kind,
            str(self.pk),
            Secret(self.webhook_url),
            Secret(self.bot_token),
            self.chat_id,
            Secret(self.signing_secret),
        )

    def clean(self) -> None:
        """Complete for its kind, and without what belongs to another."""
        wanted = {"telegram": ("bot_token", "chat_id"), "discord": ("webhook_url",), "webhook": ("webhook_url", "signing_secret")}
        for name in {*SECRETS, "chat_id"} - set(wanted.get(self.kind, ())):
            setattr(self, name, "")
        if found := channels.trouble_with(self.channel()):
            raise ValidationError({PARTS[part]: sentence for part, sentence in found.items()})


def _number(help_text: str, least: float, most: float, **more: Any) -> models.FloatField[float | None, float | None]:
    return models.FloatField(validators=[MinValueValidator(least), MaxValueValidator(most)], help_text=help_text, **more)


# One place for the limits: validators and constraints both follow from here.
LIMITS: dict[str, tuple[float, float]] = {
    "level": (-LARGEST_AMOUNT, LARGEST_AMOUNT),
    "band": (0, LARGEST_AMOUNT),
    "min_liquidity": (0, LARGEST_AMOUNT),
    "min_age_minutes": (0, 525_600),
    "max_age_hours": (0.01, 8760),
    "cooldown_minutes": (0, 10_080),
    "an_hour": (1, 1000),
}


class AlertRule(models.Model):
    """What to wait for, and how often it may be told. It tells of a change, never of a state."""

    name = models.CharField(max_length=80, unique=True, help_text="Stands above each alert: “hot token”.")
    enabled = models.BooleanField(default=True, help_text="Off: nothing is watched. Switched on again, it first learns what is so already.")
    channels = models.ManyToManyField(AlertChannel, blank=True, related_name="rules", help_text="Without a channel the log alone is told.")
    kind = models.CharField(max_length=20, choices=[(kind.name, kind.words) for kind in KINDS.values()], default="score")
    figure = models.CharField(
        max_length=30, blank=True, default="", choices=[(name, figure.words) for name, figure in FIGURES.items()], help_text="Which figure."
    )
    rising = models.BooleanField(default=True, choices=[(True, "rises to the level or over it"), (False, "falls to the level or under it")])
    level = _number(
        "A score, a figure, minutes of silence, or per cent of the month's budget that are left.", *LIMITS["level"], null=True, blank=True
    )
    band = _number(
        "How far it must come back before it can alert again, so that a value dancing on the level is one alert. Typical: a tenth of it.",
        *LIMITS["band"],
        default=0.0,
    )
    old_status = models.CharField(max_length=16, blank=True, default="", choices=Status, help_text="Blank: from any.")
    new_status = models.CharField(max_length=16, blank=True, default="", choices=Status, help_text="Blank: to any.")
    only_active = models.BooleanField(default=True, help_text="Only tokens that are Active. Off: Initial ones too.")
    min_liquidity = _number(
        "US dollars: only tokens with at least this liquidity. Blank: all.", *LIMITS["min_liquidity"], null=True, blank=True
    )
    min_age_minutes = _number(
        "Only tokens that migrated at least so long ago: the windows of a newborn are short, and its score starts high. Blank: all. "
        "Typical: 15.",
        *LIMITS["min_age_minutes"],
        null=True,
        blank=True,
    )
    max_age_hours = _number("Only tokens that migrated at most so long ago. Blank: all.", *LIMITS["max_age_hours"], null=True, blank=True)
    cooldown_minutes = models.IntegerField(
        default=30,
        validators=[MinValueValidator(0), MaxValueValidator(10_080)],
        help_text="After an alert, the same token is not told again for so long. Typical: 30.",
    )
    an_hour = models.IntegerField(
        "alerts an hour at most",
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="Of this rule, over all tokens. What is beyond is logged and not sent. Typical: 20.",
    )
    quiet_from = models.TimeField(null=True, blank=True, help_text="Nothing is sent from here…")
    quiet_to = models.TimeField(null=True, blank=True, help_text="…to here, over midnight too. The log says what was withheld.")
    quiet_zone = models.CharField("time zone", max_length=60, default="UTC", help_text="Of the quiet hours, like Europe/Kyiv.")
    critical = models.BooleanField(default=False, help_text="Sent in quiet hours too: for what must wake somebody.")
    learned = models.CharField(max_length=64, blank=True, default="", editable=False, help_text="For which wording its states hold.")
    learned_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="What happened before is not told.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "alert_rules"
        constraints = [
            models.CheckConstraint(name="alert_rules_name_not_blank", condition=~Q(name="")),
            models.CheckConstraint(name="alert_rules_known_kind", condition=Q(kind__in=list(KINDS))),
            models.CheckConstraint(
                name="alert_rules_has_level",
                condition=Q(level__isnull=False) | ~Q(kind__in=[k.name for k in KINDS.values() if "level" in k.asks]),
            ),
            models.CheckConstraint(name="alert_rules_has_figure", condition=~Q(kind="figure") | Q(figure__in=list(FIGURES))),
            models.CheckConstraint(
                name="alert_rules_known_statuses", condition=Q(old_status__in=["", *Status.values], new_status__in=["", *Status.values])
            ),
            models.CheckConstraint(name="alert_rules_a_change", condition=~Q(old_status=F("new_status")) | Q(old_status="")),
            models.CheckConstraint(
                name="alert_rules_quiet_whole",
                condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | (Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=F("quiet_to"))),
            ),
            *[
                models.CheckConstraint(
                    name=f"alert_rules_{field}",
                    condition=Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gte": least, f"{field}__lte": most}),
                )
                for field, (least, most) in LIMITS.items()
            ],
        ]

    def __str__(self) -> str:
        return self.name

    def level_of(self) -> Level:
        """As the pure part needs it. Kinds with one direction or one level have it whatever the row says."""
        kind = KINDS[self.kind]
        at = kind.level if kind.level is not None else self.level
        rising = self.rising if kind.rising is None else kind.rising
        return Level(0.0 if at is None else float(at), float(self.band or 0) if "band" in kind.asks else 0.0, rising)

    def manner(self) -> Manner:
        quiet = None
        if self.quiet_from is not None and self.quiet_to is not None and not self.critical:
            quiet = QuietHours(self.quiet_from, self.quiet_to, zone_named(self.quiet_zone) or timezone.get_default_timezone())
        return Manner(self.cooldown_minutes * 60.0, self.an_hour, quiet)

    def for_events(self) -> AlertRule:
        """Its other limits alone: a change of status says itself which status it is about."""
        limits = {name: getattr(self, name) for name in OTHER_LIMITS}
        return AlertRule(only_active=False, **limits)

    def has_no_limit(self) -> bool:
        return all(getattr(self, name) is None for name in OTHER_LIMITS)

    def wording(self) -> str:
        """Changes whenever what is watched changes: states learned for another wording mean nothing."""
        limits = [getattr(self, name) for name in KINDS[self.kind].asks if name not in ("level", "band", "rising")]
        watched = (self.kind, self.level_of(), limits)
        return hashlib.sha256(repr(watched).encode()).hexdigest()

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """As Django does, and refuse first what its validators let through: NaN, infinity, True."""
        left_out = set(exclude or ())
        errors: dict[str, Any] = {}
        for name in set(NUMBERS) - left_out:
            value = getattr(self, name)
            whole = isinstance(self._meta.get_field(name), models.IntegerField)
            if value is not None and (sentence := not_a_plain_number(value, whole)):
                errors[name] = [ValidationError(sentence, code="not_a_number")]
        try:
            super().clean_fields(exclude=left_out | errors.keys())
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    def clean(self) -> None:
        """What this kind needs is there, and what belongs to another kind is not."""
        kind = KINDS.get(self.kind)
        if kind is None:
            return  # said already
        for name in ("figure", "old_status", "new_status", "min_liquidity", "min_age_minutes", "max_age_hours", "level"):
            if name not in kind.asks:
                setattr(self, name, None if name in LIMITS else "")
        if errors := {**self._wrong_aim(kind), **self._wrong_hours()}:
            raise ValidationError(errors)

    def _wrong_aim(self, kind: Kind) -> dict[str, str]:
        if "level" in kind.asks and self.level is None:
            return {"level": "Enter the level that it is about."}
        if kind.between is not None and self.level is not None and not kind.between[0] <= self.level <= kind.between[1]:
            return {"level": f"{kind.unit.capitalize()}, between {kind.between[0]:g} and {kind.between[1]:g}."}
        if "figure" in kind.asks and not self.figure:
            return {"figure": "Choose the figure that it is about."}
        if kind.about == EVENT and self.old_status and self.old_status == self.new_status:
            return {"new_status": "The same as before would be no change."}
        return {}

    def _wrong_hours(self) -> dict[str, str]:
        if zone_named(self.quiet_zone) is None:
            return {"quiet_zone": "No time zone of that name. Like UTC, Europe/Kyiv, America/New_York."}
        if (self.quiet_from is None) != (self.quiet_to is None):
            return {"quiet_to": "Quiet hours need a beginning and an end, or neither."}
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            return {"quiet_to": "They would end as they begin. Leave both blank to have no quiet hours."}
        return {}
