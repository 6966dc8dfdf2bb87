"""The promises of tokens.bulk_rows kept with the ORM alone, bulk_create and bulk_update: what a tick is compared with."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np
from django.db import models, transaction
from django.db.models import F

from tokens.binary_rows import Column, Row, field_of

BATCH = 1_000
WRITERS = ("ingestion.intake", "scoring.run", "tokens.lifecycle", "tokens.overtaken")
FUNCTIONS = ("insert_rows", "insert_columns", "update_rows", "find_rows")


class OrmWay:
    """`not_theirs` is time that only the comparison costs: reading back JSON text that a plain user of the ORM would never have made."""

    def __init__(self) -> None:
        self.not_theirs = 0.0

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Everything that writes a tick writes it this way."""
        with ExitStack() as patches:
            for module in map(import_module, WRITERS):
                for name in set(FUNCTIONS) & set(vars(module)):
                    patches.enter_context(patch.object(module, name, getattr(self, name)))
            yield

    def insert_rows(self, model: type[models.Model], fields: Sequence[str], rows: Sequence[Row]) -> int:
        names = [field_of(model, name).attname for name in fields]
        json_at = [place for place, name in enumerate(fields) if isinstance(field_of(model, name), models.JSONField)]
        values: list[list[Any]] = [list(row) for row in rows]
        began = time.perf_counter()
        for row in values:
            for place in json_at:
                row[place] = json.loads(row[place])
        self.not_theirs += time.perf_counter() - began
        model._default_manager.bulk_create([model(**dict(zip(names, row, strict=True))) for row in values], batch_size=BATCH)
        return len(values)

    def insert_columns(self, model: type[models.Model], fields: Sequence[str], columns: Sequence[Column]) -> int:
        lists = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
        rows = [tuple(None if value != value else value for value in row) for row in zip(*lists, strict=True)]  # NaN is unknown
        return self.insert_rows(model, fields, rows)

    def update_rows(
        self,
        model: type[models.Model],
        key: str,
        fields: Sequence[str],
        rows: Sequence[Row],
        newer: str | None = None,
        added: Collection[str] = (),
    ) -> int:
        names = [field_of(model, name).attname for name in (key, *fields)]
        found = [model(**dict(zip(names, row, strict=True))) for row in rows]
        for row in found:
            for name in added:
                setattr(row, name, F(name) + getattr(row, name))
        with transaction.atomic():
            return int(model._default_manager.bulk_update(found, list(fields), batch_size=BATCH)) if found else 0

    def find_rows(self, model: type[models.Model], key: str, fields: Sequence[str], values: Sequence[Any]) -> list[Row]:
        found: list[Row] = []
        for start in range(0, len(values), BATCH):
            found += model._default_manager.filter(**{f"{key}__in": values[start : start + BATCH]}).values_list(*fields)
        return found


class SaveWay(OrmWay):
    """The same with one object at a time: `save()` for each row, a question for each that is looked for."""

    def insert_rows(self, model: type[models.Model], fields: Sequence[str], rows: Sequence[Row]) -> int:
        names = [field_of(model, name).attname for name in fields]
        as_json = [isinstance(field_of(model, name), models.JSONField) for name in fields]
        for row in rows:
            values = [json.loads(value) if is_json else value for value, is_json in zip(row, as_json, strict=True)]
            model(**dict(zip(names, values, strict=True))).save(force_insert=True)
        return len(rows)

    def update_rows(
        self,
        model: type[models.Model],
        key: str,
        fields: Sequence[str],
        rows: Sequence[Row],
        newer: str | None = None,
        added: Collection[str] = (),
    ) -> int:
        for value, *news in rows:
            found = model._default_manager.get(**{key: value})
            for name, new in zip(fields, news, strict=True):
                setattr(found, name, getattr(found, name) + new if name in added else new)
            found.save(update_fields=list(fields))
        return len(rows)

    def find_rows(self, model: type[models.Model], key: str, fields: Sequence[str], values: Sequence[Any]) -> list[Row]:
        return [row for value in values for row in model._default_manager.filter(**{key: value}).values_list(*fields)]
