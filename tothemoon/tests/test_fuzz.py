"""The fuzzer of the parsers in its short form, and whether it would find anything."""

import importlib.util
import tempfile

import pytest

from ingestion.errors import Malformed
from tothemoon.tests import fuzz

found_by_coverage = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no package for this machine")


def careless(raw: bytes) -> None:
    """Falls over what begins with “no”."""
    if raw[:1] == b"n" and raw[1:2] == b"o":
        raise ValueError("nobody thought of it")


def refusing(raw: bytes) -> None:
    raise Malformed("not today")


@pytest.mark.slow
@found_by_coverage
def test_bytes_that_nobody_would_write_break_no_reader_and_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert fuzz.fuzz("any", 5_000, seed=1) == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@found_by_coverage
def test_a_reader_that_falls_over_is_found_with_the_bytes_that_did_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = fuzz.fuzz("tothemoon.tests.test_fuzz:careless", 50_000, seed=1)
    assert "nobody thought of it" in said
    assert [path.read_bytes()[:2] for path in tmp_path.glob("crash-*")] == [b"no"]


def test_to_refuse_is_an_answer():
    fuzz.tried(refusing, b"anything")


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": {"b": 2**63}}, "nul\0", "half \ud800", ("x" * 301,)])
def test_what_no_database_could_hold_is_no_answer(value):
    with pytest.raises(fuzz.Escaped):
        fuzz.checked(value)


def test_every_reader_has_its_name_in_the_list():
    assert tuple(fuzz.readers()) == fuzz.READERS
