import numpy as np
import pytest

from scoring.ahead import PLACES, Ahead
from scoring.models import ScoringSettings
from scoring.revisions import WEIGHTS
from scoring.strips import meaning, span, strips

EACH = np.array([[0.0, 0.02, 5.0, 9.04, 9.97, 10.0, 7.25, np.nan]] * 4)
FOUND = Ahead(10, 40, 38, EACH)


def test_nearly_all_are_not_all_and_hardly_any_is_not_none():
    bars = strips(FOUND, ScoringSettings())["weight_tx_accel"].bars
    assert [bar.stay for bar in bars] == ["0", "0.1", "5", "9", "9.9", "10", "7.2", "–"]
    assert [bar.along for bar in bars] == [100 * place for place in PLACES]
    assert [(bars[place].top, bars[place].tall) for place in (0, 2, 5)] == [("40.0", "0.0"), ("30.0", "10.0"), ("20.0", "20.0")]
    assert bars[-1].height is None


@pytest.mark.parametrize(
    ("weight", "mark", "words"), [(0.25, 25, "is at 0.25."), (1.0, 100, "is at 1."), (30.0, 100, "is at 30, beyond the slider.")]
)
def test_the_draft_is_marked_on_its_slider(weight, mark, words):
    strip = strips(FOUND, ScoringSettings(weight_holder_growth=weight))["weight_holder_growth"]
    assert strip.mark == mark
    assert strip.told.endswith(words)
    assert "first 10 would stay: 0 at 0, 0.1 at 0.1, 5 at 0.2" in strip.told
    assert "unknown at 1, where no weight is left." in strip.told


def test_too_little_to_look_at_is_no_strip_and_a_sentence():
    few = Ahead(5, 7, 3, None)
    assert strips(few, ScoringSettings()) == {}
    assert meaning(few, 0.1).endswith("at 5 moments 60 s apart; so far it was so at 3 of 7.")
    assert meaning(Ahead(5, 0, 0, None), 0.0).endswith("nothing that long is stored yet.")


def test_the_sentence_says_what_a_strip_is_and_what_it_is_not():
    assert set(strips(FOUND, ScoringSettings())) == set(WEIGHTS)
    assert "on average over 38 moments of the last 2.1 h. It says how far the list would differ, not that it would be better" in meaning(
        FOUND, 2.1
    )
    assert (span(0.14), span(0.999), span(1.0)) == ("8 min", "60 min", "1.0 h")
