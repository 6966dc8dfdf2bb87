"""A clock that was ahead is put right, and what it left in the tables goes: beside the workers, and not one row that is true."""

from contextlib import nullcontext
from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import models
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.facts import TokenFacts
from ingestion.models import ApiUsage, BarFill, Heartbeat, ListeningGap, OpenInterest, ServiceState
from ingestion.polling import poll
from ingestion.tests.misbehaving_http import MisbehavingServer, answer
from ingestion.tests.test_polling import PACE, Birdeye, Pools, pool, tokens
from learning import keys
from learning.models import FeatureVector, Outcome, Settled, Signal
from learning.tests.evidence_rows import make_chain, make_token, see
from scoring import duels
from scoring.models import Duel, DuelLook, ScoringSettings, ShadowScore, TokenScore
from scoring.run import score_tokens
from scoring.settings_in_force import active_settings, status_rule
from tokens.bars import record_bars
from tokens.freshness import CLOCKS_DIFFER
from tokens.lifecycle import review
from tokens.models import Bar, Status, StatusChange, Token, TokenSnapshot
from tothemoon.pulse import measure
from tothemoon.schedule import Schedule
from tothemoon.tests import whole_world
from tothemoon.tests.test_schedule import Leader
from tothemoon.worker import StopFlag
from tothemoon.wrong_clock import found
from tothemoon.wrong_clock.figures import forget_figures
from tothemoon.wrong_clock.forget import forget
from tothemoon.wrong_clock.found import DUELS, EVIDENCE, FIGURES, NOTES, REST, TOKENS, look
from trading.models import AssetState, EquityPoint, Judgement, PaperAccount, PaperFill, PaperOrder, PaperPosition
from trading.tests.test_passport import bought, judged

pytestmark = pytest.mark.django_db

OURS = ("tokens", "ingestion", "scoring", "learning", "trading")
AHEAD = timedelta(hours=1)
LEFT = {  # what people saved, and what others dated
    *("scoring_settings.created_at", "duels.created_at", "alert_channels.created_at", "alert_rules.created_at"),
    *("read_keys.created_at", "read_keys.revoked_at", "watched_symbols.added_at", "feature_schemas.created_at"),
    *("pools.opened_at", "watched_symbols.filled_from", "bar_fills.filled_from", "model_versions.stopped_at"),
    *("backtest_runs.started_at", "backtest_runs.from_ts", "backtest_runs.to_ts", "paper_account.started_at"),
    *("model_versions.made_at", "model_versions.trained_from", "model_versions.trained_to"),
}
BY_THEIR_ROWS = {  # of rows that go by another column, or that are put right by a rule of their own
    *("api_usage.day", "bars.open_time", "feature_vectors.stored_at", "judgements.stored_at", "signals.stored_at", "service_states.until"),
    *("token_snapshots.birdeye_at", "token_snapshots.last_trade_at", "tokens.leased_until", "tokens.next_poll_at"),
    *(f"shadow_scores.{name}" for name in ("activated_at", "archived_at", "last_check_at", "low_since")),
}
PAPER = {"paper_positions", "paper_fills", "judgements", "skipped_signals", "asset_states", "paper_equity"}


@pytest.fixture(autouse=True)
def _nobody_to_ask(settings):
    settings.DEXSCREENER_BASE_URL = "http://127.0.0.1:9"


def forgotten(now):
    return forget(now, now + CLOCKS_DIFFER)


def moments():
    """Every column of moments of all our tables, by its name: its model and its field."""
    tables = [model for app in OURS for model in apps.get_app_config(app).get_models()]
    fields = [(model, field) for model in tables for field in model._meta.concrete_fields if isinstance(field, models.DateField)]
    return {f"{model._meta.db_table}.{field.column}": (model, field) for model, field in fields}


def still_ahead(now):
    """Those in which there is one after now, but for those that stay as they are."""
    limit = now + CLOCKS_DIFFER
    ahead = {name for name, (model, field) in moments().items() if model._default_manager.filter(**{f"{field.name}__gt": limit}).exists()}
    return ahead - LEFT


def a_bar(token, open_time, interval="1m", source="bars", **fields):
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    return Bar.objects.create(token=token, interval=interval, open_time=open_time, source=source, **prices | fields)


def command(*words, **options):
    said = StringIO()
    call_command("forget_ahead", *words, stdout=said, **options)
    return said.getvalue()


def tick(now, pools, birdeye):
    poll(Status.ACTIVE, now, PACE, birdeye, pools)
    score_tokens(now)
    review(now, status_rule(active_settings()))


def a_market(now, names):
    """Answers that change from tick to tick, the same for all."""
    step = int(now.timestamp()) // 30 % 7
    figures = {"liquidity": 9_000.0 + step, "tx_count_5m": 60 + step, "tx_count_1h": 500, "volume_5m": 90.0 + step, "volume_1h": 900.0}
    facts = [TokenFacts(name, price=0.001, holders=1000 + step, buys_volume_5m=60.0, sells_volume_5m=30.0, **figures) for name in names]
    return Pools({name: [pool(name)] for name in names}), Birdeye(facts)


def test_the_next_tick_asks_about_all_again_and_scores_as_if_that_time_had_never_been(now):
    """Two tokens with the same answers. One of them is asked about while the clock is an hour ahead, the other is not."""
    one, other = tokens(2, now - timedelta(hours=2), status="Active")
    names = [one.address, other.address]
    for ago in range(70, 0, -5):
        tick(now - timedelta(minutes=ago), *a_market(now - timedelta(minutes=ago), names))
    Token.objects.filter(pk=other.pk).update(next_poll_at=now + timedelta(hours=9))
    for at in (now + AHEAD + timedelta(seconds=seconds) for seconds in range(0, 600, 60)):
        tick(at, *a_market(at, names))
        record_bars(at)
    right = now + timedelta(minutes=11)
    tick(right, *(before := a_market(right, names)))
    assert (set(before[0].asked), TokenScore.objects.filter(ts=right).count()) == (set(), 0)
    forgotten(right)
    tick(right, *a_market(right, names))
    scores = [TokenScore.objects.get(token=each, ts=right) for each in (one, other)]
    assert scores[0].score == scores[1].score is not None
    assert scores[0].components == scores[1].components
    assert scores[0].components["holder_growth"]["state"] == "ok"
    assert still_ahead(right) == set()


def test_of_every_moment_that_is_stored_it_is_said_what_becomes_of_it():
    listed = {dated.name for dated in (*FIGURES, *REST, *EVIDENCE, *DUELS, *found.PAPER, *TOKENS, *NOTES)}
    assert set(moments()) == {name for name in listed if not name.startswith("paper_orders")} | LEFT | BY_THEIR_ROWS


def all_dated(later):
    """A row or more in every table, and a moment in every column that may be empty."""
    whole_world.fill(later)
    token, duel = Token.objects.first(), Duel.objects.get()
    a_bar(token, later, stored_at=later)
    BarFill.objects.create(token=token, ts=later)
    OpenInterest.objects.create(token=token, ts=later, usd=1.0)
    DuelLook.objects.create(duel=duel, number=1, ts=later, settings=active_settings(), tokens=0, data=b"")
    ShadowScore.objects.create(side=duel.sides.get(), token=token, ts=later, status="Active")
    for name, (model, field) in moments().items():
        if field.null and name not in ("duels.ended_at", "paper_positions.closed_at"):
            model._default_manager.filter(**{f"{field.name}__isnull": True}).update(**{field.name: later})


@pytest.mark.parametrize("traded", [False, True])
def test_nothing_that_the_clock_wrote_is_dated_in_the_time_to_come_afterwards(now, time_machine, traded):
    """All of it written a month ahead."""
    later = now + timedelta(days=30)
    time_machine.move_to(later, tick=False)
    all_dated(later)
    if not traded:
        for model in (PaperFill, PaperOrder, PaperPosition):
            model.objects.all().delete()
    PaperAccount.objects.update(until=int(later.timestamp()))
    time_machine.move_to(now, tick=False)
    forgotten(now)
    columns = still_ahead(now)
    assert {name.partition(".")[0] for name in columns} == (PAPER if traded else set()), columns
    assert (PaperAccount.objects.get().until > now.timestamp()) is traded
    assert {each.name.partition(".")[0] for each in look(now + CLOCKS_DIFFER)} == (PAPER | {"paper_orders"} if traded else set())


@pytest.fixture
def noon():
    """The command asks other clocks, the database's among them: this is the true time, to the second."""
    return timezone.now().replace(microsecond=0)


def typed(moment):
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def ahead_and_behind(noon):
    """One token seen and scored until now, and for three minutes of an hour later."""
    token = make_token(noon)
    see(token, noon, minutes=30)
    score_tokens(noon)
    for minute in range(3):
        at = noon + AHEAD + timedelta(minutes=minute)
        TokenSnapshot.objects.create(token=token, ts=at, source="pools", price=2.0)
        Token.objects.filter(pk=token.pk).update(last_snapshot_at=at, next_poll_at=at)
    score_tokens(noon + 2 * AHEAD)
    return token


def test_without_a_yes_it_tells_what_there_is_and_changes_nothing(noon):
    ahead_and_behind(noon)
    before = list(TokenSnapshot.objects.values()), list(Token.objects.values())
    first, last = noon + AHEAD, noon + AHEAD + timedelta(minutes=2)
    assert f"token_snapshots.ts: 3 rows of 1 token, from {typed(first)} to {typed(last)} (goes)" in command()
    assert (list(TokenSnapshot.objects.values()), list(Token.objects.values())) == before


def test_with_a_yes_the_tokens_are_put_back_to_what_is_left(noon):
    token = ahead_and_behind(noon)
    score = TokenScore.objects.get(ts=noon).score
    assert "4 rows are gone" in command("--yes", "--it-is", typed(noon + timedelta(minutes=1)))
    token.refresh_from_db()
    assert (token.last_snapshot_at, token.last_scored_at, token.last_score_value) == (noon, noon, score)
    assert token.next_poll_at <= timezone.now()
    assert "Nothing is dated in the time to come." in command("--yes")


@pytest.mark.parametrize(
    ("off", "up_to", "why"),
    [
        (None, None, "what time it is by that"),
        (AHEAD, None, "put it right first"),
        (timedelta(0), timedelta(minutes=61), "something later"),
    ],
)
def test_nothing_is_taken_out_on_the_word_of_this_machines_clock_alone(noon, off, up_to, why):
    ahead_and_behind(noon)
    words = [
        "--yes",
        *([] if off is None else ["--it-is", typed(noon + off)]),
        *([] if up_to is None else ["--up-to", typed(noon + up_to)]),
    ]
    with pytest.raises(CommandError, match=why):
        command(*words)
    assert TokenSnapshot.objects.filter(ts__gt=noon).count() == 3


def test_what_is_no_moment_is_told_so(noon):
    ahead_and_behind(noon)
    with pytest.raises(CommandError, match="a moment in UTC"):
        command("--yes", "--it-is", "noon")


def test_who_would_lose_most_of_the_snapshots_has_to_name_the_newest(noon):
    ahead_and_behind(noon)
    TokenSnapshot.objects.filter(ts__lt=noon).delete()
    with pytest.raises(CommandError, match="75% of all snapshots"):
        command("--yes", "--it-is", typed(noon))
    command("--yes", "--it-is", typed(noon), "--up-to", typed(noon + AHEAD + timedelta(minutes=2)))
    assert TokenSnapshot.objects.get().ts == noon


def test_a_minute_that_the_exchange_dated_says_that_it_is_this_clock_that_is_behind(noon):
    token = ahead_and_behind(noon)
    a_bar(token, noon + AHEAD, source="binance", stored_at=noon + AHEAD)
    with pytest.raises(CommandError, match="the newest minute that an exchange dated says otherwise"):
        command("--yes", "--it-is", typed(noon))
    assert Bar.objects.filter(open_time=noon + AHEAD).exists()


@pytest.mark.skipif(settings.ON_SQLITE, reason="SQLite has no clock of its own")
@pytest.mark.parametrize("off", [AHEAD, -AHEAD])
def test_the_databases_clock_is_believed_before_ours(noon, time_machine, off):
    ahead_and_behind(noon + 2 * AHEAD)
    time_machine.move_to(noon + off)
    with pytest.raises(CommandError, match="the database's clock says otherwise"):
        command("--yes", "--it-is", typed(noon + off))


@pytest.mark.parametrize(("off_sec", "holds"), [(3600, False), (-3600, False), (20, True)])
def test_a_service_that_dates_its_answers_otherwise_is_believed(noon, settings, off_sec, holds):
    ahead_and_behind(noon)
    there = f"{noon + timedelta(seconds=off_sec):%a, %d %b %Y %H:%M:%S} GMT"
    with MisbehavingServer([answer(status=404, headers={"Date": there})]) as server:
        settings.DEXSCREENER_BASE_URL = server.url
        with nullcontext() if holds else pytest.raises(CommandError, match="the clock of DexScreener says otherwise"):
            command("--yes", "--it-is", typed(noon))
    assert TokenSnapshot.objects.filter(ts__gt=noon).exists() is not holds


def test_who_stores_meanwhile_with_the_right_clock_loses_nothing(now, monkeypatch):
    """A tick comes in between every two bites; each token is in one of its own."""
    monkeypatch.setattr("tothemoon.wrong_clock.figures.TOKENS_A_BITE", 1)
    some = tokens(4, now, status="Active")
    names = [token.address for token in some]
    for at in (now, now + AHEAD):
        Token.objects.update(next_poll_at=at)
        tick(at, *a_market(at, names))
    ticks = [now + timedelta(seconds=30 * number) for number in range(1, 40)]
    stored = set()

    def a_tick_between() -> bool:
        at = ticks.pop(0)
        tick(at, *a_market(at, names))
        stored.update(TokenSnapshot.objects.filter(ts=at).values_list("token", "ts"))
        return True

    forget(now, now + timedelta(minutes=30), a_tick_between)
    there = {*TokenSnapshot.objects.values_list("token", "ts")}
    assert stored
    assert stored <= there
    assert not TokenSnapshot.objects.filter(ts__gte=now + AHEAD).exists()
    newest = {token: max(ts for owner, ts in there if owner == token) for token in Token.objects.values_list("pk", flat=True)}
    assert dict(Token.objects.values_list("pk", "last_snapshot_at")) == dict(Token.objects.values_list("pk", "last_scored_at")) == newest


def test_bars_that_have_not_ended_go_and_those_of_before_stay(now):
    token = make_token(now)
    begun = {"1m": now + timedelta(minutes=2), "5m": now, "1h": now, "1d": now - timedelta(hours=12)}
    for interval, at in begun.items():
        for open_time in (at, at - timedelta(days=2)):
            a_bar(token, open_time, interval, stored_at=open_time)
    forgotten(now)
    assert {*Bar.objects.values_list("interval", "open_time")} == {(name, at - timedelta(days=2)) for name, at in begun.items()}


def test_minutes_that_grew_when_they_were_stored_are_asked_for_again_as_after_an_outage(now):
    token = Token.objects.create(address="BTCUSDT", chain="binance", status="Active", next_poll_at=now)
    for ago, stored in ((90, -89), (40, 20), (39, 21)):
        at = now - timedelta(minutes=ago)
        a_bar(token, at, source="binance", stored_at=now + timedelta(minutes=stored))
    forgotten(now)
    assert Bar.objects.get().open_time == now - timedelta(minutes=90)
    assert now - Token.objects.get().next_poll_at >= timedelta(minutes=40)


def test_evidence_of_that_time_goes_and_a_judgement_that_was_traded_stays_without_it(now):
    before, ahead = make_chain(now), make_chain(now + AHEAD, token=make_token(now, "B"), sources=("score", "stage2"))
    bought(judged(ahead))
    forgotten(now)
    assert {*Signal.objects.values_list("pk", flat=True)} == {signal.pk for signal in before.signals.values()}
    assert FeatureVector.objects.get().pk == before.vector.pk
    assert (Judgement.objects.get().signal, PaperPosition.objects.count(), PaperFill.objects.count()) == (None, 1, 1)


def test_where_nothing_was_traded_the_stages_go_on_with_the_next_minute(now):
    ahead = make_chain(now + AHEAD, sources=("score", "stage2"))
    row = judged(ahead)
    AssetState.objects.create(token=row.token, ts=row.ts, settings=row.settings, judgement=row)
    PaperOrder.objects.create(judgement=row, token=row.token, side=1.0, quote=0.001, stop=0.0009, due=0, until=60)
    EquityPoint.objects.create(ts=row.ts, equity=1.0, cash=1.0)
    PaperAccount.objects.create(capital=1.0, cash=1.0, until=int(row.ts.timestamp()), entered=[[7, int(row.ts.timestamp())]])
    forgotten(now)
    account = PaperAccount.objects.get()
    assert (account.until, account.entered) == (int(now.timestamp()) - 120, [[7, int(now.timestamp())]])
    assert [model.objects.count() for model in (Judgement, AssetState, PaperOrder, EquityPoint)] == [0, 0, 0, 0]


def test_what_was_settled_by_the_wrong_clock_is_settled_once_more(now):
    chain = make_chain(now - timedelta(hours=3), settled=(15, 60))
    Outcome.objects.filter(horizon_min=60).update(settled_at=now + AHEAD)
    for minutes in keys.HORIZONS_MIN:
        Settled.objects.create(horizon_min=minutes, until=keys.first_of(now + AHEAD))
    forgotten(now)
    assert {*Outcome.objects.values_list("horizon_min", flat=True)} == {15}
    until = dict(Settled.objects.values_list("horizon_min", "until"))
    assert until[60] == keys.vector_of(chain.vector.pk)
    assert until[15] == keys.first_of(now - timedelta(minutes=15))


def test_what_happened_stays_and_says_by_which_clock_it_was_dated(now):
    later = now + AHEAD
    token = make_token(now, created_at=later, status_changed_at=later, activated_at=later)
    StatusChange.objects.create(token=token, old="Initial", new="Active", reason="why", evidence={"pools": 1}, ts=later)
    ListeningGap.objects.create(from_ts=later, to_ts=later + timedelta(minutes=2), why="no pong")
    ServiceState.objects.create(service="birdeye", state="throttled", since=later, until=later + timedelta(minutes=9))
    forgotten(now)
    token.refresh_from_db()
    change, gap, state = StatusChange.objects.get(), ListeningGap.objects.get(), ServiceState.objects.get()
    assert (token.status, token.created_at, token.activated_at, token.status_changed_at) == ("Active", now, now, now)
    assert (change.ts, change.evidence) == (now, {"pools": 1, "dated_by_a_clock_that_was_ahead": later.isoformat()})
    assert (gap.from_ts, gap.to_ts, gap.why) == (now, now, "no pong [dated 2026-11-21 13:00:00 by a clock that was ahead]")
    assert (state.since, state.until) == (now, now + timedelta(minutes=9))


def test_what_was_paid_for_on_a_day_to_come_counts_for_today(now):
    for day, units in ((now, 30), (now + timedelta(days=1), 25), (now + timedelta(days=40), 5)):
        ApiUsage.objects.create(day=day.date(), service="birdeye", endpoint="overview", units=units, calls=1, latency_ms_max=float(units))
    forgotten(now)
    row = ApiUsage.objects.get()
    assert (row.day, row.units, row.calls, row.latency_ms_max) == (now.date(), 60, 3, 30.0)


def test_a_duel_of_that_time_ends_and_keeps_what_it_found_before(now):
    duel = duels.start([ScoringSettings.objects.set_aside({"weight_tx_accel": 0.4}, None, "").pk], None, "who is better")
    for number, at in enumerate((now, now + AHEAD)):
        DuelLook.objects.create(duel=duel, number=number, ts=at, settings=active_settings(), tokens=0, data=b"")
    ShadowScore.objects.create(side=duel.sides.get(), token=make_token(now), ts=now + AHEAD, status="Active")
    forgotten(now)
    duel.refresh_from_db()
    assert (duel.running, duel.ended_at, DuelLook.objects.get().ts) == (False, now, now)


def test_a_row_that_somebody_is_writing_is_left_for_the_next_round(now, monkeypatch):
    """The first look at the locks finds the token taken, as it is while a tick is stored."""
    (token,) = tokens(1, now, status="Active", last_snapshot_at=now + AHEAD)
    taken = [True, False]
    locked = QuerySet.select_for_update
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **how: locked(self.none() if taken.pop(0) else self, **how))
    forget_figures(now, now + CLOCKS_DIFFER, lambda: True)
    token.refresh_from_db()
    assert (taken, token.last_snapshot_at) == ([], None)


def test_stopped_in_between_it_is_done_by_the_next(now):
    some = tokens(3, now, status="Active")
    for at in (now, now + AHEAD):
        Token.objects.update(next_poll_at=at)
        tick(at, *a_market(at, [token.address for token in some]))
    forget(now, now + CLOCKS_DIFFER, lambda: False)
    assert still_ahead(now)
    forgotten(now)
    assert still_ahead(now) == set()


def test_afterwards_the_pulse_is_well_and_what_a_worker_remembered_is_read_anew(now, time_machine):
    time_machine.move_to(now, tick=False)
    token = ahead_and_behind(now)
    schedule = Schedule(Leader(), StopFlag())
    schedule.beat()
    assert measure(now).figures_until == now + AHEAD + timedelta(minutes=2)
    window = (now - timedelta(minutes=10), now + timedelta(minutes=70), now + timedelta(days=1))
    a_bar(token, now + AHEAD, source="snapshots", stored_at=now + AHEAD, close=7.0, high=7.0)
    assert 7.0 in schedule._every.minutes(*window).close
    forgotten(now)
    assert measure(now).figures_until is None
    schedule.beat()
    assert 7.0 not in schedule._every.minutes(*window).close
    assert "figures_until" not in Heartbeat.objects.get(component="scheduler").detail
