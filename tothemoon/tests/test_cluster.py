"""What several machines do, as far as it can be said without starting them; and a real Redis."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command

from ingestion import quotas
from ingestion.quotas import ALONE, SharedQuota, quota
from tothemoon.cluster_sessions import of_a_cluster
from tothemoon.shared_cache import SharedCache
from tothemoon.tests.papers import HERE
from trading.tests import real_redis


@pytest.fixture(scope="module")
def redis_url():
    with real_redis.running() as url:
        yield url
    quotas._client.cache_clear()


@pytest.fixture
def shared(settings, redis_url):
    settings.QUOTAS_URL = redis_url
    quotas._client(redis_url).flushall()
    return settings


def taken(one, seconds):
    until, number = time.monotonic() + seconds, 0
    while (left := until - time.monotonic()) > 0:
        number += one.try_acquire("x", timeout=left)
    return number


def test_one_machine_alone_needs_no_redis_and_none_of_the_extra(settings):
    assert settings.QUOTAS_URL == ""
    assert not isinstance(quota("dexscreener:tokens", 10), SharedQuota)
    lines = "import tothemoon.management.commands.run_scheduler, tothemoon.schedule, sys; print('procrastinate' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "CLUSTER"}
    command = [sys.executable, "-c", f"import django; django.setup(); {lines}"]
    environment["DJANGO_SETTINGS_MODULE"] = "tothemoon.settings"
    assert subprocess.run(command, cwd=HERE, env=environment, text=True, capture_output=True, check=True).stdout.strip() == "False"


def test_only_who_says_that_there_are_several_machines_may_hand_the_work_out():
    with pytest.raises(CommandError, match="CLUSTER"):
        call_command("run_scheduler", enqueue=True)
    with pytest.raises(CommandError, match="--once"):
        call_command("run_scheduler", enqueue=True, once=True)


def test_the_shares_of_one_tick_are_told_together_and_every_run_is_counted():
    from tothemoon.cluster import added_up  # needs the extra

    share = {"tick": "12:00", "tokens": 30, "left": 0, "ms": 50.0, "ok": True, "error": ""}
    told = added_up(added_up({"runs": 7, "failures": 1, "tick": "11:59"}, share), {**share, "ms": 20.0, "ok": False, "error": "GivenUp"})
    assert (told["tokens"], told["ms"], told["ok"], told["error"], told["runs"], told["failures"]) == (60, 50.0, False, "GivenUp", 9, 2)
    assert added_up(told, {**share, "tick": "12:01"})["tokens"] == 30


def test_a_session_may_hold_a_row_no_longer_than_a_lease():
    told = of_a_cluster({"connect_timeout": 5, "options": "-c jit=off"}, 2.5)
    assert told["options"].startswith("-c jit=off -c idle_in_transaction_session_timeout=2500 ")
    assert (told["connect_timeout"], told["tcp_user_timeout"]) == (5, 10_000)


def test_machines_share_one_rate_whoever_asks(shared):
    machines = [quota("birdeye:", 20.0) for _ in range(3)]
    assert all(isinstance(machine, SharedQuota) for machine in machines)
    with ThreadPoolExecutor(3) as threads:
        began = time.monotonic()
        numbers = list(threads.map(lambda machine: taken(machine, 1.0), machines))
    assert 1 <= sum(numbers) <= 20 * (time.monotonic() - began) + 1


def test_another_source_has_a_quota_of_its_own(shared):
    assert quota("birdeye:", 0.1).try_acquire("x", timeout=0)
    assert quota("dexscreener:tokens", 0.1).try_acquire("x", timeout=0)
    assert not quota("birdeye:", 0.1).try_acquire("x", timeout=0)


def test_while_redis_is_away_each_asks_more_slowly_by_itself(settings, caplog):
    settings.QUOTAS_URL = f"redis://:secret-canary@127.0.0.1:{real_redis.free_port()}/0"
    alone = quota("birdeye:", 1.0)
    assert alone.try_acquire("x", timeout=0)
    began = time.monotonic()
    assert not alone.try_acquire("x", timeout=0.5)
    assert alone._alone.try_acquire("x", timeout=1 / ALONE + 1)
    assert time.monotonic() - began >= 1 / ALONE - 1
    assert "cannot be read" in caplog.text
    assert "canary" not in caplog.text


def test_what_is_kept_in_redis_is_found_by_the_other_machine(redis_url):
    one, other = (SharedCache(redis_url, {}) for _ in range(2))
    one.set("a", b"1", 60)
    one.set_many({"b": 2})
    assert other.get("a") == b"1"
    assert other.get_many(["a", "b"]) == {"a": b"1", "b": 2}


def test_while_redis_is_away_nothing_is_remembered_and_counting_says_so(caplog):
    from redis.exceptions import RedisError

    away = SharedCache(f"redis://127.0.0.1:{real_redis.free_port()}/0", {})
    away.set("a", 1)
    assert away.set_many({"a": 1}) == ["a"]
    assert away.get("a", "nothing") == "nothing"
    assert away.get_many(["a"]) == {}
    with pytest.raises(RedisError):
        away.add("attempts", 1)
    assert "does not answer" in caplog.text
