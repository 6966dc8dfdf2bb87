"""The search for circular garbage rests while a tick's rows are made, and goes on after it, however it ends."""

import gc

import pytest

from tokens.uncollected import uncollected


def test_nothing_is_searched_within_and_the_search_goes_on_afterwards():
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_within_leaves_the_search_on():
    with pytest.raises(ValueError), uncollected():
        raise ValueError
    assert gc.isenabled()
