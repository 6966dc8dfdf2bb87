"""`./run bench training`: the rows it makes up are what a training reads. The course itself takes minutes and is left to the bench."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from learning import keys, model_file, training_rows
from learning.models import Outcome
from tokens.models import Token
from tothemoon.benches import training
from tothemoon.benches.tick import NotEmpty

pytestmark = pytest.mark.django_db


def test_every_row_is_read_with_what_came_of_it_and_the_effect_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "MARKS", 5)
    now = timezone.now().replace(microsecond=0)
    stored, first = training._past(200, now)
    sample = training_rows.read(first, now, 1000)
    assert len(sample) == stored == 200
    assert len(np.unique(sample.ts)) == 5
    assert all(sample.labels[horizon].known.all() for horizon in keys.HORIZONS_MIN)
    known = ~np.isnan(sample.values[:, 0])
    assert np.corrcoef(sample.values[known, 0], sample.labels[60].gross[known])[0, 1] > 0.3
    assert Outcome.objects.order_by("-settled_at").values_list("settled_at", flat=True)[0] <= now + timedelta(minutes=2)


def test_it_writes_only_where_nothing_is_and_says_what_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "installed", lambda: False)
    (line,) = training.measure(400, "sqlite")
    assert (line.theirs, line.floor, line.holds) == (None, None, True)
    assert "the extra ml" in line.against
    Token.objects.create(address="A" * 44)
    with pytest.raises(NotEmpty):
        training.measure(400, "sqlite")
