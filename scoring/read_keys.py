"""Read keys: random enough that a plain hash of them keeps their secret."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q

PREFIX = "ttm_"
LONGEST = 128  # no key is longer; nothing longer is hashed
NOTED_EVERY = timedelta(minutes=1)


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class ReadKeyQuerySet(models.QuerySet[Any]):
    def valid(self) -> ReadKeyQuerySet:
        return self.filter(revoked_at=None)

    def make(self, name: str, author: Any, now: datetime) -> tuple[Any, str]:
        """A new row and its key. The key is nowhere afterwards but with whoever reads it now."""
        key = PREFIX + secrets.token_urlsafe(32)
        return self.create(name=name, author=author, created_at=now, start=key[:8], key_hash=hashed(key)), key

    def opens(self, key: str, now: datetime) -> bool:
        """Whether this is a key that holds. Its use is noted, once a minute at most."""
        if not key or len(key) > LONGEST:
            return False
        found = self.valid().filter(key_hash=hashed(key)).values_list("pk", "last_used_at").first()
        if found is None:
            return False
        pk, used = found
        if used is None or now - used >= NOTED_EVERY:
            self.filter(Q(last_used_at=None) | Q(last_used_at__lt=now), pk=pk).update(last_used_at=now)
        return True

    def revoke(self, now: datetime) -> int:
        """How many held until now."""
        return self.valid().update(revoked_at=now)
