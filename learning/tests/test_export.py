"""The evidence leaves as files and can be read back by another program than the one that wrote it, number by number."""

import csv
import fcntl
import json
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import duckdb
import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db.models import DateTimeField

from learning import export_tables, exporting, schema
from learning.models import FeatureVector, Outcome, Prediction, Signal
from learning.tests.evidence_rows import make_chain, make_model, make_token, make_vector

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_days(now):
    """Two chains of one token, on two days, all of it there is; the newer one has missing slots."""
    token, model = make_token(now, "=A"), make_model(now)
    older = make_chain(now - timedelta(days=1), token=token, model=model, sources=("score", "model"), settled=(15, 720))
    newer = make_chain(now, token=token, model=model, sources=("score", "stage2"), settled=(15,), missing={0: 1, 239: 5})
    return older, newer


def read(folder, table, columns="*", more=""):
    with duckdb.connect() as database:
        return database.sql(
            f"SELECT {columns} FROM read_parquet('{folder}/{table}/*/*.parquet', hive_partitioning = true) {more}"
        ).fetchall()


def call(*arguments):
    out, error = StringIO(), StringIO()
    call_command("export_evidence", *map(str, arguments), stdout=out, stderr=error)
    return out.getvalue(), error.getvalue()


def test_duckdb_reads_back_every_number_of_every_vector(two_days, tmp_path):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    slots = ", ".join(f'"{name}"' for name in schema.NAMES)
    for pk, *values in read(tmp_path, "vectors", f"id, {slots}"):
        stored = FeatureVector.objects.get(pk=pk).as_array()
        found = np.array([np.nan if value is None else value for value in values], dtype=np.float32)
        assert found.tobytes() == stored.tobytes()


def test_what_is_missing_is_null_and_has_its_reason(two_days, tmp_path):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    first, last = schema.NAMES[0], schema.NAMES[-1]
    found = read(tmp_path, "vectors", f'"{first}" IS NULL, "{last}" IS NULL, reasons[1], reasons[240], address', "ORDER BY id DESC LIMIT 1")
    assert found == [(True, True, 1, 5, two_days[1].token.address)]


@pytest.mark.parametrize(("table", "model"), [("signals", Signal), ("predictions", Prediction), ("outcomes", Outcome)])
def test_duckdb_reads_back_every_other_row(two_days, tmp_path, table, model):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    names = [field.attname for field in model._meta.concrete_fields if field.attname != "raw"]
    moments = {field.attname for field in model._meta.concrete_fields if isinstance(field, DateTimeField)}
    found = read(tmp_path, table, ", ".join(f"epoch_us({name})" if name in moments else name for name in names), "ORDER BY id")
    for row, stored in zip(found, model.objects.order_by("pk").values_list(*names), strict=True):
        for mine, theirs in zip(row, stored, strict=True):
            assert mine == comparable(theirs)


def comparable(value):
    """A number of four bytes has seven digits; DuckDB hands out moments as objects only where pytz is."""
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) else value


def test_the_raw_outputs_of_a_model_come_along(two_days, tmp_path):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    stored = np.frombuffer(bytes(Prediction.objects.latest("pk").raw), dtype="<f4").tolist()
    assert read(tmp_path, "predictions", "raw", "ORDER BY id DESC LIMIT 1") == [(stored,)]


def test_the_days_are_folders_and_an_outcome_lies_with_its_signal(two_days, tmp_path):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    assert sorted(path.parent.name for path in tmp_path.glob("signals/*/*.parquet")) == ["day=2026-11-20", "day=2026-11-21"]
    together = """SELECT s.day, o.day FROM read_parquet('{0}/signals/*/*.parquet', hive_partitioning = true) s
        JOIN read_parquet('{0}/outcomes/*/*.parquet', hive_partitioning = true) o ON o.signal_id = s.id"""
    with duckdb.connect() as database:
        days = database.sql(together.format(tmp_path)).fetchall()
    assert len(days) == 6
    assert all(mine == theirs for mine, theirs in days)


def test_a_repeated_run_writes_the_same_and_leaves_nothing_unfinished(two_days, tmp_path):
    def content():
        return {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    before = content()
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    assert content() == before
    assert not list(tmp_path.rglob(f"*{exporting.UNFINISHED}"))


def test_a_run_that_breaks_off_leaves_the_old_file_whole(two_days, tmp_path, monkeypatch):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    before = next(tmp_path.glob("vectors/*/*.parquet")).read_bytes()

    def breaks(path, kinds, blocks):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setitem(exporting.WRITERS, "parquet", breaks)
    with pytest.raises(CommandError, match="no space left"):
        call("--out", tmp_path)
    assert next(tmp_path.glob("vectors/*/*.parquet")).read_bytes() == before
    assert not list(tmp_path.rglob(f"*{exporting.UNFINISHED}"))


def test_two_exports_into_one_folder_do_not_mix(two_days, tmp_path):
    with (tmp_path / ".exporting").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="another export"):
            call("--out", tmp_path)


def test_only_the_days_asked_for_are_written(two_days, tmp_path):
    said, _ = call("--since", "2026-11-21", "--out", tmp_path)
    assert "of 1 days" in said
    assert [path.parent.name for path in tmp_path.glob("vectors/*/*")] == ["day=2026-11-21"]
    assert exporting.days(None, date(2026, 11, 19)) == []


def test_without_pyarrow_it_is_csv_and_says_so(two_days, tmp_path, monkeypatch):
    monkeypatch.setattr("tothemoon.management.commands.export_evidence.has_parquet", lambda: False)
    _, warned = call("--out", tmp_path)
    assert "CSV instead" in warned
    with next(tmp_path.glob("vectors/day=2026-11-21/*.csv")).open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row[schema.NAMES[0]] == ""
    assert np.float32(row[schema.NAMES[1]]) == FeatureVector.objects.latest("pk").as_array()[1]
    assert row["address"].startswith("'=A")  # no spreadsheet runs it as a formula
    assert json.loads(row["reasons"])[239] == 5


def test_what_the_slots_mean_lies_beside_them(two_days, tmp_path):
    exporting.export(tmp_path, "parquet", exporting.days(None, None))
    (described,) = json.loads((tmp_path / "feature_schemas.json").read_text())
    assert described["names"] == list(schema.NAMES)
    assert json.loads((tmp_path / "model_versions.json").read_text())[0]["name"] == "boosted"


def test_memory_does_not_grow_with_the_day(now, tmp_path, monkeypatch):
    """Four times the rows, in blocks of the same size: not twice the memory."""
    monkeypatch.setattr(export_tables, "ROWS_AT_ONCE", 100)
    token = make_token(now)

    def highest(rows):
        make_vector(token, now - timedelta(seconds=rows + 1), seed=1)
        model = FeatureVector.objects.latest("pk")
        at = [now - timedelta(seconds=second) for second in range(rows)]
        key = [int(moment.timestamp()) << 29 | token.pk << 5 for moment in at]
        FeatureVector.objects.bulk_create(
            [
                FeatureVector(id=pk, token=token, ts=moment, stored_at=moment, schema=model.schema, values=model.values)
                for pk, moment in zip(key, at, strict=True)
            ]
        )
        tracemalloc.start()
        exporting.export(tmp_path / str(rows), "csv", exporting.days(None, None))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        FeatureVector.objects.all().delete()
        return peak

    highest(20)  # whatever is only loaded once
    assert highest(800) < 2 * highest(200)


def test_nothing_stored_is_nothing_written(tmp_path, db):
    said, _ = call("--out", tmp_path)
    assert said.startswith("no rows of 0 days")
    assert not list(tmp_path.glob("*/*"))
