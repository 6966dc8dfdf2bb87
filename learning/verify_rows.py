"""What `learning.verifying` judges, read of the tables: counted by the database over ranges of keys, with statements whose number does not
depend on how much there is. Only a sample of vectors is opened, the newest ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.apps import apps
from django.db import connection, models

from learning import keys, packing, schema
from learning.models import SERVING, FeatureSchema, FeatureVector, ModelVersion, Outcome, Prediction, Signal
from learning.recording import LATEST
from learning.verifying import SLOTS
from scoring.models import ScoringSettings
from scoring.stage_columns import stage_values
from tokens.bars import moment_literal
from tokens.cleanup import kept_from

MOST_OPENED = 20_000  # vectors: 20 MB
OPENED_AT_ONCE = 4_000
FEW, LEAST_OF_A_MARK = 2, 0.9  # tokens that came while a mark was read are no fault; more than these, and more than a tenth, are
GRACE = timedelta(minutes=10)  # for settling: the job comes each minute, and may have to catch up
EVIDENCE: tuple[type[models.Model], ...] = (FeatureVector, Prediction, Signal, Outcome)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one moment to another, and the same as keys: the second is not included."""

    since: datetime
    until: datetime

    @property
    def first(self) -> int:
        return keys.first_of(self.since)

    @property
    def end(self) -> int:
        return keys.first_of(self.until)


def _one(question: str, *parameters: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(question, parameters)
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def marks(stretch: Stretch, now: datetime, revision: ScoringSettings) -> list[int]:
    """The marks of the clock that should have been written: since this revision holds and evidence is kept at all, and as far back as there
    are the scores that say for which tokens."""
    length = 60 * int(stage_values(revision)["evidence_every_min"])
    if not length:
        return []
    fresh = timedelta(seconds=revision.freshness_limit_sec)
    began = FeatureSchema.objects.order_by("created_at").values_list("created_at", flat=True).first()
    since = max(stretch.since, revision.created_at, kept_from(now, revision.retention_hours) + fresh, began or stretch.since)
    first, last = -int(-since.timestamp() // length) * length, int((min(stretch.until, now) - LATEST - GRACE).timestamp())
    return list(range(first, last + 1, length))


def filled(stretch: Stretch, now: datetime, revision: ScoringSettings) -> tuple[int, int, int]:
    """Vectors that should be there with what the score said of them, one for each token with a fresh score and a sound price at a mark, how
    many of these are, and of how many marks only a part is. What the score says has the key of its vector."""
    wanted = marks(stretch, now, revision)
    if not wanted:
        return 0, 0, 0
    fresh = timedelta(seconds=revision.freshness_limit_sec)
    moments = [(mark, datetime.fromtimestamp(mark, UTC)) for mark in wanted]
    rows = [f"SELECT {keys.key(mark, 0, 0)} AS first, {_typed(at)} AS until, {_typed(at - fresh)} AS since" for mark, at in moments]
    newest = "SELECT x.id FROM token_scores x WHERE x.token_id = t.id AND x.ts <= m.until AND x.ts > m.since ORDER BY x.ts DESC LIMIT 1"
    by_mark = (
        f"SELECT count(*) AS expected, count(v.id) AS there FROM ({' UNION ALL '.join(rows)}) m JOIN tokens t ON t.last_scored_at > m.since"  # noqa: S608
        f" JOIN token_scores c ON c.id = ({newest}) JOIN token_snapshots s ON s.token_id = t.id AND s.ts = c.ts"
        f" LEFT JOIN signals v ON v.id = m.first + t.id * {keys.SLOTS} WHERE s.price > 0 AND s.contradictions = '' GROUP BY m.first"
    )
    in_part = f"q.there > 0 AND q.expected - q.there > {FEW} AND q.there < {LEAST_OF_A_MARK} * q.expected"
    found = _one(f"SELECT sum(q.expected), sum(q.there), sum(CASE WHEN {in_part} THEN 1 ELSE 0 END) FROM ({by_mark}) q")  # noqa: S608
    expected, there, left_half = (int(number or 0) for number in found)
    return expected, there, left_half


def _typed(moment: datetime) -> str:
    literal = moment_literal(moment)
    return f"{literal}::timestamptz" if connection.vendor == "postgresql" else literal


def predicted(stretch: Stretch, now: datetime) -> tuple[int, int]:
    """Predictions that the serving models should have made, one for each vector of a mark since their first, and how many there are."""
    expected = there = 0
    for model in ModelVersion.objects.filter(role__in=SERVING, stopped_at=None):
        inside = Prediction.objects.filter(model=model, pk__gte=stretch.first, pk__lt=stretch.end).order_by("pk")
        first = inside.values_list("pk", flat=True).first() or keys.first_of(model.made_at + GRACE)
        wanted, found = _one(
            "SELECT count(*), count(p.id) FROM signals s LEFT JOIN predictions p ON p.id = s.vector_id + %s AND p.model_id = %s"
            " WHERE s.id >= %s AND s.id < %s AND s.source = 'score'",
            model.place,
            model.pk,
            max(stretch.first, keys.first_of(_moment_of(first))),
            min(stretch.end, keys.first_of(now - GRACE)),
        )
        expected, there = expected + int(wanted), there + int(found)
    return expected, there


def _moment_of(key: int) -> datetime:
    return datetime.fromtimestamp(keys.ts_of(key), UTC)


def links() -> Iterator[tuple[type[models.Model], models.ForeignKey[Any, Any]]]:
    """Every foreign key of the evidence, and those from elsewhere that point to it."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and (model in EVIDENCE or field.related_model in EVIDENCE):
                yield model, field


def references(stretch: Stretch) -> dict[str, tuple[int, int]]:
    """table.column → how many rows name something, and how many of these name nothing that is there. One statement."""
    parts, parameters = [], []
    for model, field in links():
        table, to = model._meta, field.related_model._meta
        by = f'c."{table.pk.column}"' if model in EVIDENCE else f'c."{field.column}"'
        parts.append(
            f"SELECT '{table.db_table}.{field.column}', count(*), sum(CASE WHEN p.\"{to.pk.column}\" IS NULL THEN 1 ELSE 0 END)"  # noqa: S608
            f' FROM "{table.db_table}" c LEFT JOIN "{to.db_table}" p ON p."{to.pk.column}" = c."{field.column}"'
            f' WHERE c."{field.column}" IS NOT NULL AND {by} >= %s AND {by} < %s'
        )
        parameters += [stretch.first, stretch.end]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        return {name: (int(number), int(lost or 0)) for name, number, lost in cursor.fetchall()}


def shapes(stretch: Stretch) -> tuple[int, int, int, float | None]:
    """Vectors, those of another length than 240 numbers, those of a schema whose names are not 240, and the mean size of a row in bytes."""
    size = "avg(pg_column_size(v.*))" if connection.vendor == "postgresql" else 'avg(length(v."values") + length(v.reasons)) + 40'
    sound = [
        row.pk for row in FeatureSchema.objects.all() if len(row.names) == SLOTS and (row.pk != schema.VERSION or row.hash == schema.HASH)
    ]
    known = ", ".join(map(str, sound)) or "-1"
    number, wrong, unknown, mean = _one(
        f'SELECT count(*), sum(CASE WHEN length(v."values") <> {SLOTS * packing.FLOAT.itemsize} THEN 1 ELSE 0 END),'  # noqa: S608
        f" sum(CASE WHEN v.schema_id NOT IN ({known}) THEN 1 ELSE 0 END), {size} FROM feature_vectors v WHERE v.id >= %s AND v.id < %s",
        stretch.first,
        stretch.end,
    )
    return int(number), int(wrong or 0), int(unknown or 0), None if mean is None else float(mean)


def missing(stretch: Stretch, most: int = MOST_OPENED) -> tuple[int, Any, int]:
    """How many vectors were opened, how often each slot is missing in them, and how many slots contradict their reason."""
    opened, contradictions = 0, 0
    by_slot = np.zeros(SLOTS, dtype=np.int64)
    rows = FeatureVector.objects.filter(pk__gte=stretch.first, schema=schema.VERSION).order_by("-pk").values_list("pk", "values", "reasons")
    before = stretch.end
    while opened < most and (block := list(rows.filter(pk__lt=before)[:OPENED_AT_ONCE])):
        sound = [(values, reasons) for _, values, reasons in block if len(values) == SLOTS * packing.FLOAT.itemsize]
        if sound:
            unknown = np.isnan(packing.unpack_values([bytes(values) for values, _ in sound]))
            why = packing.unpack_reasons([bytes(reasons) for _, reasons in sound], SLOTS)
            by_slot += unknown.sum(axis=0)
            contradictions += int((unknown != (why != 0)).sum())
        opened, before = opened + len(block), block[-1][0]
    return opened, by_slot, contradictions


def outcomes(stretch: Stretch, now: datetime) -> dict[str, int]:
    """Of signals and predictions whose horizon is over: how many outcomes there should be and are; early ones, late ones. Keys say which
    outcome belongs to which signal, so that nothing has to be searched."""
    found = {"expected": 0, "there": 0, "early": 0, "late": 0}
    for number, minutes in enumerate(keys.HORIZONS_MIN):
        end = min(stretch.end, keys.first_of(now - timedelta(minutes=minutes) - GRACE))
        for kind, table in ((keys.OF_SIGNAL, "signals"), (keys.OF_PREDICTION, "predictions")):
            place = keys.outcome_slot(kind, 0, number)
            expected, there = _one(
                f"SELECT count(*), count(o.id) FROM {table} s"  # noqa: S608
                f" LEFT JOIN outcomes o ON o.id = (s.id >> 5) * 32 + (s.id & 3) * 4 + {place} WHERE s.id >= %s AND s.id < %s",
                stretch.first,
                max(end, stretch.first),
            )
            found["expected"] += int(expected)
            found["there"] += int(there)
    return found | _when_settled(stretch)


def _when_settled(stretch: Stretch) -> dict[str, int]:
    """Early is before the horizon was over. Late is later than the job ever needs; where we were away, the state says so and not this."""
    settled = (
        "floor(extract(epoch FROM o.settled_at))" if connection.vendor == "postgresql" else "CAST(strftime('%%s', o.settled_at) AS INTEGER)"
    )
    due = f"((o.id >> {keys.TS_SHIFT}) + o.horizon_min * 60)"
    early, late = _one(
        f"SELECT sum(CASE WHEN {settled} < {due} THEN 1 ELSE 0 END),"  # noqa: S608
        f" sum(CASE WHEN o.state <> 'unknown' AND {settled} > {due} + %s THEN 1 ELSE 0 END) FROM outcomes o WHERE o.id >= %s AND o.id < %s",
        int(GRACE.total_seconds()),
        stretch.first,
        stretch.end,
    )
    return {"early": int(early or 0), "late": int(late or 0)}
