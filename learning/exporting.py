"""The evidence as files that DuckDB, Polars and Spark read: a folder a table, in it one a day, `signals/day=2026-11-21/part-1.parquet`.

What is in memory at once is one block of rows, however long the day. A file appears in one step, so that a reader sees the whole of it or
nothing; a run that is repeated writes the same files again. An outcome lies in the day of what it is the outcome of.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from learning import keys
from learning.export_files import write_csv, write_parquet
from learning.export_tables import Block, Kind, tables
from learning.models import FeatureSchema, FeatureVector, ModelVersion, Signal

WRITERS: Mapping[str, Callable[[Path, Mapping[str, Kind], Iterable[Block]], int]] = {"parquet": write_parquet, "csv": write_csv}
UNFINISHED = ".unfinished"  # in front stands a point too: no reader takes such a file for data


class Busy(RuntimeError):
    """Another export is writing into this folder."""


@dataclass(frozen=True, slots=True)
class Written:
    rows: Mapping[str, int]
    files: int
    bytes: int


def days(since: date | None, until: date | None) -> list[date]:
    """From the first day that holds evidence to the last one, both within what was asked for; two queries."""
    ends = [
        Model.objects.order_by(order).values_list("pk", flat=True).first() for Model in (FeatureVector, Signal) for order in ("pk", "-pk")
    ]
    known = [datetime.fromtimestamp(keys.ts_of(key), UTC).date() for key in ends if key is not None]
    if not known:
        return []
    first, last = max(min(known), since or date.min), min(max(known), until or date.max)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def keys_of_day(day: date) -> tuple[int, int]:
    begin = datetime.combine(day, time(), UTC)
    return keys.first_of(begin), keys.first_of(begin + timedelta(days=1))


def export(folder: Path, form: str, wanted: Iterable[date], done: Callable[[int], object] = lambda number: None) -> Written:
    """Every table of every day. Raises Busy where another export writes into the same folder."""
    rows: Counter[str] = Counter()
    files = size = 0
    with _alone(folder):
        for number_of_day, day in enumerate(wanted, 1):
            for table in tables():
                for number, written in _write_day(folder / table.name / f"day={day:%Y-%m-%d}", table, form, keys_of_day(day)):
                    rows[table.name] += number
                    files, size = files + 1, size + written
            done(number_of_day)
        _describe(folder)
    return Written(dict(rows), files, size)


def _write_day(folder: Path, table: Any, form: str, stretch: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """A day without rows gets no file, and loses one that an earlier run had written."""
    for number, (kinds, blocks) in enumerate(table.parts(*stretch), 1):
        path = folder / f"part-{number}.{form}"
        rows = _in_one_step(path, partial(_rows, form, kinds, blocks))
        if rows:
            yield rows, path.stat().st_size


def _rows(form: str, kinds: Mapping[str, Kind], blocks: Iterable[Block], path: Path) -> int:
    return WRITERS[form](path, kinds, blocks)


def _text(content: str, path: Path) -> int:
    return path.write_text(content, encoding="utf-8")


def _in_one_step(path: Path, write: Callable[[Path], int]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        rows = write(unfinished)
        if rows:
            os.replace(unfinished, path)
        else:
            path.unlink(missing_ok=True)
    finally:
        unfinished.unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return rows


def _describe(folder: Path) -> None:
    """What the numbers mean, beside them: the schemas with their slots, the models."""
    schemas = [
        {"version": row.version, "hash": row.hash, "names": row.names, "documented": row.documented}
        for row in FeatureSchema.objects.order_by("pk")
    ]
    models = list(ModelVersion.objects.order_by("pk").values())
    for name, content in (("feature_schemas.json", schemas), ("model_versions.json", models)):
        _in_one_step(folder / name, partial(_text, json.dumps(content, ensure_ascii=False, indent=1, default=str)))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs at once would write into one another's unfinished files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".exporting").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"another export is writing into {folder}") from error
        yield
