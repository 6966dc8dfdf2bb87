"""Nothing that came later is in a vector: not its slots, not their reasons; and whoever plants a leak is found by the same look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest

from learning.feature_inputs import inputs_at
from learning.features import FEATURES, Features, compute
from learning.features.slots import TOKEN, Feature, Group
from learning.models import FeatureVector
from learning.recording import record
from learning.tests import features_checked as checked
from learning.tests.evidence_rows import make_score
from learning.tests.test_feature_inputs import figures, stored, tokens, walk
from tokens.bars import lengthen, record_bars, rows_of, write
from tokens.models import Bar, BarSource, Pool, PoolSnapshot, Status, Token, TokenSnapshot

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=90)
planted = Group("planted")


def appended(now: datetime, pks: list[int]) -> None:
    """An hour and a half goes on: bars of all lengths, snapshots, pools, and tokens that were not there."""
    young = tokens(now, 3, "later")
    grid = walk(now + LATER, pks + young, seed=7, minutes=90)
    write(rows_of(grid), "1m", BarSource.SNAPSHOTS, now + LATER)
    lengthen(now - timedelta(hours=1), now + LATER, now + LATER)
    chance = np.random.default_rng(5)
    for minutes in (1, 4, 30, 80):
        ts = now + timedelta(minutes=minutes)
        TokenSnapshot.objects.bulk_create(TokenSnapshot(token_id=pk, ts=ts, source="birdeye", **figures(chance)) for pk in pks + young)
        seen = [PoolSnapshot(pool=pool, ts=ts, liquidity=chance.uniform(1, 9e9), price=5.0) for pool in Pool.objects.all()]
        PoolSnapshot.objects.bulk_create(seen)


def shuffled(now: datetime, _pks: list[int]) -> None:
    """The future might have been another."""
    chance = np.random.default_rng(6)
    for bar in Bar.objects.filter(open_time__gte=now):
        factor = chance.uniform(0.1, 9)
        Bar.objects.filter(pk=bar.pk).update(**{name: getattr(bar, name) * factor for name in ("open", "high", "low", "close", "volume")})
    for snapshot in TokenSnapshot.objects.filter(ts__gt=now):
        TokenSnapshot.objects.filter(pk=snapshot.pk).update(price=chance.uniform(1e-9, 9), liquidity=chance.uniform(1, 1e9), holders=7)


def filled_in(now: datetime, pks: list[int]) -> None:
    """What had been missed is learnt afterwards, for the time before."""
    grid = walk(now - timedelta(hours=4), pks, seed=8, minutes=60)
    write(rows_of(grid), "1m", BarSource.BIRDEYE, now + LATER)
    write(rows_of(walk(now, pks, seed=9)), "1m", BarSource.BIRDEYE, now + LATER)


def turned_out(_now: datetime, pks: list[int]) -> None:
    """What became of the tokens."""
    Token.objects.filter(pk__in=pks[::2]).update(status=Status.ARCHIVED, symbol="RUG", last_score_value=9.0, held=True)


EVENTS = (appended, shuffled, filled_in, turned_out)


def looked_at(now: datetime, pks: list[int], features: tuple[Feature, ...]) -> list[str]:
    """The slots that any of the events changes."""

    def look() -> Features:
        return compute(inputs_at(now, now, pks), features)

    events: list[Callable[[], None]] = [lambda event=event: event(now, pks) for event in EVENTS]  # type: ignore[misc]
    return checked.changed_by(events, look, [feature.slot.name for feature in features])


def market(now: datetime) -> list[int]:
    """Seven tokens, one of them unseen for a while."""
    pks = tokens(now, 7)
    stored(now, pks)
    Bar.objects.filter(
        token_id=pks[6], interval="1m", open_time__gte=now - timedelta(minutes=50), open_time__lt=now - timedelta(minutes=40)
    ).delete()
    return pks


def test_whatever_comes_later_not_a_bit_of_a_vector_changes(now: datetime) -> None:
    assert looked_at(now, market(now), FEATURES) == []


def test_a_planted_leak_is_found_by_its_name(now: datetime) -> None:
    """One reads the newest bar there is, whenever it was; one the price a quarter of an hour on; one what became of the token."""

    def newest(pk: int) -> float:
        return Bar.objects.filter(token_id=pk, interval="1m").latest("open_time").close

    def soon(pk: int) -> float:
        bars = Bar.objects.filter(token_id=pk, interval="1m", open_time__gte=now, open_time__lt=now + timedelta(minutes=15))
        return bars.latest("open_time").close if bars else np.nan

    def leaking(name: str, of: Callable[[int], float]) -> Feature:
        return planted(name, "USD", "A leak.", TOKEN, lambda s: np.array([of(int(pk)) for pk in s.inputs.tokens]))

    leaks = (
        leaking("newest", newest),
        leaking("soon", soon),
        leaking("status", lambda pk: float(Token.objects.get(pk=pk).status == Status.ARCHIVED)),
    )
    assert looked_at(now, market(now), (*leaks, *FEATURES[:20])) == ["newest", "soon", "status"]


def test_every_stored_vector_is_found_again_to_the_last_bit(now: datetime) -> None:
    """A market goes on for an hour, minute by minute as the scheduler sees it; at each mark its vectors are stored."""
    pks = tokens(now, 7)
    Token.objects.filter(pk=pks[5]).update(created_at=now + timedelta(minutes=20))
    pools = Pool.objects.bulk_create(Pool(token_id=pk, pool_address=f"pool {pk}", dex_name="pumpswap") for pk in pks)
    chance = np.random.default_rng(3)
    price = 1e-5 * np.exp(chance.normal(0, 1, len(pks)))
    for minute in range(61):
        moment = now + timedelta(minutes=minute)
        there = [place for place in range(len(pks)) if (place != 5 or minute > 20) and chance.random() > 0.03]
        for second in (0, 30):
            ts = moment + timedelta(seconds=second)
            price *= np.exp(chance.normal(0, 0.01, len(pks)))
            looks = [{**figures(chance), "price": float(price[place])} for place in there]
            TokenSnapshot.objects.bulk_create(
                TokenSnapshot(token_id=pks[place], ts=ts, source="birdeye", **look) for place, look in zip(there, looks, strict=True)
            )
        PoolSnapshot.objects.bulk_create(
            PoolSnapshot(pool=pools[place], ts=moment, liquidity=3e4, volume_1h=9e3, price=1.0) for place in there
        )
        if minute % 15 == 0:
            for place in there:
                make_score(Token.objects.get(pk=pks[place]), moment, 1.0)
            Token.objects.filter(pk__in=[pks[place] for place in there]).update(last_scored_at=moment)
            record(moment + timedelta(seconds=21, microseconds=123_457))
        record_bars(moment + timedelta(seconds=25))
    vectors = list(FeatureVector.objects.order_by("pk"))
    assert len(vectors) > 25
    for vector in vectors:
        again = compute(inputs_at(vector.ts, vector.stored_at, [vector.token_id]))
        assert vector.as_array().tobytes() == again.values[0].tobytes(), vector
        assert vector.reasons_array().tobytes() == again.reasons[0].tobytes(), vector
    known = np.mean([~np.isnan(vector.as_array()) for vector in vectors[-5:]])
    assert known > 0.5
