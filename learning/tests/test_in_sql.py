"""A slot of a vector in plain SQL, the same on both databases."""

import math
import struct

import numpy as np
import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from learning import schema
from learning.in_sql import teach
from learning.tests.evidence_rows import make_token, make_vector

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def taught(db):
    teach()


def ask(question, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(question, parameters)
        return cursor.fetchone()[0]


@given(st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_float_of_four_bytes_is_read_as_it_is(bits):
    packed = struct.pack("<I", bits)
    wanted = struct.unpack("<f", packed)[0]
    found = ask("SELECT feature(%s, 1)", b"\0\0\0\0" + packed)
    assert found == wanted if math.isfinite(wanted) else found is None


def test_a_slot_by_its_name_is_that_slot_and_null_where_it_is_missing(now):
    vector = make_vector(make_token(now), now, missing={7: 3})
    by_name = 'SELECT feature(v."values", v.schema_id, %s) FROM feature_vectors v WHERE v.id = %s'
    assert ask(by_name, schema.NAMES[6], vector.pk) == float(vector.as_array()[6])
    assert ask(by_name, schema.NAMES[7], vector.pk) is None
    assert ask('SELECT feature(v."values", 239) FROM feature_vectors v WHERE v.id = %s', vector.pk) == vector.named()[schema.NAMES[239]]


def test_an_average_over_vectors_leaves_out_what_is_missing(now):
    token = make_token(now)
    first, second, _ = (make_vector(token, now.replace(minute=minute), {3: 2} if minute == 30 else None) for minute in (0, 15, 30))
    wanted = np.mean([first.as_array()[3], second.as_array()[3]], dtype=np.float64)
    assert ask('SELECT avg(feature("values", 3)) FROM feature_vectors') == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("slot", [-1, 240])
def test_a_slot_that_is_not_there_is_an_error_and_no_number(now, slot):
    vector = make_vector(make_token(now), now)
    with pytest.raises(DatabaseError), transaction.atomic():
        ask('SELECT feature("values", %s) FROM feature_vectors WHERE id = %s', slot, vector.pk)


def test_a_name_that_no_slot_has_is_an_error_and_no_number(now):
    vector = make_vector(make_token(now), now)
    with pytest.raises(DatabaseError), transaction.atomic():
        ask('SELECT feature("values", schema_id, %s) FROM feature_vectors WHERE id = %s', "rsi_of_yesterday", vector.pk)
