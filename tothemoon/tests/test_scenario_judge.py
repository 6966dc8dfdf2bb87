"""The judge of the scenarios on trial: a client that keeps every rule is acquitted, each one that breaks a rule is caught, by its rule."""

import time
from dataclasses import replace

import pytest

from ingestion.tests.mints import mint
from tokens.models import StatusChange, Token
from tothemoon.tests.commands import database_url
from tothemoon.tests.soak.adversary import double_polls, doubles, feed_frames, invariants
from tothemoon.tests.soak.adversary.feed_refusals import refusing
from tothemoon.tests.soak.adversary.stage import Pace, Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
NOT_HEARD_SEC = 3.0  # for which a client may be away at most
NEVER_COUNT = {doubles.DiesOfADuplicate, doubles.CountsNoDuplicates}  # these are waited for as long as the pass line says, no longer


@pytest.fixture
def stage(tmp_path):
    with Stage("judge", database_url(), tmp_path, 3, Pace(patience=4.0, slack=4.0, gap_sec=0.4), {}) as stage:
        yield stage


def ordeal(stage, client):
    """Events, nonsense, one event twice by other words, a clean close, a refusal with Retry-After, more events: then the verdict."""
    stage.workers["double"] = client
    client.thread.start()
    feed = stage.feed
    assert feed.wait_for_line(1, 20)
    numbers = feed.migrate(7)
    feed.tell('{"txType":"migrate","mint":"0x12"}', "{", feed.event(numbers[0], signature="another"), about=[mint(numbers[0])])
    feed_frames.counted(stage, "duplicates", 1, 0)
    feed.next_up.append(refusing(stage, 429, "Retry-After: 2", asked_sec=2.0))
    stage.weigh()
    light = stage.heaviest_mb
    feed.migrate(3)
    feed.break_off(lambda peer: peer.close(1000))
    if stage.within(NOT_HEARD_SEC, lambda: len(feed.lines) > 1, "I6", "listening again"):
        feed.migrate(6)
    stage.all_stored(1.0)
    invariants.standing(stage)
    invariants.within_memory(stage, light)
    client.end()
    feed.current.ended_at = feed.current.ended_at or time.monotonic()
    invariants.closing(stage)
    return {invariant for invariant, _ in stage.outcome.faults}


def test_a_client_that_keeps_every_rule_is_acquitted(stage):
    assert ordeal(stage, doubles.Listener(stage)) == set(), stage.outcome.faults


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("broken", "rule"), doubles.BROKEN.items(), ids=lambda value: getattr(value, "__name__", value))
def test_a_client_that_breaks_a_rule_is_caught_by_it(stage, broken, rule):
    stage.pace = replace(stage.pace, slack=1.0) if broken in NEVER_COUNT else stage.pace
    assert rule in ordeal(stage, broken(stage)), stage.outcome.faults


@pytest.fixture
def token(stage):
    token = Token.objects.create(address=mint(77))
    StatusChange.objects.create(token=token, old="", new="Initial", reason="migrated", actor="listener")
    stage.given.add(token.address)
    return token


def test_polling_that_keeps_every_rule_is_acquitted(stage, token):
    double_polls.poll(stage, token)
    double_polls.poll(stage, token)
    invariants.closing(stage)
    assert stage.outcome.faults == []


@pytest.mark.parametrize(("broken", "rule"), double_polls.BROKEN_POLLS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_polling_that_breaks_a_rule_is_caught_by_it(stage, token, broken, rule):
    double_polls.poll(stage, token)
    broken(stage, token)
    invariants.closing(stage)
    assert {invariant for invariant, _ in stage.outcome.faults} == {rule}


def test_broken_clients_are_two_dozen():
    assert len(doubles.BROKEN) + len(double_polls.BROKEN_POLLS) >= 24
