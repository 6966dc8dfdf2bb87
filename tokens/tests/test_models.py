import pytest
from django.db import IntegrityError, transaction

from tokens.models import Token, TokenSnapshot

pytestmark = pytest.mark.django_db


def test_an_address_stands_in_the_table_once(now):
    Token.objects.create(address="A" * 44)
    with pytest.raises(IntegrityError), transaction.atomic():
        Token.objects.create(address="A" * 44)


@pytest.mark.parametrize("price", [float("inf"), -1.0, 1e300])
def test_a_poisoned_price_is_refused_by_the_database_itself(now, price):
    token = Token.objects.create(address="A" * 44)
    with pytest.raises(IntegrityError), transaction.atomic():
        TokenSnapshot.objects.create(token=token, ts=now, source="pools", price=price)


def test_an_unknown_price_is_kept_as_unknown(now):
    token = Token.objects.create(address="A" * 44)
    TokenSnapshot.objects.create(token=token, ts=now, source="pools")
    assert TokenSnapshot.objects.get().price is None
