"""Django's cache in Redis, where it may go away: what cannot be read is not remembered, and is worked out again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache

from ingestion.seldom import Seldom

log = logging.getLogger(__name__)
PATIENCE = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}


class SharedCache(RedisCache):
    """Reading and keeping never fail. Counting does (`add`, `incr`): who counts attempts must know that he cannot."""

    _seldom = Seldom(log)

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, {**params, "OPTIONS": {**PATIENCE, **params.get("OPTIONS", {})}})

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        try:
            return super().get(key, default, version)
        except self._trouble() as error:
            self._say(error)
            return default

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        try:
            return super().get_many(keys, version)
        except self._trouble() as error:
            self._say(error)
            return {}

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        try:
            super().set(key, value, timeout, version)
        except self._trouble() as error:
            self._say(error)

    def set_many(self, data: dict[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> list[Any]:
        try:
            return super().set_many(data, timeout, version)
        except self._trouble() as error:
            self._say(error)
            return list(data)

    @staticmethod
    def _trouble() -> type[Exception]:
        from redis.exceptions import RedisError

        return RedisError

    def _say(self, error: Exception) -> None:
        self._seldom.say(logging.WARNING, "cache", "the shared cache does not answer (%s): nothing is remembered", type(error).__name__)
