"""What the export holds: a table a folder, its columns, and its rows from one key to another, a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from django.db import models

from learning import packing
from learning.models import FeatureSchema, FeatureVector, Outcome, Prediction, Signal

ROWS_AT_ONCE = 4_096  # of 240 numbers: some 4 MB
Kind = Literal["whole", "small", "float", "single", "text", "moment", "singles", "smalls"]
Block = dict[str, Any]  # column → values: a list with None, or an array with NaN, for what is not known

KINDS: dict[str, Kind] = {
    "BigIntegerField": "whole",
    "BigAutoField": "whole",
    "AutoField": "whole",
    "IntegerField": "whole",
    "PositiveIntegerField": "whole",
    "SmallIntegerField": "small",
    "PositiveSmallIntegerField": "small",
    "FloatField": "float",
    "RealField": "single",
    "CharField": "text",
    "DateTimeField": "moment",
}


@dataclass(frozen=True)
class Table:
    """One folder. `parts` gives, for a stretch of keys, each file's columns and its blocks."""

    name: str
    parts: Callable[[int, int], Iterator[tuple[dict[str, Kind], Iterator[Block]]]]


def kind_of(field: Any) -> Kind:
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return KINDS[field.get_internal_type()]


def walk(rows: Any, columns: Sequence[str], first: int, end: int) -> Iterator[list[tuple[Any, ...]]]:
    """Rows by their key, some thousand at a time. Each block is a query of its own: none holds the table while a file is written."""
    after = first - 1
    while block := list(rows.filter(pk__gt=after, pk__lt=end).order_by("pk").values_list("pk", *columns)[:ROWS_AT_ONCE]):
        yield block
        after = block[-1][0]


def _plain(model: type[models.Model], extra: Mapping[str, tuple[str, Kind]]) -> Callable[[int, int], Any]:
    """A table whose columns are those of its rows, and `extra`: name → (path, kind)."""
    own = {field.attname: kind_of(field) for field in model._meta.concrete_fields if field.get_internal_type() != "BinaryField"}
    own.pop(model._meta.pk.attname if model._meta.pk else "id")
    kinds: dict[str, Kind] = {"id": "whole", **own, **{name: kind for name, (_, kind) in extra.items()}}
    paths = [*own, *(path for path, _ in extra.values())]

    def parts(first: int, end: int) -> Iterator[tuple[dict[str, Kind], Iterator[Block]]]:
        blocks = (dict(zip(kinds, zip(*block, strict=True), strict=True)) for block in walk(model._default_manager, paths, first, end))
        yield kinds, blocks

    return parts


def _vectors(first: int, end: int) -> Iterator[tuple[dict[str, Kind], Iterator[Block]]]:
    """Every slot as a column of its name. Another version of the schema has other names, so it is another file."""
    inside = FeatureVector.objects.filter(pk__gte=first, pk__lt=end)
    for schema in FeatureSchema.objects.filter(pk__in=inside.values("schema").distinct()).order_by("pk"):
        kinds: dict[str, Kind] = {"id": "whole", "token_id": "whole", "address": "text", "ts": "moment", "stored_at": "moment"}
        kinds |= {"schema": "small", **dict.fromkeys(schema.names, "single"), "reasons": "smalls"}
        yield kinds, _vector_blocks(inside.filter(schema=schema), schema, first, end)


def _vector_blocks(rows: Any, schema: Any, first: int, end: int) -> Iterator[Block]:
    for block in walk(rows, ["token_id", "token__address", "ts", "stored_at", "values", "reasons"], first, end):
        pks, tokens, addresses, ts, stored_at, values, reasons = zip(*block, strict=True)
        numbers = packing.unpack_values([bytes(row) for row in values])
        named = {name: numbers[:, place] for place, name in enumerate(schema.names)}
        head: Block = {"id": pks, "token_id": tokens, "address": addresses, "ts": ts, "stored_at": stored_at}
        yield {**head, "schema": [schema.pk] * len(block), **named, "reasons": packing.unpack_reasons(reasons, len(schema.names))}


def _predictions(first: int, end: int) -> Iterator[tuple[dict[str, Kind], Iterator[Block]]]:
    for kinds, _ in _plain(Prediction, {})(first, end):
        kinds["raw"] = "singles"
        columns = [name for name in kinds if name != "id"]
        yield kinds, (_with_raw(block, list(kinds)) for block in walk(Prediction.objects, columns, first, end))


def _with_raw(block: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> Block:
    found: Block = dict(zip(columns, zip(*block, strict=True), strict=True))
    found["raw"] = [np.frombuffer(bytes(raw), dtype="<f4").tolist() for raw in found["raw"]]
    return found


def tables() -> list[Table]:
    token = {"address": ("token__address", "text")}
    return [
        Table("vectors", _vectors),
        Table("predictions", _predictions),
        Table("signals", _plain(Signal, token)),  # type: ignore[arg-type]
        Table("outcomes", _plain(Outcome, {})),
    ]
