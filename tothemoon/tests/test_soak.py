"""The short form of ./run soak, and the judge on trial: who judges must be seen to convict."""

import random

import pytest
from django.conf import settings

from tokens.models import StatusChange, Token, TokenSnapshot
from tothemoon.tests.commands import database_url
from tothemoon.tests.soak import __main__ as soak
from tothemoon.tests.soak.judge import judge
from tothemoon.tests.soak.trial import Plan, run
from tothemoon.tests.soak.world import Connection, World

DATABASE = "sqlite" if settings.ON_SQLITE else "postgres"


@pytest.mark.slow
@pytest.mark.own_database
def test_five_kills_of_each_worker_lose_nothing_and_leave_nothing_twice():
    outcome = run(Plan(DATABASE, seed=5, kills=5, longest_life_sec=0.8))
    assert outcome.passed, soak.report(outcome)
    assert outcome.killed == {"listener": 5, "scheduler": 5}
    assert outcome.verdict.stored > 100
    assert outcome.verdict.snapshots > 10


@pytest.mark.slow
@pytest.mark.own_database
@pytest.mark.postgres
@pytest.mark.skipif(settings.ON_SQLITE, reason="a server that can be stopped")
def test_a_database_that_crashes_under_both_workers_costs_no_event_and_no_connection():
    outcome = run(Plan("postgres", seed=6, restarts=3))
    assert outcome.passed, soak.report(outcome)


@pytest.fixture
def world():
    with World(random.Random(1)) as world:
        yield world


@pytest.fixture
def honest(world, now, transactional_db):
    """A world that sent one migration, and a database that has it."""
    token = Token.objects.create(address="A" * 43)
    StatusChange.objects.create(token=token, old="", new="Initial", reason="migrated", actor="listener", ts=now)
    world.sent_mints.add(token.address)
    world.connections.append(Connection(subscribed_at=0.0, ended_at=10.0, sent=[(token.address, 5.0)]))
    return token


def test_the_judge_acquits_a_database_that_has_what_was_sent(world, honest):
    assert judge(world, database_url()).faults == []


def test_what_was_sent_just_before_a_kill_may_be_missing(world, honest):
    world.connections[0].sent.append(("B" * 43, 9.9))
    verdict = judge(world, database_url())
    assert (verdict.faults, verdict.at_risk) == ([], 1)


def test_the_judge_convicts_a_loss(world, honest):
    world.connections[0].sent.append(("B" * 43, 9.7))
    assert judge(world, database_url()).faults == ["1 migrations lost that were older than 250 ms"]


def test_the_judge_convicts_a_foreign_token_and_a_missing_history(world, honest):
    Token.objects.create(address="C" * 43)
    assert judge(world, database_url()).faults == ["1 foreign tokens", "1 tokens whose history does not lead to their status"]


def test_the_judge_convicts_a_history_that_leads_elsewhere(world, honest, now):
    StatusChange.objects.create(token=honest, old="Initial", new="Active", reason="?", actor="rule:activate", ts=now)
    assert judge(world, database_url()).faults == ["1 tokens whose history does not lead to their status"]


def test_the_judge_convicts_a_history_told_twice(world, honest, now):
    StatusChange.objects.create(token=honest, old="", new="Initial", reason="migrated", actor="listener", ts=now)
    faults = judge(world, database_url()).faults
    assert "1 duplicate first rows of a history" in faults
    assert "1 duplicate status changes" in faults


def test_the_judge_convicts_a_figure_that_nobody_sent_and_half_a_tick(world, honest, now):
    TokenSnapshot.objects.create(token=honest, ts=now, source="pools", price=7.0)
    faults = judge(world, database_url()).faults
    assert faults == ["1 snapshots with a figure that nobody sent", "1 token snapshots without the pool snapshots they came with"]


def test_the_judge_convicts_deafness_that_was_not_recorded(world, honest):
    world.connections.append(Connection(subscribed_at=60.0, ended_at=70.0))
    assert judge(world, database_url()).faults == ["gaps of 0.0 s for 50.0 s of deafness"]
