"""A source's rate, kept by one process alone or, where several machines ask (CLUSTER with a Redis), by all of them together."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from django.conf import settings
from pyrate_limiter import GCRA, Limiter, SingleBucketFactory, StateBucket
from pyrate_limiter.clocks import AbstractClock

from ingestion.politeness import evenly_spaced, spacing
from ingestion.seldom import Seldom

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

ALONE = 0.25  # of the rate: so many machines may there be for it to hold while Redis is away
REDIS_SEC = 0.5  # a request that waits longer for leave goes by the other rule


def quota(name: str, rate: float) -> Limiter | SharedQuota:
    """`rate` requests a second under this name, evenly spaced: of this process, or of all machines."""
    return SharedQuota(name, rate) if settings.QUOTAS_URL else evenly_spaced(rate)


class _RedisClock(AbstractClock):
    """The clocks of two machines differ by more than the space between two requests; Redis has one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def now(self) -> int:
        seconds, micros = self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000


class SharedQuota:
    """While Redis does not answer, each process keeps to a part of the rate by itself: slower, and still polite."""

    def __init__(self, name: str, rate: float) -> None:
        from pyrate_limiter.buckets.redis_state import RedisStateStore

        client = _client(settings.QUOTAS_URL)
        store = RedisStateStore(client, f"tothemoon:quota:{name}")
        bucket = StateBucket([spacing(rate)], GCRA(), store, _RedisClock(client))
        self._all = Limiter(SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=1)
        self._alone = evenly_spaced(rate * ALONE)
        self._seldom = Seldom(logger)

    def try_acquire(self, name: str, *, timeout: float) -> bool:
        from redis.exceptions import RedisError

        try:
            return bool(self._all.try_acquire(name, timeout=timeout))
        except RedisError as error:
            self._seldom.say(
                logging.ERROR,
                "quota",
                "the quota that all machines share cannot be read (%s): this one asks %g times as often as it may until it can",
                type(error).__name__,
                ALONE,
            )
            return bool(self._alone.try_acquire(name, timeout=timeout))


@functools.cache
def _client(address: str) -> Redis:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(address, socket_timeout=REDIS_SEC, socket_connect_timeout=REDIS_SEC, retry=Retry(NoBackoff(), 1))
