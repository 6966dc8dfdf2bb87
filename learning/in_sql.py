"""`feature(values, slot)` and `feature(values, schema, name)` in plain SQL: a slot of a stored vector, null where it is missing.

On PostgreSQL a migration has made both; on SQLite, which keeps no functions, `teach` adds them to the connection at hand.
"""

from __future__ import annotations

import json
import math
import struct
from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

BYTES_A_SLOT = 4


def teach(using: str = DEFAULT_DB_ALIAS) -> None:
    """From now on this connection understands both forms. Nothing to do on PostgreSQL."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    connection.ensure_connection()
    schemas: dict[int, dict[str, int]] = {}
    connection.connection.create_function("feature", 2, _by_slot, deterministic=True)
    connection.connection.create_function("feature", 3, partial(_by_name, connection.connection, schemas))


def _by_slot(values: bytes | None, slot: int | None) -> float | None:
    if values is None or slot is None:
        return None
    if not 0 <= slot < len(values) // BYTES_A_SLOT:
        raise IndexError(f"there is no slot {slot}")
    known: float = struct.unpack_from("<f", values, BYTES_A_SLOT * slot)[0]
    return known if math.isfinite(known) else None


def _by_name(database: Any, schemas: dict[int, dict[str, int]], values: bytes | None, schema: int, name: str) -> float | None:
    if schema not in schemas:
        (names,) = database.execute("SELECT names FROM feature_schemas WHERE version = ?", [schema]).fetchone()
        schemas[schema] = {known: slot for slot, known in enumerate(json.loads(names))}
    return _by_slot(values, schemas[schema][name])
