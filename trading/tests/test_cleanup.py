"""What is thinned and what stays."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from scoring.models import ScoringSettings
from tokens.models import Token
from trading import cleanup
from trading.cleanup import MINUTES_KEPT, forget_states, thin_equity
from trading.models import AssetState, EquityPoint
from trading.results import drawdown

pytestmark = pytest.mark.django_db


def curve(since: datetime, minutes: int) -> None:
    EquityPoint.objects.bulk_create(EquityPoint(ts=since + timedelta(minutes=n), equity=1.0, cash=1.0) for n in range(minutes))


@pytest.mark.parametrize("batch", [7, 60, 5_000])
def test_of_each_old_hour_the_first_point_stays(now: datetime, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(cleanup, "ROWS_A_BATCH", batch)
    since = (now - timedelta(days=9)).replace(minute=0, second=0, microsecond=0)
    curve(since + timedelta(minutes=30), 150)
    assert thin_equity(now) == 150 - 3
    assert [(moment - since).total_seconds() / 60 for moment in EquityPoint.objects.order_by("ts").values_list("ts", flat=True)] == [
        30,
        60,
        120,
    ]
    assert thin_equity(now) == 0


@pytest.mark.parametrize("batch", [7, 5_000])
def test_an_old_fall_stays_as_deep_as_it_was(now: datetime, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(cleanup, "ROWS_A_BATCH", batch)
    since = (now - timedelta(days=9)).replace(minute=0, second=0, microsecond=0)
    curve(since, 180)
    for minute, equity in ((65, 1.4), (70, 1.2), (80, 0.7), (85, 0.9), (130, 1.5)):
        EquityPoint.objects.filter(ts=since + timedelta(minutes=minute)).update(equity=equity)
    assert drawdown(np.array(equities())).depth == pytest.approx(0.5)
    assert thin_equity(now) == 180 - 6
    assert equities() == [1.0, 1.0, 1.4, 0.7, 1.0, 1.5]
    assert thin_equity(now) == 0


def equities() -> list[float]:
    return list(EquityPoint.objects.order_by("ts").values_list("equity", flat=True))


def test_the_newest_week_stays_whole(now: datetime) -> None:
    curve(now - MINUTES_KEPT + timedelta(minutes=1), 90)
    assert thin_equity(now) == 0


def test_told_to_stop_it_stops_between_two_batches(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "ROWS_A_BATCH", 10)
    curve(now - timedelta(days=9), 50)
    assert thin_equity(now, lambda: False) < 10


def test_archived_tokens_are_forgotten_and_others_are_not(now: datetime) -> None:
    revision = ScoringSettings.objects.get(active=True)
    for number, (status, hours) in enumerate([("Archived", 100), ("Archived", 1), ("Active", 100)]):
        token = Token.objects.create(address=f"{number:044d}", status=status)
        AssetState.objects.create(token=token, ts=now - timedelta(hours=hours), settings=revision)
    assert forget_states(now - timedelta(hours=72)) == 1
    assert set(AssetState.objects.values_list("token__address", flat=True)) == {f"{1:044d}", f"{2:044d}"}
