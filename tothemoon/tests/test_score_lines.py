"""The lines of scores: what was read of a step that has ended is not read again, and nobody sees the difference."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scoring.models import TokenScore
from tokens.score_lines import HOURS, POINTS, STEP_SEC, ends, score_lines
from tothemoon.tests.page_rows import a_token, in_force

pytestmark = pytest.mark.django_db
TICK = timedelta(seconds=30)


def score(token, ts, value):
    TokenScore.objects.create(token=token, ts=ts, score=value, settings=in_force())


def read_anew(tokens, now):
    cache.clear()
    return score_lines(tokens, now)


def test_a_line_is_the_mean_of_each_step_with_a_hole_where_there_was_none(now):
    token = a_token(now)
    for minutes, value in ((0.5, 2.0), (1.5, 4.0), (61, None), (60, 1.0), (HOURS * 60 + 3, 9.0)):
        score(token, now - timedelta(minutes=minutes), value)
    line = score_lines([token], now)[token.pk]
    assert len(line) == POINTS
    assert {place: value for place, value in enumerate(line) if value is not None} == {POINTS - 2: 3.0, POINTS - 31: 1.0}
    assert ends(now)[1] - ends(now)[0] == HOURS * 3600 == (POINTS - 1) * STEP_SEC


def test_after_each_tick_the_line_is_the_one_that_reading_anew_would_give(now):
    tokens = [a_token(now, number) for number in range(3)]
    for tick in range(40):
        at = now + TICK * tick
        for token in tokens[: 2 + tick % 2]:
            score(token, at, float(tick * 7 % 11))
        seen = tokens if tick % 5 else tokens[:1]
        kept = score_lines(seen, at)
        before = cache.get_many([f"line:{token.pk}" for token in tokens])
        assert kept == read_anew(seen, at)
        cache.set_many(before)


def test_who_was_away_for_long_is_read_anew(now):
    token = a_token(now)
    score(token, now, 1.0)
    score_lines([token], now)
    for minutes in range(1, 50):
        score(token, now + timedelta(minutes=minutes), float(minutes))
    later = now + timedelta(minutes=50)
    assert score_lines([token], later) == read_anew([token], later)


def test_after_a_tick_only_the_last_minutes_are_read_in_one_query(now):
    tokens = [a_token(now, number) for number in range(4)]
    for token in tokens:
        for tick in range(200):
            score(token, now - TICK * tick, 1.0)
    score_lines(tokens, now)
    with CaptureQueriesContext(connection) as asked:
        score_lines(tokens, now + TICK)
    assert len(asked) == 1
    more = [*tokens, a_token(now, 9)]
    with CaptureQueriesContext(connection) as asked:
        score_lines(more, now + TICK)
    assert len(asked) == 2
