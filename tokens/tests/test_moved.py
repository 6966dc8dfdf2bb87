"""What changed between two scores, and why."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from tokens import moved
from tokens.moved import between
from tokens.page import Explanation, ScorePart

SETTINGS = SimpleNamespace(pk=1)


def a_part(contribution, raw=1.0, share=0.5, reason=""):
    return ScorePart("tx_accel", "Transactions", raw, None, raw, 0.25, share, contribution, "ok", reason, ())


def an_explanation(*parts, settings=SETTINGS):
    known = [part.contribution for part in parts if part.contribution is not None]
    return Explanation(sum(known) if known else None, None, settings, parts, ())


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10)), min_size=1, max_size=4))
def test_the_parts_of_a_change_add_up_to_it(pairs):
    found = between(an_explanation(*(a_part(old) for old, _ in pairs)), an_explanation(*(a_part(new) for _, new in pairs)))
    written = sum(round(float(part.amount.replace("−", "-")) * 1000) for part in found.parts)
    assert abs(written - found.change * 1000) <= 0.5 + 1e-6


def test_what_moved_most_stands_first():
    found = between(an_explanation(a_part(0.5), a_part(0.5)), an_explanation(a_part(0.6), a_part(0.1)))
    assert [part.amount for part in found.parts] == ["−0.400", "0.100"]


def test_a_part_says_whether_its_value_its_place_or_the_smoothing_moved_it():
    assert moved.why(a_part(0.5, raw=1.8), a_part(0.6, raw=2.1)) == "raw 1.80 → 2.10"
    assert moved.why(a_part(0.5, share=0.25), a_part(0.6, share=1 / 3)) == "share 25 % → 33 %"
    assert moved.why(a_part(0.5), a_part(0.6)) == "smoothing catches up"


def test_a_part_that_comes_in_or_drops_out_says_so():
    assert moved.why(a_part(None, raw=None), a_part(0.6)) == "it counts now"
    assert moved.why(a_part(0.6), a_part(None, raw=None, reason="too old")) == "it is left out now: too old"


def test_other_settings_are_named_only_when_they_are_others():
    same = an_explanation(a_part(0.5))
    assert between(same, same).other_settings is None
    assert between(an_explanation(a_part(0.5), settings=SimpleNamespace(pk=2)), same).other_settings.pk == 2


def test_without_a_score_there_is_nothing_to_compare():
    assert between(an_explanation(), an_explanation(a_part(1.0))) is None
