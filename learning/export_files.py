"""The two kinds of files that the evidence leaves in: Parquet where pyarrow is, CSV everywhere. Each takes blocks and keeps none."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from learning.export_tables import Block, Kind
from tokens.csv_export import cell


def has_parquet() -> bool:
    return find_spec("pyarrow") is not None


def write_parquet(path: Path, kinds: Mapping[str, Kind], blocks: Iterable[Block]) -> int:
    """Returns how many rows there were. What is not known is null, never NaN: DuckDB sorts and averages NaN as a number."""
    pa: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    types: dict[Kind, Any] = {
        "whole": pa.int64(),
        "small": pa.int16(),
        "float": pa.float64(),
        "single": pa.float32(),
        "text": pa.string(),
        "moment": pa.timestamp("us", tz="UTC"),
        "singles": pa.list_(pa.float32()),
        "smalls": pa.list_(pa.uint8()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    rows = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in blocks:
            columns = [_arrow(pa, block[field.name], field.type) for field in schema]
            writer.write_table(pa.table(columns, schema=schema))
            rows += len(columns[0])
    return rows


def _arrow(pa: Any, values: Any, kind: Any) -> Any:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return pa.array(values, type=kind, mask=np.isnan(values))
    return pa.array(values.tolist() if isinstance(values, np.ndarray) else values, type=kind)


def write_csv(path: Path, kinds: Mapping[str, Kind], blocks: Iterable[Block]) -> int:
    """What is not known is an empty cell; a list is written as JSON."""
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(kinds)
        for block in blocks:
            columns = [_texts(block[name]) for name in kinds]
            writer.writerows(zip(*columns, strict=True))
            rows += len(columns[0])
    return rows


def _texts(values: Any) -> list[Any]:
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return ["" if value is None or value != value else cell(value) for value in listed]
