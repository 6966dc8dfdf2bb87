"""Growth is measured on the rows of the last day, and says nothing of an empty table."""

from datetime import datetime, timedelta

import pytest

from learning.growth import growth
from learning.tests.evidence_rows import make_chain, make_token

pytestmark = pytest.mark.django_db


def test_the_rows_of_the_last_day_are_counted_with_their_size(now: datetime) -> None:
    for hours in (1, 5, 30):
        make_chain(now - timedelta(hours=hours), make_token(now, f"{hours}"))
    found = {each.table: each for each in growth(now)}
    vectors = found["feature_vectors"]
    assert (vectors.rows_a_day, found["predictions"].bytes_a_row) == (2, None)
    assert 960 < (vectors.bytes_a_row or 0) < 1_300
    assert vectors.mb_after(30) == pytest.approx(30 * vectors.mb_a_day)
    assert found["predictions"].mb_a_day == 0
