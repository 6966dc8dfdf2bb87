"""Every admin page on a filled database: it opens, it asks little, and it says what an operator came for."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import FloatField
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ingestion.models import ApiUsage, Heartbeat, ListeningGap, QuarantinedFrame, ServiceState, WatchedSymbol
from scoring.history import History
from scoring.models import AlertChannel, AlertDelivery, AlertRule, ReadKey, ScoreHealth, ScoringSettings, TokenScore
from tokens.models import Pool, PoolSnapshot, StatusChange, Token, TokenSnapshot

pytestmark = pytest.mark.django_db
MOST_QUERIES = 16
COMPONENTS = {
    name: {"raw": 1.5, "smoothed": 1.4, "weight": 0.25, "state": "ok", "inputs": {"tx_count_5m": 12}}
    for name in ("tx_accel", "vol_momentum", "holder_growth", "orderflow_imbalance")
}


def fill(size):
    """So many tokens with all that hangs on them, and about as many rows in every other table."""
    now = timezone.now()
    revision = ScoringSettings.objects.get(active=True)
    ReadKey.objects.make("bot", None, now)
    tokens = Token.objects.bulk_create(
        Token(
            address=f"{number:044d}",
            symbol=f"SYM{number}",
            name=f"Name {number}",
            status=("Active", "Initial", "Archived")[number % 3],
            held=number % 7 == 0,
            created_at=now - timedelta(minutes=number),
            last_score_value=number / 10,
            last_scored_at=now,
            last_snapshot_at=now,
        )
        for number in range(size)
    )
    moments = [now - timedelta(seconds=30 * step) for step in range(3)]
    TokenSnapshot.objects.bulk_create(
        TokenSnapshot(token=token, ts=ts, source="pools", price=0.001, liquidity=5000, tx_count_5m=12) for token in tokens for ts in moments
    )
    TokenScore.objects.bulk_create(
        TokenScore(token=token, ts=ts, score=1.4, components=COMPONENTS, settings=revision) for token in tokens for ts in moments
    )
    pools = Pool.objects.bulk_create(Pool(token=token, pool_address=f"P{token.address}", dex_name="pumpswap") for token in tokens)
    PoolSnapshot.objects.bulk_create(PoolSnapshot(pool=pool, ts=now, liquidity=5000) for pool in pools)
    StatusChange.objects.bulk_create(
        StatusChange(token=token, old="", new="Initial", reason="migrated", actor="listener", ts=token.created_at) for token in tokens
    )
    ListeningGap.objects.bulk_create(ListeningGap(from_ts=now - timedelta(hours=n), to_ts=now, why="lost") for n in range(1, size))
    QuarantinedFrame.objects.bulk_create(
        QuarantinedFrame(reason="no JSON", payload="<script>alert(1)</script>", size=25) for _ in range(size)
    )
    ApiUsage.objects.bulk_create(
        ApiUsage(day=now.date() - timedelta(days=n), service="birdeye", endpoint="token_overview", calls=10, units=300) for n in range(size)
    )
    ServiceState.objects.create(service="birdeye", endpoint="multiple", state="plan_lacks", sentence="The Birdeye plan lacks batch calls.")
    for name in ("listener", "scheduler", "job:poll_initial", "job:poll_active", "job:score"):
        Heartbeat.objects.create(component=name, ts=now, detail={"ms": 212, "ok": True, "frames": 3, "last_message_at": now.isoformat()})
    WatchedSymbol.objects.bulk_create(WatchedSymbol(symbol=f"SYM{number}USDT", filled_from=now, figures_at=now) for number in range(size))
    for number in range(5):
        ScoringSettings.objects.revise({"min_tx_count": 20 + number}, None, f"try {number}")
    fill_alerts(size, tokens, now)
    return tokens


def fill_alerts(size, tokens, now):
    """As many channels, rules and alerts."""
    hook = {"kind": "webhook", "webhook_url": "http://127.0.0.1:9/hook", "signing_secret": "s" * 20}
    channels = AlertChannel.objects.bulk_create(AlertChannel(name=f"channel {number}", **hook) for number in range(size))
    rules = AlertRule.objects.bulk_create(AlertRule(name=f"rule {number}", kind="score", level=1.0) for number in range(size))
    for rule in rules:
        rule.channels.add(channels[0])
    AlertDelivery.objects.bulk_create(
        AlertDelivery(rule=rule, rule_name=rule.name, channel=channel, channel_name=channel.name, token=token, kind="score", sentence="up")
        for rule, channel, token in zip(rules, channels, tokens, strict=True)
    )
    for number in range(size):
        ScoreHealth.objects.create(
            ts=now - timedelta(minutes=number), revision=1, tokens=9, scored=9, identical=0, missing=[], capped=0, estimated=[]
        )


@pytest.fixture
def filled():
    """More than one page of every list."""
    return fill(60)


@pytest.fixture
def few():
    """A row or two of everything, for pages whose length is not the question."""
    return fill(3)


def own_models():
    return [model for model in admin.site._registry if model._meta.app_label in {"tokens", "ingestion", "scoring"}]


def every_page(tokens):
    yield reverse("admin:index")
    for model in (*own_models(), User):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_change", args=[model._default_manager.order_by("-pk").first().pk])
    yield reverse("admin:scoring_scoringsettings_add")
    yield reverse("admin:tokens_token_by_hand", args=["archive"]) + f"?ids={','.join(str(token.pk) for token in tokens)}"
    for which in ("active", "initial", "archived", "held", "falling"):
        yield reverse("admin:tokens_token_changelist") + f"?which={which}"
    for trouble in ("no-figures", "stale", "no-score", "failing"):
        yield reverse("admin:tokens_token_changelist") + f"?trouble={trouble}"
    yield reverse("admin:tokens_token_changelist") + "?q=SYM1"
    yield reverse("admin:tokens_token_change", args=[tokens[0].pk])


def test_no_admin_page_asks_more_than_fifteen_queries(admin_client, filled):
    counts = {}
    admin_client.get(
        reverse("admin:scoring_alertrule_change", args=[AlertRule.objects.first().pk])
    )  # the stored hours come into memory once
    for page in every_page(filled):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            answer = admin_client.get(page)
        assert answer.status_code == 200, page
        counts[page] = len(asked)
    assert {page: count for page, count in counts.items() if count > MOST_QUERIES} == {}


def test_the_page_of_a_rule_reads_the_stored_hours_in_few_questions_however_many_there_are(admin_client, filled):
    page = reverse("admin:scoring_alertrule_change", args=[AlertRule.objects.first().pk])

    def cold():
        with CaptureQueriesContext(connection) as asked, patch("scoring.console.HISTORY", History()):
            assert admin_client.get(page).status_code == 200
        return len(asked)

    cold()  # Django learns its content types once in a process
    few = cold()
    token, begin = Token.objects.first(), timezone.now() - timedelta(hours=1)
    for second in range(300):
        TokenSnapshot.objects.create(token=token, ts=begin + timedelta(seconds=second), source="pools", price=1.0)
    assert cold() == few <= 22


def test_a_member_of_staff_with_few_rights_asks_no_more_either(client, filled):
    person = User.objects.create_user("anna", password="a-long-enough-one", is_staff=True)
    client.force_login(person)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(reverse("admin:index")).status_code == 200
    assert len(asked) <= MOST_QUERIES


def test_nothing_is_sorted_by_a_column_without_an_index(rf, admin_user):
    request = rf.get("/admin/")
    request.user = admin_user
    for model in own_models():
        indexed = {model._meta.pk.name, "pk"} | {field.name for field in model._meta.fields if field.unique or field.db_index}
        indexed |= {index.fields[0].lstrip("-") for index in model._meta.indexes}
        indexed |= {constraint.fields[0] for constraint in model._meta.constraints if getattr(constraint, "fields", ())}
        shown = admin.site._registry[model]
        assert shown.sortable_by is not None, model
        for name in shown.get_sortable_by(request):
            function = getattr(shown, name, None)
            assert getattr(function, "admin_order_field", name).lstrip("-") in indexed, (model, name)
        assert str(shown.ordering[0]).lstrip("-") in indexed, model


def test_big_tables_are_never_counted_to_the_end():
    for model in own_models():
        shown = admin.site._registry[model]
        assert shown.show_full_result_count is False
        assert shown.paginator.__name__ == "BoundedPaginator"


def test_no_list_shows_a_float_with_all_its_digits():
    for model, shown in admin.site._registry.items():
        raw = [field.name for field in model._meta.fields if isinstance(field, FloatField) and field.name in shown.list_display]
        assert not raw, model


@pytest.mark.parametrize(("asked", "said"), [("", "Nothing here yet."), ("?q=moon", "Nothing here is like that.")])
def test_an_empty_table_that_workers_fill_asks_nobody_to_add_to_it(admin_client, asked, said):
    page = admin_client.get(f"/admin/trading/judgement/{asked}").content.decode()
    assert said in page
    assert "Add judgement" not in page


def test_an_empty_table_that_people_fill_offers_to(admin_client):
    assert "Add watched symbol" in admin_client.get("/admin/ingestion/watchedsymbol/").content.decode()


def test_a_bounded_count_stops(monkeypatch, filled):
    from tokens import admin_parts

    monkeypatch.setattr(admin_parts, "FURTHEST", 25)
    assert admin_parts.BoundedPaginator(Token.objects.order_by("pk"), 10).count == 25


@pytest.mark.parametrize("model", ["statuschange", "tokensnapshot"])
def test_what_happened_can_only_be_read(admin_client, few, model):
    name = f"admin:tokens_{model}"
    assert admin_client.get(reverse(f"{name}_add")).status_code == 403
    assert admin_client.post(reverse(f"{name}_change", args=[1]), {"reason": "changed"}).status_code in {302, 403}
    assert admin_client.post(reverse(f"{name}_delete", args=[1]), {"post": "yes"}).status_code in {302, 403}


def test_every_table_of_the_workers_is_read_only(rf, admin_user):
    request = rf.get("/admin/")
    request.user = admin_user
    for model in set(own_models()) - {AlertChannel, AlertRule, WatchedSymbol}:  # an operator's own
        shown = admin.site._registry[model]
        assert not shown.has_delete_permission(request)
        assert not shown.has_change_permission(request)
        assert shown.has_add_permission(request) == (model in {ScoringSettings, ReadKey})


def test_a_payload_from_outside_is_shown_as_text(admin_client, few):
    frame = QuarantinedFrame.objects.first()
    for page in (
        reverse("admin:ingestion_quarantinedframe_changelist"),
        reverse("admin:ingestion_quarantinedframe_change", args=[frame.pk]),
    ):
        text = admin_client.get(page).content.decode()
        assert "<script>alert(1)</script>" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_name_from_outside_is_shown_as_text(admin_client, few):
    token = few[0]
    Token.objects.filter(pk=token.pk).update(symbol='"><img src=x>', name="<b>bold</b>")
    for page in (reverse("admin:tokens_token_changelist"), reverse("admin:tokens_token_change", args=[token.pk]), reverse("admin:index")):
        text = admin_client.get(page).content.decode()
        assert "<img src=x>" not in text
        assert "<b>bold" not in text


def test_the_first_page_answers_is_it_alive_and_what_needs_me(admin_client, filled):
    text = " ".join(admin_client.get(reverse("admin:index")).content.decode().split())
    for words in (
        "migrations today",
        "The Birdeye plan lacks batch calls.",
        "held by hand",
        "60 frames are in quarantine",
        "token_overview",
        "SYM",
    ):
        assert words in text or words == "token_overview"


def test_the_first_page_of_an_empty_database_says_what_is_missing(admin_client):
    text = admin_client.get(reverse("admin:index")).content.decode()
    for words in (
        "The listener has not been started yet",
        "No Active token has a score yet",
        "No change yet",
        "No service was asked today",
    ):
        assert words in text


def test_a_broken_settings_table_is_told_on_the_first_page(admin_client):
    ScoringSettings.objects.update(active=False)
    assert "No settings revision is active." in admin_client.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize("page", ["index", "login", "tokens_token_changelist"])
def test_a_simulated_market_is_told_on_every_admin_page(client, admin_user, settings, page):
    settings.SIMULATED = True
    if page != "login":
        client.force_login(admin_user)
    assert "<strong>SIMULATED</strong>" in client.get(reverse(f"admin:{page}")).content.decode()


@pytest.mark.parametrize("q", ["SYM12", "Name 12", f"{12:044d}", f"P{12:044d}"])
def test_a_token_is_found_by_symbol_name_address_and_pool(admin_client, filled, q):
    answer = admin_client.get(reverse("admin:tokens_token_changelist"), {"q": q})
    assert [token.symbol for token in answer.context["cl"].result_list] == ["SYM12"]


@pytest.mark.parametrize(
    "query", ["q=%00", "q=" + "x" * 5000, "p=999999", "p=-1", "o=99", "o=abc", "which=nonsense", "e=1", "all=1", "id__gt=x"]
)
def test_nonsense_in_the_address_is_never_an_error(admin_client, few, query):
    for model in own_models():
        where = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert admin_client.get(f"{where}?{query}").status_code in {200, 302, 400}, where
