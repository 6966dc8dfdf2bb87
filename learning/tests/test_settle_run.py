"""Outcomes are written when their horizon is over, once, whoever comes late, and in a number of statements that stays the same."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ingestion.simulator.market import Market, still_living
from learning import keys, settle_run
from learning.models import Outcome, Prediction, Settled, Signal
from learning.settle_run import oldest_unsettled, settle_due
from learning.tests.evidence_rows import COST, make_chain, make_model, make_score, make_signal, make_token, make_vector
from scoring.models import ScoringSettings
from tokens.bars import record_bars
from tokens.models import Bar, Token, TokenSnapshot

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
READY = timedelta(seconds=90)
LOOKS = np.arange(10, 3700, 30)  # seconds after the signal


def bars(token: Token, begin: datetime, minutes: int, price: float = 0.001, step: float = 0.0, source: str = "snapshots") -> None:
    """One bar a minute; the price goes by `step` a minute, each bar a tenth up and down."""
    rows = [(begin + at * MINUTE, price * (1 + step * (at + 1))) for at in range(minutes)]
    Bar.objects.bulk_create(
        Bar(
            token=token,
            interval="1m",
            open_time=at,
            open=now,
            high=now * 1.1,
            low=now * 0.9,
            close=now,
            stored_at=at + MINUTE,
            source=source,
        )
        for at, now in rows
    )


def told(**by: Any) -> tuple[Any, ...]:
    return Outcome.objects.filter(**by).values_list("state", "gross", "net", "best", "worst", "best_sec", "worst_sec", "price").get()


def test_a_signal_gets_what_came_of_it(now: datetime) -> None:
    chain = make_chain(now)
    bars(chain.token, now, 15, step=0.01)
    assert settle_due(now + 15 * MINUTE + READY).outcomes == 1
    state, gross, net, best, worst, best_sec, worst_sec, price = told(signal=chain.signals["score"])
    assert (state, best_sec, worst_sec) == ("priced", 900, 60)
    assert (gross, best, worst, price) == (pytest.approx(0.15), pytest.approx(1.15 * 1.1 - 1), pytest.approx(1.01 * 0.9 - 1), 0.00115)
    assert net == pytest.approx(1.15 * 0.98 - 1)


def simulated(now: datetime) -> tuple[list[Token], np.ndarray]:
    """Signals of tokens of the simulated market, each looked at every half minute, the last for twenty minutes only. And at each of LOOKS
    what the simulator's own price is, as a return from that at the signal; NaN where nobody looked."""
    market = Market(11)
    rows = np.array(still_living(market, 8))
    begun, truth = market.price(rows, 0), np.array([market.price(rows, second) for second in LOOKS.tolist()])
    truth[LOOKS > 1200, -1] = np.nan
    tokens = [make_token(now, f"S{number}") for number in range(len(rows))]
    for token, first, prices in zip(tokens, begun.tolist(), truth.T.tolist(), strict=True):
        make_signal(make_vector(token, now), score=make_score(token, now), price=first)
        seen = [(now + timedelta(seconds=second), price) for second, price in zip(LOOKS.tolist(), prices, strict=True)]
        TokenSnapshot.objects.bulk_create(
            TokenSnapshot(token=token, ts=ts, source="birdeye", price=price) for ts, price in seen if price > 0
        )
    return tokens, truth / begun - 1


def plainly(path: np.ndarray, minutes: int, dead: bool) -> tuple[Any, ...]:
    """State, return, net, best, worst and when, of the returns seen up to a horizon: told by the end of their minute."""
    last = path[~np.isnan(path)][-1]
    gross = (1 + last) * (1 - 0.8 * dead) - 1
    high, low = int(np.nanargmax(path)), int(np.nanargmin(path))
    best_sec, worst_sec = (60 * (LOOKS[look] // 60 + 1) for look in (high, low))
    worst = (path[low], worst_sec) if path[low] <= gross else (gross, 60 * minutes)
    return "dead" if dead else "priced", gross, (1 + gross) * (1 - COST) - 1, path[high], worst[0], best_sec, worst[1]


def test_what_came_in_the_simulated_market_is_what_its_own_prices_say(now: datetime) -> None:
    tokens, truth = simulated(now)
    record_bars(now + 61 * MINUTE + READY)
    assert settle_due(now + 60 * MINUTE + READY).outcomes == 2 * len(tokens) == 16
    for minutes, (number, token) in product((15, 60), enumerate(tokens)):
        state, *figures = plainly(truth[60 * minutes > LOOKS, number], minutes, dead=minutes == 60 and number == 7)
        found = told(signal__token=token, horizon_min=minutes)
        assert (found[0], *found[1:7]) == (state, *(pytest.approx(figure) for figure in figures))


def test_every_horizon_and_every_prediction_has_its_own(now: datetime) -> None:
    chain = make_chain(now, sources=("score", "stage2", "model"))
    bars(chain.token, now, 725)
    assert settle_due(now + 720 * MINUTE + READY).outcomes == 16
    assert set(Outcome.objects.values_list("horizon_min", flat=True)) == set(keys.HORIZONS_MIN)
    assert Outcome.objects.filter(prediction=chain.prediction).count() == 4
    predicted = Outcome.objects.filter(prediction=chain.prediction).order_by("horizon_min").values_list("pk", flat=True)
    assert list(predicted) == [keys.outcome_of(chain.prediction.pk, keys.OF_PREDICTION, number) for number in range(4)]


@pytest.mark.parametrize("seconds", [0, 60, 89])
def test_nothing_is_written_early(now: datetime, seconds: int) -> None:
    chain = make_chain(now)
    bars(chain.token, now, 16)
    assert settle_due(now + 15 * MINUTE + timedelta(seconds=seconds)).outcomes == 0


def test_the_database_itself_refuses_an_early_outcome(now: datetime) -> None:
    signal = make_chain(now).signals["score"]
    early = now + 15 * MINUTE - timedelta(seconds=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Outcome.objects.create(id=keys.outcome_of(signal.pk, 0, 0), signal=signal, horizon_min=15, state="unknown", settled_at=early)


def test_an_outcome_is_written_once_and_never_changed(now: datetime) -> None:
    chain = make_chain(now)
    bars(chain.token, now, 15)
    settle_due(now + 15 * MINUTE + READY)
    before = told(signal=chain.signals["score"])
    bars(chain.token, now + 15 * MINUTE, 15, price=5.0)
    Settled.objects.update(until=0)
    assert settle_due(now + 20 * MINUTE).outcomes == 0
    assert told(signal=chain.signals["score"]) == before


def test_a_dead_token_loses_what_the_settings_of_its_signal_say(now: datetime) -> None:
    chain, other = make_chain(now), make_token(now, "alive")
    bars(chain.token, now - 5 * MINUTE, 5)
    bars(other, now, 15)
    settle_due(now + 15 * MINUTE + READY)
    assert told(signal=chain.signals["score"])[:2] == ("dead", pytest.approx(-0.8))
    assert told(signal=chain.signals["score"])[-1] is None


def test_an_outage_of_ours_is_unknown_and_waits_until_we_look_again(now: datetime) -> None:
    chain = make_chain(now)
    bars(chain.token, now, 3)
    assert settle_due(now + 60 * MINUTE).outcomes == 0
    bars(chain.token, now + 70 * MINUTE, 2)
    assert settle_due(now + 75 * MINUTE).unknown == 2
    assert told(signal=chain.signals["score"], horizon_min=15) == ("unknown", *[None] * 7)


def test_after_a_day_without_a_price_nothing_is_waited_for_any_more(now: datetime) -> None:
    chain = make_chain(now)
    bars(chain.token, now, 3)
    assert settle_due(now + timedelta(days=2)).unknown == 4


def test_an_exchange_that_was_heard_does_not_stand_in_for_the_tokens(now: datetime) -> None:
    chain, symbol = make_chain(now), make_token(now, "BTCUSDT", chain="binance")
    bars(symbol, now, 16, source="binance")
    settle_due(now + 15 * MINUTE + READY)
    assert told(signal=chain.signals["score"])[0] == "unknown"


def test_the_settings_in_force_at_the_decision_settle_it(now: datetime) -> None:
    chain, other = make_chain(now), make_token(now, "alive")
    ScoringSettings.objects.revise({"evidence_dead_loss": 0.1}, None, "milder")
    bars(other, now, 15)
    settle_due(now + 15 * MINUTE + READY)
    assert told(signal=chain.signals["score"])[1] == pytest.approx(-0.8)


def test_what_is_left_over_is_the_next_runs_and_a_restart_goes_on(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle_run, "MOST_ROWS", 3)
    chains = [make_chain(now, make_token(now, name)) for name in "ABCDE"]
    for chain in chains:
        bars(chain.token, now, 15)
    runs = [settle_due(now + 15 * MINUTE + READY) for _ in range(3)]
    assert [(run.outcomes, run.left) for run in runs] == [(3, True), (2, False), (0, False)]
    assert Outcome.objects.count() == 5


def test_a_signal_that_is_stored_late_is_settled_all_the_same(now: datetime) -> None:
    chain = make_chain(now)
    bars(chain.token, now - 5 * MINUTE, 30)
    settle_due(now + 15 * MINUTE + READY)
    late = make_chain(now - MINUTE, make_token(now, "late"))
    settle_due(now + 17 * MINUTE + READY)
    assert Outcome.objects.filter(signal=late.signals["score"], horizon_min=15).exists()


def test_the_number_of_statements_does_not_depend_on_the_rows(now: datetime) -> None:
    model, counts = make_model(now), []
    settle_due(now)
    for number, at in ((1, now), (10, now + 60 * MINUTE)):
        for place in range(number):
            bars(make_chain(at, make_token(at, f"{number}x{place}"), model=model, sources=("score", "model")).token, at, 60)
        with CaptureQueriesContext(connection) as captured:
            assert settle_due(at + 60 * MINUTE + READY).outcomes == number * 6
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 12


def test_what_outcomes_still_need_begins_with_the_oldest_horizon_that_is_not_settled(now: datetime) -> None:
    assert oldest_unsettled(now) == now - timedelta(days=1, hours=12)
    chain = make_chain(now)
    bars(chain.token, now, 15)
    later = now + 15 * MINUTE + READY
    settle_due(later)
    assert oldest_unsettled(later) <= now + 15 * MINUTE - timedelta(hours=12)


def test_nothing_to_do_is_done_quickly(now: datetime) -> None:
    settle_due(now)
    with CaptureQueriesContext(connection) as captured:
        assert settle_due(now).outcomes == 0
    assert len(captured) <= 7
    assert not Signal.objects.exists()
    assert not Prediction.objects.exists()
