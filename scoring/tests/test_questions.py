"""Questions to the tokens whose answer lies in their scores."""

from datetime import timedelta

import pytest

from scoring.history import _first_row
from scoring.models import ScoringSettings
from scoring.run import score_tokens
from scoring.tests.rows import make_token, see
from tokens.models import Status, Token, TokenSnapshot

pytestmark = pytest.mark.django_db


def test_the_first_row_of_a_time_is_found_by_keys_with_holes_in_one_question(now, django_assert_num_queries):
    """The past of a console is read from there; what is swept away and what was rolled back leave holes."""
    token = make_token(now)
    for minute in range(40):
        see(token, now + timedelta(minutes=minute))
    TokenSnapshot.objects.filter(ts__lt=now + timedelta(minutes=5)).delete()
    TokenSnapshot.objects.filter(ts__range=(now + timedelta(minutes=20), now + timedelta(minutes=33))).delete()
    for minute in range(-1, 42):
        wanted = now + timedelta(minutes=minute)
        young = TokenSnapshot.objects.filter(ts__gte=wanted).order_by("pk").first() or TokenSnapshot.objects.latest("pk")
        with django_assert_num_queries(1):
            found = _first_row(wanted)
        assert TokenSnapshot.objects.filter(pk__gte=found).order_by("pk").first() == young


def test_of_an_empty_table_any_row_is_the_first(now):
    assert _first_row(now) == 0


def test_near_activation_are_initial_tokens_close_to_a_threshold_the_nearest_first(now):
    for name, liquidity, count in (("far", 10.0, 2), ("trades", 0.0, 20), ("money", 450.0, 0), ("unknown", None, None)):
        see(make_token(now, name, Status.INITIAL), now, liquidity=liquidity, tx_count_5m=count)
    see(make_token(now, "active"), now)
    score_tokens(now)
    found = [(token.symbol, token.closeness) for token in Token.objects.near_activation()]
    assert found == [("money", 0.9), ("trades", 0.8)]


def test_near_activation_goes_by_the_revision_that_scored_the_token(now):
    ScoringSettings.objects.revise({"min_tx_count": 100, "min_active_liquidity": 0}, None, "stricter")
    see(make_token(now, "A", Status.INITIAL), now, liquidity=5.0, tx_count_5m=60)
    score_tokens(now)
    assert [token.closeness for token in Token.objects.near_activation()] == [0.6]


def test_history_has_each_score_beside_the_snapshot_it_was_made_from(now):
    token = make_token(now)
    for seconds in (0, 30):
        see(token, now + timedelta(seconds=seconds), price=float(seconds))
        score_tokens(now + timedelta(seconds=seconds))
    token.refresh_from_db()
    rows = token.history(hours=1)
    assert [row["price"] for row in rows] == [0.0, 30.0]
    assert rows[-1]["score"] == token.last_score_value
