"""The state of all assets over Redis, where REDIS_URL is set: published after each cycle, and kept for who comes later.

Redis is a convenience: one that is slow or away costs a cycle half a second and a line in the log, never the cycle.
"""

from __future__ import annotations

import functools
import json
import logging
from typing import TYPE_CHECKING, Any

from django.conf import settings

from ingestion.seldom import Seldom

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

CHANNEL, SNAPSHOT = "asset_state_update", "asset_state_snapshot"
SNAPSHOT_SEC = 600  # a snapshot that is older than this is no cold start worth having
PATIENCE_SEC = 0.5
_seldom = Seldom(log)


class NoRedisClient(RuntimeError):
    """REDIS_URL is set, but the client is not installed: install the extra `redis`."""


def publish(document: dict[str, Any]) -> bool:
    """Whether it went out. Without REDIS_URL nothing is tried."""
    if not settings.REDIS_URL:
        return False
    from redis.exceptions import RedisError

    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    try:
        pipeline = _client(settings.REDIS_URL).pipeline(transaction=True)
        pipeline.set(SNAPSHOT, text, ex=SNAPSHOT_SEC)
        pipeline.publish(CHANNEL, text)
        pipeline.execute()
    except (RedisError, OSError) as error:
        # Its words may hold the address, and that a password.
        _seldom.say(logging.WARNING, "redis", "the state was not published: %s", type(error).__name__)
        return False
    return True


@functools.lru_cache(maxsize=2)
def _client(url: str) -> Redis:
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise NoRedisClient(NoRedisClient.__doc__) from error
    return Redis.from_url(url, socket_timeout=PATIENCE_SEC, socket_connect_timeout=PATIENCE_SEC, retry=Retry(NoBackoff(), 0))
