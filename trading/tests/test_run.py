"""A live cycle: minute by minute, over a restart, after an outage; and the same as a back-test of the same bars."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.models import OpenInterest
from ingestion.simulator.coins import COINS, minutes
from learning.models import FeatureVector, Signal
from scoring.models import ScoringSettings
from scoring.stage_columns import stage_values
from tokens.bars import lengthen, read_grid, write
from tokens.lifecycle import change_status
from tokens.models import Bar, BarSource, Status, Token, TokenSnapshot
from tokens.recent_bars import RecentBars
from trading import book_rows, broker, facts, state_rows
from trading.backtest import Material, replay
from trading.backtest_run import of_tokens
from trading.judgement import GATES, RECOMMENDATIONS
from trading.models import AssetState, EquityPoint, Judgement, PaperAccount, PaperFill, PaperOrder, PaperPosition, SkippedSignal
from trading.names import Quantity
from trading.pipeline import Memory, StageRules, decide
from trading.run import MINUTE_SEC, step
from trading.windows import WINDOW

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
EAGER = {"trigger_volume_z": 1.5, "trigger_alert_least_effective": 1.0, "paper_least_confidence": 0.1, "judge_confidence_close": 0.1}
EAGER |= {"judge_confidence_open": 0.15, "judge_least_reward_risk": 0.2, "paper_most_open": 5, "prefilter_volume_least": 0}
EAGER |= {"trigger_volume_ratio": 2, "trigger_breakout_window": 20, "trigger_breakout_margin": 0.1, "trigger_vwap_atr": 3}
EAGER |= {"trigger_volatility_ratio": 2.5, "judge_exchange_round_trip_cost": 0}
EAGER |= {"judge_round_trip_cost": 0, "judge_short": True, "paper_short": True, "judge_low_atr_close": 0, "judge_low_atr_open": 0}
LATENESS_SEC = 25


def market(hours: float, coins: int = 5, begin: datetime = BEGIN) -> list[Token]:
    """Active exchange tokens with bars of some hours, each known a moment after its end, and a snapshot every five minutes."""
    made = []
    for coin in list(COINS.values())[:coins]:
        token = Token.objects.create(address=coin.symbol, chain="binance", status="Active", created_at=begin - timedelta(days=9))
        found = minutes(coin, int(begin.timestamp()), int(hours * 60), begin.timestamp() + hours * 3600)
        rows = {"token": np.full(len(found.opened), float(token.pk)), "open_time": found.opened.astype(float)}
        rows |= {"open": found.open, "high": found.high, "low": found.low, "close": found.close}
        rows |= {"volume": found.volume, "trades": found.trades, "buy_volume": found.bought}
        write(rows, "1m", BarSource.BINANCE, begin)
        TokenSnapshot.objects.bulk_create(
            TokenSnapshot(
                token=token, ts=begin + timedelta(minutes=5 * n), source="binance", price=1, liquidity=4e6, volume_1h=5e7, tx_count_5m=900
            )
            for n in range(int(hours * 12) + 1)
        )
        made.append(token)
    lengthen(begin, begin + timedelta(hours=hours), begin)
    return made


@pytest.fixture
def eager() -> Any:
    return ScoringSettings.objects.revise(EAGER, None, "trades a lot")


def live(since: datetime, minutes_long: int) -> None:
    for minute in range(minutes_long):
        step(since + timedelta(minutes=minute, seconds=LATENESS_SEC))


def trail() -> dict[str, list[tuple[Any, ...]]]:
    """All that the stages have written, but for when."""
    judgements = [f.name for f in Judgement._meta.concrete_fields if f.name not in ("stored_at",)]
    positions = [f.name for f in PaperPosition._meta.concrete_fields]
    return {
        "judgements": list(Judgement.objects.order_by("pk").values_list(*judgements)),
        "positions": list(PaperPosition.objects.order_by("pk").values_list(*positions)),
        "fills": list(
            PaperFill.objects.order_by("position", "time", "deal").values_list("position", "time", "deal", "price", "usd", "fee")
        ),
        "skips": list(SkippedSignal.objects.order_by("pk").values_list("pk", "reason")),
        "equity": list(EquityPoint.objects.order_by("ts").values_list("ts", "equity", "cash", "open_positions")),
        "states": list(AssetState.objects.order_by("pk").values_list("pk", "ts", "alert", "gates_closed", "standing", "entered_at")),
    }


def test_a_day_of_market_leaves_judgements_positions_and_equity(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 45)
    assert Judgement.objects.count() > 5
    assert PaperPosition.objects.exists()
    assert EquityPoint.objects.count() == 45
    closed = PaperPosition.objects.filter(closed_at__isnull=False).first()
    assert closed is not None
    brought = sum((-f.usd if f.deal == "entry" else f.usd) * closed.side - f.fee for f in closed.fills.all())
    assert closed.result == pytest.approx(brought)
    assert all(fee == usd * eager.paper_exchange_fee for usd, fee in PaperFill.objects.values_list("usd", "fee"))


def test_money_is_neither_made_nor_lost_in_the_tables(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 45)
    account = PaperAccount.objects.get()
    moved = sum((-f.usd if f.deal == "entry" else f.usd) * f.position.side - f.fee for f in PaperFill.objects.select_related("position"))
    assert account.cash == pytest.approx(account.capital + moved)


def test_the_same_minute_again_changes_nothing(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 25)
    before = trail()
    assert step(BEGIN + timedelta(hours=9, minutes=24, seconds=LATENESS_SEC + 5)).rows == 0
    assert trail() == before


def test_the_account_in_the_tables_is_the_account_in_memory(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 25)
    account = PaperAccount.objects.get()
    book = book_rows.load(account)
    assert book.until == account.until
    assert len(book.positions) == PaperPosition.objects.filter(closed_at__isnull=True).count()
    assert book.equity == EquityPoint.objects.latest("ts").equity


def test_live_equals_back_test(eager: Any) -> None:
    since, length = BEGIN + timedelta(hours=9), 60
    eager = ScoringSettings.objects.revise({"prefilter_open_interest_least": 1e6}, None, "asks for open interest")
    tokens = market(12)
    OpenInterest.objects.bulk_create(  # enough of it in every other quarter of an hour, and of the last token none was ever read
        OpenInterest(token=token, ts=since + timedelta(minutes=5 * n - 1), usd=1e6 + 5e5 * (-1) ** (n // 3 + place))
        for n in range(-4, 14)
        for place, token in enumerate(tokens[:-1])
    )
    live(since, length)
    rules = StageRules.from_settings({**stage_values(eager), "trigger_overrides": {}})
    of = facts.assets()
    until = since + timedelta(minutes=length - 1)
    grid = read_grid("1m", of.pks.tolist(), until, WINDOW + length, as_it_was=True)
    known, liquidity = facts.known(grid, of, WINDOW)
    decided = decide(grid, rules, Memory.empty(len(of)), known, first_row=WINDOW)
    assert {tuple(kept) for kept in decided.kept[WINDOW:].tolist()} == {(True, False) * 2 + (True,), (False, True) * 2 + (True,)}
    book, fills = broker.opened_book(rules.broker), []
    tape = decided.tape(grid, liquidity)
    for row in range(WINDOW, len(grid)):
        book, events = broker.step(book, tape.bar(row), decided.signals.only(decided.signals.row == row), rules.broker)
        fills += [(fill.key, fill.deal.value, fill.price, fill.usd) for fill in events.fills]
    assert list(Judgement.objects.order_by("pk").values_list("pk", flat=True)) == sorted(
        state_rows.signal_key(decided.judged.end, grid.tokens[decided.judged.columns]).tolist()
    )
    assert sorted(PaperFill.objects.values_list("position", "deal", "price", "usd")) == sorted(fills)
    assert EquityPoint.objects.latest("ts").equity == book.equity


def test_live_equals_the_back_test_of_a_late_part() -> None:
    changes = {**EAGER, "trigger_alert_prior_firings": 1, "trigger_alert_least_effective": 1.3}
    revision = ScoringSettings.objects.revise(changes, None, "believes what it measures")
    tokens = market(24.5, 2)
    for minutes_long in (1, 481, 961, 1440):  # until midnight, as fast as the account allows
        step(BEGIN + timedelta(minutes=minutes_long, seconds=LATENESS_SEC))
    since, length = BEGIN + timedelta(days=1), 12
    live(since + timedelta(minutes=1), length)
    rules = StageRules.from_settings({**stage_values(revision), "trigger_overrides": {}})
    material = of_tokens([token.pk for token in tokens], since, since + timedelta(minutes=length))
    stored = {row[0]: row[1:] for row in Judgement.objects.filter(ts__gt=since).values_list("pk", "recommendation", "gate")}
    assert told_by(material, rules) == stored
    assert told_by(replace(material, remembered_from=None), rules) != stored
    assert PaperAccount.objects.get().co_firing["in_force"]["bars"] == 2 * 1440


def test_live_equals_the_back_test_of_tokens_that_come_and_go(eager: Any) -> None:
    tokens = market(10, 4)
    since, length = BEGIN + timedelta(hours=9), 24
    coming, going = tokens[0], tokens[1]
    Token.objects.filter(pk=coming.pk).update(status=Status.INITIAL)
    for minute in range(length):
        now = since + timedelta(minutes=minute, seconds=LATENESS_SEC)
        if minute == 10:
            change_status(Token.objects.get(pk=coming.pk), Status.ACTIVE, "comes", "test", now - timedelta(seconds=5))
            change_status(Token.objects.get(pk=going.pk), Status.ARCHIVED, "goes", "test", now - timedelta(seconds=5))
        step(now)
    material = of_tokens([token.pk for token in tokens], since - timedelta(minutes=1), since + timedelta(minutes=length - 1))
    material = replace(material, remembered_from=None)  # live began with this
    told = told_by(material, StageRules.from_settings({**stage_values(eager), "trigger_overrides": {}}))
    stored = dict(Judgement.objects.values_list("pk", "recommendation"))
    assert {key: said for key, (said, _) in told.items()} == stored
    assert not PaperPosition.objects.filter(token=going).exists()  # what is open is looked at on, whatever its status
    begins = (since + timedelta(minutes=10)).timestamp() // 60
    minutes_of = {token: [key >> 32 for key in told if key % 2**32 == token.pk] for token in (coming, going)}
    assert min(minutes_of[coming]) >= begins
    assert max(minutes_of[going]) < begins


def told_by(material: Material, rules: StageRules) -> dict[int, tuple[str, str]]:
    judged = replay(material, rules).decided.judged
    keys = state_rows.signal_key(judged.end, material.grid.tokens[judged.columns]).tolist()
    told = [(RECOMMENDATIONS[said].value, GATES[gate].value) for said, gate in zip(judged.recommendation, judged.gate, strict=True)]
    return dict(zip(keys, told, strict=True))


def test_a_cycle_that_fails_leaves_nothing_behind(eager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 12)
    before = trail()
    monkeypatch.setattr(state_rows, "store_states", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        step(BEGIN + timedelta(hours=9, minutes=13))
    assert trail() == before
    monkeypatch.undo()
    assert step(BEGIN + timedelta(hours=9, minutes=13)).rows == 1


def test_who_comes_second_writes_nothing(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 5)
    account = PaperAccount.objects.get()
    stale = book_rows.load(account)
    PaperAccount.objects.update(until=account.until + MINUTE_SEC)
    with pytest.raises(book_rows.Overtaken):
        book_rows.store(book_rows.Moved(stale, replace(stale, until=stale.until + 120), [], {}, {}), {})


def test_after_an_outage_nothing_is_entered_at_prices_that_are_past(eager: Any) -> None:
    market(12)
    since = BEGIN + timedelta(hours=9)
    live(since, 2)
    cycle = step(since + timedelta(minutes=121))
    assert cycle.rows == 119
    assert set(SkippedSignal.objects.values_list("reason", flat=True)) & {"too_late"}
    late = since + timedelta(minutes=121) - timedelta(minutes=5)
    assert not PaperPosition.objects.filter(judgement__ts__gt=since + timedelta(minutes=2), judgement__ts__lt=late).exists()


def test_statements_do_not_grow_with_the_assets(eager: Any) -> None:
    counts = []
    for coins in (2, 9):
        for model in (PaperFill, SkippedSignal, PaperOrder, PaperPosition, AssetState, Judgement, EquityPoint, PaperAccount):
            model.objects.all().delete()
        for model in (Signal, FeatureVector):
            model.objects.all().delete()
        Bar.objects.all().delete()
        Token.objects.all().delete()
        market(9.2, coins)
        live(BEGIN + timedelta(hours=9), 2)
        with CaptureQueriesContext(connection) as queries:
            step(BEGIN + timedelta(hours=9, minutes=2, seconds=LATENESS_SEC))
        counts.append(len(queries))
    assert max(counts) <= 40
    assert counts[1] <= counts[0] + 8  # what is written only when something happened


def test_without_any_token_a_cycle_is_nothing() -> None:
    assert step(BEGIN).assets == 0


def test_a_judgement_of_the_newest_bar_says_what_would_change_the_mind(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 25)
    told = [row.narrative["flips"] for row in Judgement.objects.all()]
    assert any(told)
    assert {flip["quantity"] for flips in told for flip in flips} <= {quantity.value for quantity in Quantity}
    for row in Judgement.objects.all():
        assert all(flip["recommendation"] != row.recommendation for flip in row.narrative["flips"])


def test_nobody_is_asked_about_bars_that_are_past(eager: Any) -> None:
    market(12)
    step(BEGIN + timedelta(hours=9))
    step(BEGIN + timedelta(hours=10))
    past = Judgement.objects.exclude(ts=Judgement.objects.latest("ts").ts)
    assert past.filter(ts__gt=BEGIN + timedelta(hours=9)).exists()
    assert not any("flips" in row.narrative for row in past.filter(ts__gt=BEGIN + timedelta(hours=9)))


def test_bars_read_once_decide_the_same_as_bars_read_every_time(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 20)
    before = trail()
    for model in (PaperFill, SkippedSignal, PaperOrder, PaperPosition, AssetState, Judgement, EquityPoint, PaperAccount):
        model.objects.all().delete()
    recent = RecentBars()
    for minute in range(20):
        step(BEGIN + timedelta(hours=9, minutes=minute, seconds=LATENESS_SEC), read=recent.grid)
    assert trail() == before


def test_the_cycle_counts_what_it_did(eager: Any) -> None:
    market(12)
    cycles = [step(BEGIN + timedelta(hours=9, minutes=minute, seconds=LATENESS_SEC)) for minute in range(25)]
    assert sum(sum(cycle.gates.values()) for cycle in cycles) == Judgement.objects.exclude(gate="none").count()
    assert sum(sum(cycle.skips.values()) for cycle in cycles) == SkippedSignal.objects.count()
    assert sum(cycle.triggers["volume_spike"] for cycle in cycles) > 0
    assert {"read", "triggers", "prefilter", "judgement", "flips", "broker", "evidence", "store"} == set(cycles[-1].parts_ms)


def test_a_judgement_points_to_its_signal_and_that_to_the_vector_of_the_same_moment(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 25)
    rows = Judgement.objects.select_related("signal__vector")
    assert len(rows) > 0
    for row in rows:
        assert row.signal is not None
        assert (row.signal.source, row.signal.token_id, row.signal.ts, row.signal.price) == ("stage2", row.token_id, row.ts, row.price)
        assert (row.signal.strength, row.signal.settings_id) == (row.score, row.settings_id)
        assert row.signal.vector.ts == row.ts
        assert row.signal.cost == 0
    assert {row.signal.direction for row in rows if row.side > 0 and row.gate == "none"} <= {"up"}


def test_what_was_judged_too_late_to_act_on_is_no_signal(eager: Any) -> None:
    market(12)
    live(BEGIN + timedelta(hours=9), 1)
    in_time = Judgement.objects.count()
    step(BEGIN + timedelta(hours=11))
    late = Judgement.objects.filter(ts__lt=BEGIN + timedelta(hours=11, seconds=-180))
    assert late.count() > in_time
    assert late.filter(signal__isnull=False).count() == in_time


def test_with_the_evidence_off_the_stages_go_on_without(eager: Any) -> None:
    ScoringSettings.objects.revise({"evidence_every_min": 0}, None, "no evidence")
    market(12)
    live(BEGIN + timedelta(hours=9), 25)
    assert Judgement.objects.exists()
    assert not Signal.objects.exists()
