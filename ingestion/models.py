"""What the workers leave behind about themselves: heartbeats, spent units, states of services, gaps, quarantined frames."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tokens.models import Token, amounts_are_sane


class Heartbeat(models.Model):
    """The last sign of life of one component, and what it has to say about itself."""

    component = models.CharField(max_length=60, unique=True, help_text="listener, scheduler, or job:<name>")
    ts = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True, help_text="Counts and durations, no secrets.")

    class Meta:
        db_table = "heartbeats"

    def __str__(self) -> str:
        return self.component


class ListeningGap(models.Model):
    """A stretch of time in which migrations could not be heard: never “nothing happened”."""

    source = models.CharField(max_length=40, default="pumpportal")
    from_ts = models.DateTimeField("from", db_column="from_ts")
    to_ts = models.DateTimeField("to", db_column="to_ts", null=True, blank=True, help_text="Blank while it lasts.")
    why = models.CharField(max_length=300)

    class Meta:
        db_table = "listening_gaps"
        constraints = [
            models.UniqueConstraint(fields=["source"], condition=Q(to_ts__isnull=True), name="listening_gaps_one_open"),
        ]
        indexes = [models.Index(fields=["-from_ts"], name="listening_gaps_from")]

    def __str__(self) -> str:
        return f"{self.source} from {self.from_ts:%Y-%m-%d %H:%M:%S}: {self.why}"


class QuarantinedFrame(models.Model):
    """A frame that could not be read, kept for a person to look at: its first 2 KB, and only the newest of them."""

    source = models.CharField(max_length=40, default="pumpportal")
    ts = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=200)
    payload = models.TextField(help_text="First 2 KB, control characters made visible.")
    size = models.PositiveIntegerField(help_text="Bytes of the whole frame.")

    class Meta:
        db_table = "quarantined_frames"
        indexes = [models.Index(fields=["-ts"], name="quarantined_frames_ts")]

    def __str__(self) -> str:
        return f"{self.source} {self.ts:%Y-%m-%d %H:%M:%S}: {self.reason}"


class ApiUsage(models.Model):
    """What one endpoint of one service was asked on one day, and what it cost."""

    day = models.DateField()
    service = models.CharField(max_length=40)
    endpoint = models.CharField(max_length=80)
    calls = models.PositiveBigIntegerField(default=0, help_text="Attempts that reached the network.")
    units = models.PositiveBigIntegerField(default=0, help_text="Compute units charged.")
    tokens = models.PositiveBigIntegerField(default=0, help_text="Tokens asked for.")
    cache_hits = models.PositiveBigIntegerField(default=0)
    malformed = models.PositiveBigIntegerField(default=0)
    temporary = models.PositiveBigIntegerField(default=0)
    permanent = models.PositiveBigIntegerField(default=0)
    throttled = models.PositiveBigIntegerField(default=0, help_text="Answers with 429 or 418.")
    latency_ms_sum = models.FloatField(default=0.0)
    latency_ms_max = models.FloatField(default=0.0)

    class Meta:
        db_table = "api_usage"
        constraints = [models.UniqueConstraint(fields=["day", "service", "endpoint"], name="api_usage_day_service_endpoint")]
        indexes = [models.Index(fields=["-day"], name="api_usage_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.service} {self.endpoint}"


class ServiceState(models.Model):
    """What stands in the way of one use of one service, in a sentence an operator can act on."""

    class State(models.TextChoices):
        OK = "ok", "works"
        QUOTA_USED_UP = "quota_used_up", "quota used up"
        BUDGET_USED_UP = "budget_used_up", "own budget used up"
        PLAN_LACKS = "plan_lacks", "not in the plan"
        KEY_WRONG = "key_wrong", "key refused"
        BLOCKED = "blocked", "blocked"
        THROTTLED = "throttled", "told to slow down"
        FAILING = "failing", "failing"
        NOT_CONFIGURED = "not_configured", "no key set"

    service = models.CharField(max_length=40)
    endpoint = models.CharField(max_length=80, blank=True, default="", help_text="Blank: the whole service.")
    state = models.CharField(max_length=20, choices=State, default=State.OK)
    sentence = models.CharField(max_length=400, blank=True, default="")
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True, help_text="When it is tried again.")

    class Meta:
        db_table = "service_states"
        constraints = [models.UniqueConstraint(fields=["service", "endpoint"], name="service_states_service_endpoint")]

    def __str__(self) -> str:
        return f"{self.service} {self.endpoint}: {self.state}"


class WatchedSymbol(models.Model):
    """A symbol of Binance that an operator wants watched. Its prices belong to its token; here stands what only an exchange has."""

    symbol = models.CharField(
        max_length=30,
        unique=True,
        validators=[RegexValidator(r"^[A-Z0-9]{2,30}\Z", "Write the symbol as Binance does, in capitals: BTCUSDT.")],
        help_text="As Binance writes it, against a dollar coin: BTCUSDT.",
    )
    watched = models.BooleanField(default=True, help_text="Off: no longer asked about; what is stored stays.")
    token = models.OneToOneField(Token, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="watched_symbol")
    added_at = models.DateTimeField(default=timezone.now, editable=False)
    obstacle = models.CharField(max_length=200, blank=True, default="", editable=False, help_text="What Binance says against it.")
    tick_size = models.FloatField(null=True, blank=True, editable=False, help_text="The smallest step of its price.")
    volume_24h = models.FloatField(null=True, blank=True, editable=False, help_text="US dollars.")
    change_24h = models.FloatField(null=True, blank=True, editable=False, help_text="0.03 is +3 %.")
    depth = models.FloatField(null=True, blank=True, editable=False, help_text="US dollars within 2 % of the price, the thinner side.")
    depth_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When the order book was read.")
    open_interest = models.FloatField(null=True, blank=True, editable=False, help_text="US dollars; blank where there are no futures.")
    figures_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When these were read.")
    filled_from = models.DateTimeField(null=True, blank=True, editable=False, help_text="How far back its bars of one minute reach.")

    class Meta:
        db_table = "watched_symbols"
        constraints = [
            models.CheckConstraint(name="watched_symbols_symbol_not_blank", condition=~Q(symbol="")),
            *amounts_are_sane("watched_symbols", "tick_size", "volume_24h", "depth", "open_interest"),
        ]

    def __str__(self) -> str:
        return self.symbol


class OpenInterest(models.Model):
    """What was open on the futures market of a symbol when it was read: a decision may know what was read by its time, no more."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="open_interest")
    ts = models.DateTimeField(help_text="When Binance had answered.")
    usd = models.FloatField()

    class Meta:
        db_table = "open_interest"
        constraints = [
            models.UniqueConstraint(fields=["token", "ts"], name="open_interest_token_ts"),
            *amounts_are_sane("open_interest", "usd"),
        ]

    def __str__(self) -> str:
        return f"{self.token_id} at {self.ts:%Y-%m-%d %H:%M:%S}"


class BarFill(models.Model):
    """That the bars from before a token was watched have been asked for. Once in a token's life."""

    token = models.OneToOneField(Token, primary_key=True, on_delete=models.CASCADE, related_name="bar_fill")
    ts = models.DateTimeField(default=timezone.now)
    bars = models.PositiveIntegerField(default=0, help_text="Minutes told.")
    filled_from = models.DateTimeField(null=True, blank=True, help_text="The oldest minute told; blank where nothing was told.")
    obstacle = models.CharField(max_length=200, blank=True, default="", help_text="What stood in the way, where something did.")

    class Meta:
        db_table = "bar_fills"
        indexes = [models.Index(fields=["-ts"], name="bar_fills_ts")]

    def __str__(self) -> str:
        return f"{self.token_id}: {self.obstacle or f'{self.bars} bars'}"
