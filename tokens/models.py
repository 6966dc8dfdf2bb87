"""What was found and what was seen: tokens, their pools, the snapshots of both, bars, and every change of status."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from tokens.questions import TokenQuerySet

if TYPE_CHECKING:
    from tokens.explanation import Explained

# Upper bounds belong to the constraints for a second reason: PostgreSQL sorts NaN above every number, so `<=` refuses it.
LARGEST_AMOUNT = 1e18
LARGEST_COUNT = 2_000_000_000


def amounts_are_sane(model: str, *fields: str) -> list[models.CheckConstraint]:
    """One constraint a field: unknown, or a number from 0 to the largest amount. Never NaN, never infinite."""
    return [
        models.CheckConstraint(
            name=f"{model}_{field}_sane",
            condition=Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gte": 0, f"{field}__lte": LARGEST_AMOUNT}),
        )
        for field in fields
    ]


class Chain(models.TextChoices):
    SOLANA = "solana", "Solana"
    BINANCE = "binance", "Binance"


class Status(models.TextChoices):
    INITIAL = "Initial", "Initial"
    ACTIVE = "Active", "Active"
    ARCHIVED = "Archived", "Archived"


LIVING = (Status.INITIAL, Status.ACTIVE)


class Token(models.Model):
    address = models.CharField(max_length=64, unique=True, help_text="The mint on Solana, the symbol on Binance.")
    chain = models.CharField(max_length=16, choices=Chain, default=Chain.SOLANA)
    symbol = models.CharField(max_length=40, blank=True, default="")
    name = models.CharField(max_length=120, blank=True, default="")
    status = models.CharField(max_length=16, choices=Status, default=Status.INITIAL)
    created_at = models.DateTimeField(default=timezone.now, help_text="When the migration reached us.")
    migrated_signature = models.CharField(max_length=128, blank=True, default="")
    first_pool_label = models.CharField(max_length=40, blank=True, default="", help_text="The pool label of the migration event.")
    activated_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    status_changed_at = models.DateTimeField(default=timezone.now)
    held = models.BooleanField(default=False, help_text="Set by an operator's hand: automatic changes leave this token alone.")

    last_score_value = models.FloatField(null=True, blank=True)
    last_scored_at = models.DateTimeField(null=True, blank=True, help_text="Moment of the data the last score was made from.")
    last_snapshot_at = models.DateTimeField(null=True, blank=True)
    next_poll_at = models.DateTimeField(default=timezone.now)
    poll_failures = models.PositiveIntegerField(default=0, help_text="Polls in a row that brought nothing for this token.")
    units_spent = models.PositiveBigIntegerField(default=0, help_text="Birdeye compute units spent on this token so far.")
    lease = models.BigIntegerField(null=True, blank=True, editable=False, help_text="Of several machines, the share that polls it now.")
    leased_until = models.DateTimeField(null=True, blank=True, editable=False, help_text="From then on another machine may poll it.")

    # The state of the status rule lives here, so that a restart changes nothing.
    last_check_at = models.DateTimeField(null=True, blank=True, help_text="Moment of the data the status rule last looked at.")
    observed_sec = models.FloatField(default=0.0, help_text="Seconds in this status during which fresh data came in.")
    low_since = models.DateTimeField(null=True, blank=True, help_text="First of the present run of low checks.")
    low_checks = models.PositiveIntegerField(default=0, help_text="Low checks in a row.")

    objects = models.Manager.from_queryset(TokenQuerySet)()

    class Meta:
        db_table = "tokens"
        constraints = [
            models.CheckConstraint(name="tokens_known_status", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="tokens_known_chain", condition=Q(chain__in=Chain.values)),
            models.CheckConstraint(name="tokens_address_not_blank", condition=~Q(address="")),
            models.CheckConstraint(
                name="tokens_score_finite",
                condition=Q(last_score_value__isnull=True) | Q(last_score_value__gte=-LARGEST_AMOUNT, last_score_value__lte=LARGEST_AMOUNT),
            ),
        ]
        indexes = [
            # None on what each tick changes (next_poll_at, last_score_value): PostgreSQL can then leave all indexes alone and write the
            # new row beside the old one, at a third of the time. The living ones are few, and found by their status.
            models.Index(fields=["status", "-status_changed_at"], name="tokens_status_changed"),
            models.Index(fields=["-created_at"], name="tokens_created"),
            models.Index(fields=["symbol"], name="tokens_symbol"),
            models.Index(fields=["leased_until"], condition=Q(leased_until__isnull=False), name="tokens_leased"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol or '?'} {self.address[:4]}…{self.address[-4:]}"

    def age(self, now: datetime) -> float:
        """Seconds since the migration reached us."""
        return (now - self.created_at).total_seconds()

    def explain(self) -> Explained:
        """Why the score is what it is: prints as text, and has `parts` whose contributions add up to it."""
        from tokens.explanation import explain  # it reads what stands below

        return explain(self)

    def history(self, hours: float = 24.0, until: datetime | None = None) -> list[dict[str, Any]]:
        """The snapshots of the `hours` before `until` (its newest snapshot), oldest first, each with the score made from it."""
        until = until or self.last_snapshot_at
        if until is None:
            return []
        window = {"ts__gt": until - timedelta(hours=hours), "ts__lte": until}
        scores = dict(self.scores.filter(**window).values_list("ts", "score"))
        figures = ("price", "liquidity", "holders", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h", "source", "contradictions")
        rows = self.snapshots.filter(**window).order_by("ts").values("ts", *figures)
        return [{**row, "score": scores.get(row["ts"])} for row in rows]


class Pool(models.Model):
    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="pools")
    pool_address = models.CharField(max_length=64, unique=True)
    dex_name = models.CharField(max_length=40)
    quote_symbol = models.CharField(max_length=40, blank=True, default="")
    opened_at = models.DateTimeField(null=True, blank=True, help_text="When the exchange says it was opened.")
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "pools"
        # No index on last_seen: it is written each minute, and a token has few pools.

    def __str__(self) -> str:
        return f"{self.dex_name} {self.pool_address[:4]}…{self.pool_address[-4:]}"


class Source(models.TextChoices):
    """Where a snapshot's token-level figures come from."""

    BIRDEYE = "birdeye", "Birdeye"
    POOLS = "pools", "sum over pools (DexScreener)"
    POOLS_BIRDEYE = "pools+birdeye", "sum over pools, holders and flow still fresh from Birdeye"
    BINANCE = "binance", "Binance"


class TokenSnapshot(models.Model):
    """One row a token and tick; null is unknown, never zero. It holds all that the score of that moment is made from."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="snapshots")
    ts = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source)
    price = models.FloatField(null=True, blank=True)
    liquidity = models.FloatField(null=True, blank=True)
    holders = models.BigIntegerField(null=True, blank=True)
    tx_count_5m = models.IntegerField(null=True, blank=True)
    tx_count_1h = models.IntegerField(null=True, blank=True)
    volume_5m = models.FloatField(null=True, blank=True)
    volume_1h = models.FloatField(null=True, blank=True)
    buys_5m = models.IntegerField(null=True, blank=True, help_text="Count of buys.")
    sells_5m = models.IntegerField(null=True, blank=True, help_text="Count of sells.")
    buys_volume_5m = models.FloatField(null=True, blank=True)
    sells_volume_5m = models.FloatField(null=True, blank=True)
    unique_wallets_5m = models.IntegerField(null=True, blank=True)
    last_trade_at = models.DateTimeField(null=True, blank=True)
    birdeye_at = models.DateTimeField(null=True, blank=True, help_text="When holders, flow and wallets of this row were read.")
    contradictions = models.CharField(max_length=200, blank=True, default="", help_text="Names of the checks these figures fail.")

    class Meta:
        db_table = "token_snapshots"
        constraints = [
            models.UniqueConstraint(fields=["token", "ts"], name="token_snapshots_token_ts"),
            *amounts_are_sane(
                "token_snapshots",
                "price",
                "liquidity",
                "holders",
                "tx_count_5m",
                "tx_count_1h",
                "volume_5m",
                "volume_1h",
                "buys_volume_5m",
                "sells_volume_5m",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token_id} at {self.ts:%Y-%m-%d %H:%M:%S}"


class PoolSnapshot(models.Model):
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="snapshots")
    ts = models.DateTimeField()
    price = models.FloatField(null=True, blank=True)
    liquidity = models.FloatField(null=True, blank=True)
    tx_count_5m = models.IntegerField(null=True, blank=True)
    tx_count_1h = models.IntegerField(null=True, blank=True)
    volume_5m = models.FloatField(null=True, blank=True)
    volume_1h = models.FloatField(null=True, blank=True)
    buys_5m = models.IntegerField(null=True, blank=True, help_text="Count of buys.")
    sells_5m = models.IntegerField(null=True, blank=True, help_text="Count of sells.")
    buys_volume_5m = models.FloatField(null=True, blank=True)
    sells_volume_5m = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "pool_snapshots"
        constraints = [
            models.UniqueConstraint(fields=["pool", "ts"], name="pool_snapshots_pool_ts"),
            *amounts_are_sane("pool_snapshots", "price", "liquidity", "tx_count_5m", "tx_count_1h", "volume_5m", "volume_1h"),
        ]

    def __str__(self) -> str:
        return f"{self.pool_id} at {self.ts:%Y-%m-%d %H:%M:%S}"


class BarSource(models.TextChoices):
    """Who says what a bar says."""

    SNAPSHOTS = "snapshots", "our own snapshots: prices as seen, amounts a share of the last five minutes' (estimated)"
    BIRDEYE = "birdeye", "Birdeye's OHLCV"
    BINANCE = "binance", "Binance's klines"
    BARS = "bars", "bars of one minute, added up"


class Bar(models.Model):
    """What one interval of time looked like. Where nothing was seen there is no row: a gap is a gap. Written once, never changed."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="bars")
    interval = models.CharField(max_length=4, help_text="1m, 5m, 1h, 1d")
    open_time = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField(null=True, blank=True, help_text="US dollars.")
    trades = models.FloatField(null=True, blank=True, help_text="A count; where it is estimated, not a whole one.")
    buy_volume = models.FloatField(null=True, blank=True, help_text="US dollars.")
    source = models.CharField(max_length=10, choices=BarSource, default=BarSource.SNAPSHOTS, db_default=BarSource.SNAPSHOTS)
    stored_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text="When we came to know it. A judgement made before that did not see it."
    )

    class Meta:
        db_table = "bars"
        constraints = [
            models.UniqueConstraint(fields=["token", "interval", "open_time"], name="bars_token_interval_open_time"),
            models.CheckConstraint(
                name="bars_low_to_high", condition=Q(low__lte=F("open"), high__gte=F("open")) & Q(low__lte=F("close"), high__gte=F("close"))
            ),
            models.CheckConstraint(name="bars_prices_are_prices", condition=Q(low__gt=0, high__lte=LARGEST_AMOUNT)),
            *amounts_are_sane("bars", "volume", "trades", "buy_volume"),
        ]
        indexes = [models.Index(fields=["interval", "open_time"], name="bars_interval_open_time")]

    def __str__(self) -> str:
        return f"{self.token_id} {self.interval} {self.open_time:%Y-%m-%d %H:%M}"


class StatusChange(models.Model):
    """Every change of status, by rule or by hand, with the numbers that caused it. Written once, never changed."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="status_changes")
    old = models.CharField(max_length=16, choices=Status, blank=True, help_text="Blank for the first row of a token.")
    new = models.CharField(max_length=16, choices=Status)
    reason = models.CharField(max_length=400, help_text="In words a person understands.")
    evidence = models.JSONField(default=dict, blank=True, help_text="The numbers behind the words.")
    actor = models.CharField(max_length=150, help_text="rule:activate, rule:degrade, rule:timeout, listener, or a user's name.")
    ts = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "status_changes"
        indexes = [
            models.Index(fields=["token", "-ts"], name="status_changes_token_ts"),
            models.Index(fields=["-ts"], name="status_changes_ts"),
        ]

    def __str__(self) -> str:
        return f"{self.old or 'new'} → {self.new}: {self.reason}"
