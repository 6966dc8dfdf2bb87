"""The plugins of the long forms of the suite: an order drawn by a seed, and many more examples."""

from types import SimpleNamespace

import hypothesis
import pytest
from hypothesis import strategies as st

from tothemoon.tests import many_examples, shuffled


def test_the_same_seed_draws_the_same_order_and_loses_no_test(monkeypatch):
    orders = [list(range(50)) for _ in range(3)]
    for order, seed in zip(orders, "112", strict=True):
        monkeypatch.setenv("ORDER_SEED", seed)
        shuffled.pytest_collection_modifyitems(order)
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == list(range(50))


def test_a_property_that_asks_for_fewer_examples_keeps_its_share():
    usual, few = hypothesis.settings(max_examples=50), hypothesis.settings(max_examples=5)
    assert [many_examples.more(asked, 40).max_examples for asked in (usual, few)] == [2000, 200]
    assert many_examples.more(few, 0.01).max_examples == 1


def test_only_the_examples_that_were_really_tried_are_counted():
    count = many_examples.Count()
    said = "- during reuse phase:\n  - 3 passing, 0 failing\n- during generate phase:\n  - 1997 passing, 0 failing, and 12 invalid"
    for statistics in (said, ""):
        item, report = SimpleNamespace(hypothesis_statistics=statistics), SimpleNamespace(when="call", user_properties=[])
        reported = count.pytest_runtest_makereport(item, SimpleNamespace(when="call"))
        next(reported)
        with pytest.raises(StopIteration):
            reported.send(report)
        count.pytest_runtest_logreport(report)
    assert (count.examples, count.tests) == (2000, 2)


def test_properties_are_told_from_other_tests_and_get_their_examples(monkeypatch):
    tried = []

    @hypothesis.settings(max_examples=50, database=None)
    @hypothesis.given(st.integers())
    def holds(number):
        tried.append(number)

    holds._hypothesis_internal_use_settings = many_examples.more(holds._hypothesis_internal_use_settings, 2.4)
    assert hypothesis.is_hypothesis_test(holds)
    holds()
    assert len(tried) == 120
