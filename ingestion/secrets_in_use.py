"""Secrets that are not settings but rows: whoever uses one notes it here, and the log masks it like the others."""

from __future__ import annotations

SHORTEST = 8  # to mask less would tear holes into harmless words
MOST = 500

_noted: dict[str, None] = {}


def note(secret: str) -> None:
    if len(secret) >= SHORTEST and secret not in _noted:
        if len(_noted) >= MOST:
            _noted.pop(next(iter(_noted)), None)
        _noted[secret] = None


def noted() -> tuple[str, ...]:
    """All of them, the oldest first."""
    return tuple(_noted)
