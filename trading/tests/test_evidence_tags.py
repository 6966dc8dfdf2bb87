"""What the verdict asks about Stage 2: which trigger and which scenario stood behind each of its signals."""

import numpy as np
import pytest
from django.utils import timezone

from learning import verdict_rows
from learning.tests.evidence_rows import make_chain, make_token
from tokens.later import Later
from trading.evidence_tags import tags
from trading.tests.test_published import judged

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now().replace(second=0, microsecond=0)


def test_each_trigger_and_scenario_knows_its_signals(now, django_assert_num_queries):
    chains = [make_chain(now, make_token(now, name), sources=("score", "stage2")) for name in "AB"]
    first, second = (chain.signals["stage2"] for chain in chains)
    judged(chains[0].token, now, signal=first, triggers=[{"name": "breakout"}, {"name": "volume_spike"}], scenario="BREAKOUT_LONG")
    judged(chains[1].token, now, signal=second, triggers=[{"name": "breakout"}], scenario="BREAKOUT_LONG")
    with django_assert_num_queries(1):
        found = {(tag.group, tag.name): (sorted(tag.signals.tolist()), tag.label()) for tag in tags(np.array([first.pk, second.pk]))}
    assert found["trigger", "breakout"] == (sorted([first.pk, second.pk]), "breakout")
    assert found["trigger", "volume_spike"] == ([first.pk], "volume spike")
    assert found["scenario", "BREAKOUT_LONG"][0] == sorted([first.pk, second.pk])


def test_the_verdict_asks_the_stages():
    assert verdict_rows.TAGS.count(Later("trading.evidence_tags.tags")) == 1
