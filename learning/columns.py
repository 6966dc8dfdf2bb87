"""Kinds of columns and expressions that Django does not have."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Func


class RealField(models.FloatField):  # type: ignore[type-arg]
    """A number in four bytes where the database has such a type (PostgreSQL): as exact as what a model says is."""

    def get_internal_type(self) -> str:
        return "RealField"

    def db_type(self, connection: Any) -> str:
        return "real"


class Epoch(Func):
    """Whole seconds since 1970."""

    output_field = models.BigIntegerField()
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="floor(extract(epoch FROM %(expressions)s))::bigint", **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)", **extra)
