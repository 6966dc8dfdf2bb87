"""What the three stages decided, and what the paper broker made of it. One key leads from the judgement to its position and its fills.

Nothing here is an order: no order is ever sent anywhere.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from learning.models import Signal
from scoring.models import ScoringSettings
from tokens.models import LARGEST_AMOUNT, Token
from trading import names


def _choices(words: Any) -> list[tuple[str, str]]:
    return [(word.value, word.value.replace("_", " ").lower()) for word in words]


def _finite(table: str, *fields: str) -> list[models.CheckConstraint]:
    """One constraint a field: unknown, or a number between the two largest amounts. Never NaN, never infinite."""
    return [
        models.CheckConstraint(
            name=f"{table}_{field}_finite",
            condition=Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gte": -LARGEST_AMOUNT, f"{field}__lte": LARGEST_AMOUNT}),
        )
        for field in fields
    ]


class Judgement(models.Model):
    """One decision of Stage 2 about one token at one bar, with all that it rested on. Written once, never changed."""

    key = models.BigIntegerField(primary_key=True, help_text="Made of the minute and the token: the same decision has the same key.")
    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="judgements")
    ts = models.DateTimeField(help_text="End of the newest bar that it saw.")
    stored_at = models.DateTimeField(default=timezone.now)
    settings = models.ForeignKey(ScoringSettings, on_delete=models.PROTECT, related_name="judgements")
    signal = models.OneToOneField(
        Signal,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="judgement",
        help_text="What the evidence keeps of it; blank where that was off, came too late, or is beyond its retention.",
    )

    price = models.FloatField()
    market_state = models.CharField(max_length=12, choices=_choices(names.MarketState))
    triggers = models.JSONField(default=list, help_text="What fired: name, direction, strength.")
    effective_reasons = models.FloatField(help_text="How many independent reasons these are worth.")

    scenario = models.CharField(max_length=24, choices=_choices(names.Scenario))
    scenario_scores = models.JSONField(default=dict)
    context = models.JSONField(default=dict)
    levels = models.JSONField(default=list, help_text="Kind, price, strength, distance.")
    score = models.FloatField(null=True, blank=True)
    confidence = models.FloatField(null=True, blank=True, help_text="The score, or the probability that outcomes have made of it.")
    confidence_low = models.FloatField(null=True, blank=True)
    confidence_high = models.FloatField(null=True, blank=True)
    confidence_is_probability = models.BooleanField(default=False)

    recommendation_original = models.CharField(max_length=20, choices=_choices(names.Recommendation))
    recommendation = models.CharField(max_length=20, choices=_choices(names.Recommendation))
    basis = models.CharField(max_length=24, choices=_choices(names.Basis))
    gate = models.CharField(max_length=24, choices=_choices(names.Gate), help_text="What turned it into WAIT, if anything did.")
    side = models.SmallIntegerField(default=0, help_text="1 long, −1 short, 0 nothing to enter.")
    entry = models.FloatField(null=True, blank=True)
    stop = models.FloatField(null=True, blank=True)
    target_1 = models.FloatField(null=True, blank=True)
    target_2 = models.FloatField(null=True, blank=True)
    target_3 = models.FloatField(null=True, blank=True)
    reward_risk = models.FloatField(null=True, blank=True, help_text="After costs.")
    expectancy = models.FloatField(null=True, blank=True, help_text="In risks, after costs; unknown while confidence is no probability.")
    risk_class = models.CharField(max_length=10, choices=_choices(names.RiskClass))
    liquidity_assumed = models.BooleanField(default=False, help_text="The pool's liquidity was not known: the rule's assumption was taken.")
    narrative = models.JSONField(default=dict, help_text="Why, and what would change it: codes and numbers, told in the reader's language.")

    class Meta:
        db_table = "judgements"
        constraints = [
            models.UniqueConstraint(fields=["token", "ts"], name="judgements_token_ts"),
            models.CheckConstraint(name="judgements_known_side", condition=Q(side__in=[-1, 0, 1])),
            models.CheckConstraint(
                name="judgements_confidence_share", condition=Q(confidence__isnull=True) | Q(confidence__gte=0, confidence__lte=1)
            ),
            *_finite("judgements", "price", "entry", "stop", "target_1", "target_2", "target_3", "reward_risk", "expectancy"),
        ]
        indexes = [models.Index(fields=["-ts"], name="judgements_ts")]

    def __str__(self) -> str:
        return f"{self.recommendation} {self.token_id} at {self.ts:%Y-%m-%d %H:%M}"


class AssetStates(models.QuerySet[Any]):
    def current(self) -> AssetStates:
        """Those that the newest cycle has looked at. Of one that is looked at no longer, the state it was last in stays for a while."""
        return self.filter(ts=models.Subquery(AssetState.objects.order_by("-ts").values("ts")[:1]))


class AssetState(models.Model):
    """How one token stands in the stages now, and what the gates and the filter remember of it between two cycles."""

    token = models.OneToOneField(Token, primary_key=True, on_delete=models.CASCADE, related_name="asset_state")
    ts = models.DateTimeField(help_text="End of the newest bar that was looked at.")
    settings = models.ForeignKey(ScoringSettings, on_delete=models.PROTECT, related_name="+")
    price = models.FloatField(null=True, blank=True)
    kept = models.BooleanField(default=False, help_text="Let through by the filter.")
    refusals = models.CharField(max_length=400, blank=True, default="", help_text="Names of the limits it fails, separated by spaces.")
    market_state = models.CharField(max_length=12, choices=_choices(names.MarketState), default=names.MarketState.UNKNOWN)
    triggers = models.JSONField(default=list)
    effective_reasons = models.FloatField(default=0.0)
    alert = models.BooleanField(default=False)
    judgement = models.ForeignKey(Judgement, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="The newest.")
    gates_closed = models.IntegerField(default=0, help_text="Bits, in the order of the gates.")
    standing = models.SmallIntegerField(default=0)
    entered_at = models.FloatField(null=True, blank=True)

    objects = models.Manager.from_queryset(AssetStates)()

    class Meta:
        db_table = "asset_states"
        indexes = [models.Index(fields=["alert", "-ts"], name="asset_states_alert_ts")]

    def __str__(self) -> str:
        return f"{self.token_id} at {self.ts:%Y-%m-%d %H:%M}"


class PaperAccount(models.Model):
    """The one paper account. Its row is written with every cycle, in the transaction of the cycle: a restart goes on from here."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    started_at = models.DateTimeField(default=timezone.now)
    capital = models.FloatField(help_text="What it began with, in US dollars. Paper: nobody's money.")
    cash = models.FloatField()
    until = models.BigIntegerField(default=-1, help_text="Opening of the last bar that was taken in, seconds since 1970.")
    entered = models.JSONField(default=list, blank=True)
    closed = models.JSONField(default=list, blank=True)
    co_firing = models.JSONField(default=dict, blank=True, help_text="How often triggers fired together, as far as measured.")
    cycles = models.PositiveBigIntegerField(default=0, help_text="Goes up by one with each cycle: `seq` of the published state.")

    class Meta:
        db_table = "paper_account"
        constraints = [
            models.CheckConstraint(name="paper_account_only_one", condition=Q(id=1)),
            *_finite("paper_account", "capital", "cash"),
        ]

    def __str__(self) -> str:
        return f"paper account since {self.started_at:%Y-%m-%d}"


class PaperOrder(models.Model):
    """A decision on its way to the market: it is filled, or let go, by a later bar."""

    judgement = models.OneToOneField(Judgement, primary_key=True, on_delete=models.PROTECT, related_name="order")
    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="+")
    side = models.FloatField()
    quote = models.FloatField()
    stop = models.FloatField()
    targets = models.JSONField(default=list)
    atr = models.FloatField(null=True, blank=True)
    due = models.BigIntegerField()
    until = models.BigIntegerField()

    class Meta:
        db_table = "paper_orders"

    def __str__(self) -> str:
        return f"order {self.pk}"


class PaperPosition(models.Model):
    """A paper position, open or closed. While it is open each cycle moves it on; once closed it never changes."""

    judgement = models.OneToOneField(Judgement, primary_key=True, on_delete=models.PROTECT, related_name="position")
    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="positions")
    side = models.FloatField()
    opened_at = models.DateTimeField()
    opened = models.BigIntegerField(help_text="Opening of the bar that filled it, seconds since 1970.")
    entry = models.FloatField(help_text="Mirrored for a short, as all prices of a position.")
    quantity = models.FloatField()
    left = models.FloatField()
    first_stop = models.FloatField()
    stop = models.FloatField()
    targets = models.JSONField(default=list)
    reached = models.SmallIntegerField(default=0, help_text="Targets so far.")
    atr = models.FloatField(null=True, blank=True)
    atr_now = models.FloatField(null=True, blank=True)
    best = models.FloatField()
    last_close = models.FloatField()
    silent_sec = models.BigIntegerField(default=0)
    leaving = models.CharField(max_length=16, blank=True, default="")
    leave_due = models.BigIntegerField(default=0)
    leave_quote = models.FloatField(default=0.0)

    closed_at = models.DateTimeField(null=True, blank=True)
    exit = models.CharField(max_length=16, blank=True, default="", choices=_choices(names.Deal), help_text="What closed the rest.")
    invested = models.FloatField(default=0.0, help_text="US dollars at the entry, costs included.")
    risked = models.FloatField(default=0.0, help_text="US dollars that the first stop would have cost.")
    result = models.FloatField(null=True, blank=True, help_text="US dollars won or lost, after all costs; blank while open.")

    class Meta:
        db_table = "paper_positions"
        constraints = [
            models.CheckConstraint(name="paper_positions_sold_no_more", condition=Q(left__gte=0, left__lte=F("quantity"))),
            models.CheckConstraint(
                name="paper_positions_closed_has_result",
                condition=Q(closed_at__isnull=True, result__isnull=True) | Q(closed_at__isnull=False, result__isnull=False),
            ),
            models.UniqueConstraint(fields=["token"], condition=Q(closed_at__isnull=True), name="paper_positions_one_open_a_token"),
        ]
        indexes = [
            models.Index(fields=["-opened_at"], name="paper_positions_opened"),
            models.Index(fields=["-closed_at"], name="paper_positions_closed"),
        ]

    def __str__(self) -> str:
        return f"{'long' if self.side > 0 else 'short'} {self.token_id} since {self.opened_at:%Y-%m-%d %H:%M}"


class PaperFill(models.Model):
    """A part of a position bought or sold on paper."""

    position = models.ForeignKey(PaperPosition, on_delete=models.PROTECT, related_name="fills")
    time = models.DateTimeField(help_text="Opening of the bar that filled it.")
    deal = models.CharField(max_length=16, choices=_choices(names.Deal))
    price = models.FloatField(help_text="Before costs.")
    quantity = models.FloatField()
    usd = models.FloatField(help_text="What changed hands: impact and slippage included, the fee not.")
    fee = models.FloatField()
    assumed = models.BooleanField(default=False, help_text="The pool's liquidity was not known: the rule's assumption was taken.")

    class Meta:
        db_table = "paper_fills"
        constraints = [
            models.UniqueConstraint(fields=["position", "time", "deal"], name="paper_fills_once"),
            models.CheckConstraint(name="paper_fills_fee_not_negative", condition=Q(fee__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.deal} of {self.position_id}"


class SkippedSignal(models.Model):
    """A signal that did not become a paper trade, and why."""

    judgement = models.OneToOneField(Judgement, primary_key=True, on_delete=models.PROTECT, related_name="skip")
    time = models.DateTimeField()
    reason = models.CharField(max_length=20, choices=_choices(names.Skip))

    class Meta:
        db_table = "skipped_signals"
        indexes = [models.Index(fields=["-time"], name="skipped_signals_time")]

    def __str__(self) -> str:
        return f"{self.judgement_id}: {self.reason}"


class EquityPoint(models.Model):
    """The paper account at the end of a bar."""

    ts = models.DateTimeField(primary_key=True)
    equity = models.FloatField()
    cash = models.FloatField()
    open_positions = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "paper_equity"
        constraints = [*_finite("paper_equity", "equity", "cash")]

    def __str__(self) -> str:
        return f"{self.equity:.2f} at {self.ts:%Y-%m-%d %H:%M}"


class BacktestRun(models.Model):
    """One back-test: what it was run on, by which settings, and what came out."""

    started_at = models.DateTimeField(default=timezone.now)
    from_ts = models.DateTimeField("from", db_column="from_ts")
    to_ts = models.DateTimeField("to", db_column="to_ts")
    symbols = models.JSONField(default=list, help_text="Addresses.")
    settings = models.ForeignKey(ScoringSettings, null=True, blank=True, on_delete=models.PROTECT, related_name="backtests")
    parameters = models.JSONField(default=dict, help_text="Every parameter of the stages as it was.")
    data_hash = models.CharField(max_length=64)
    bars = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    result = models.JSONField(default=dict)
    report = models.CharField(max_length=400, blank=True, default="", help_text="Where the report was written.")

    class Meta:
        db_table = "backtest_runs"
        indexes = [models.Index(fields=["-started_at"], name="backtest_runs_started")]

    def __str__(self) -> str:
        return f"back-test of {self.from_ts:%Y-%m-%d} to {self.to_ts:%Y-%m-%d}"


class LedgerAccount(models.Model):
    """One account of the gate ledger as it was reckoned last: what a gate or a reason kept out, followed on paper all the same."""

    reason = models.CharField(primary_key=True, max_length=40)
    ts = models.DateTimeField(help_text="When it was reckoned.")
    since = models.DateTimeField(help_text="The oldest signal that counts.")
    blocked = models.PositiveIntegerField()
    followed = models.PositiveIntegerField(help_text="Of these, how many came to a trade that is over.")
    won = models.PositiveIntegerField()
    saved = models.FloatField(help_text="US dollars not lost (or, below 0, not won) by not trading them, after costs.")
    expectancy = models.FloatField(null=True, blank=True, help_text="In risks, a trade; blank while there are too few.")
    expectancy_low = models.FloatField(null=True, blank=True)
    expectancy_high = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "gate_ledger"
        constraints = [*_finite("gate_ledger", "saved", "expectancy", "expectancy_low", "expectancy_high")]

    def __str__(self) -> str:
        return f"{self.reason}: {self.blocked}"
