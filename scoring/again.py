"""One stored score once more: from the snapshot, the count of an hour ago and the score before it, by the revision that made it.

The statement is the tick's own, asked about the token as it stood then; the arithmetic is the tick's own too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection

from scoring.components import as_texts
from scoring.metrics import METRICS, Memory, score_tick
from scoring.run import COLUMNS, FROM_POSTGRESQL, FROM_SQLITE, inputs_of, memory_columns
from scoring.settings_in_force import formula, interval_sec
from tokens.columns import read_columns

if TYPE_CHECKING:
    from scoring.models import TokenScore

# The columns of a token that the tick reads, as they were. A change of status at the same moment came of this very score.
_AS_IT_WAS = """(
    SELECT k.id, k.created_at, w.ts AS last_snapshot_at,
        (SELECT max(b.ts) FROM token_scores b WHERE b.token_id = w.token_id AND b.ts < w.ts) AS last_scored_at,
        coalesce((SELECT c.new FROM status_changes c WHERE c.token_id = w.token_id AND c.ts < w.ts ORDER BY c.ts DESC, c.id DESC LIMIT 1),
            k.status) AS status
    FROM token_scores w JOIN tokens k ON k.id = w.token_id WHERE w.id = %d)"""


def score_again(row: TokenScore) -> dict[str, Any] | None:
    """`{"score", "components"}` as a tick would store them; None where the snapshot is no longer there."""
    revision = row.settings
    source = FROM_POSTGRESQL if connection.vendor == "postgresql" else FROM_SQLITE
    then = source.replace("FROM tokens t", f"FROM {_AS_IT_WAS % row.pk} t", 1)
    columns = read_columns([*COLUMNS, *memory_columns(revision.score_model)], then)
    if not columns["pk"].size:
        return None
    inputs, by = inputs_of(columns), formula(revision)
    memory = Memory(np.stack([columns[f"{name}.smoothed"] for name in METRICS]), np.stack([columns[f"{name}.age_sec"] for name in METRICS]))
    interval = np.where(columns["active"] == 1, interval_sec(revision, "Active"), interval_sec(revision, "Initial"))
    scored = score_tick(inputs, memory, columns["ts"] - columns["scored_at"], interval, by)
    score = float(scored.score[0])
    return {"score": None if np.isnan(score) else score, "components": json.loads(as_texts(inputs, scored, by)[0])}
