"""docs/when-things-go-wrong.md names every row of the catalogue once, and quotes nothing that the system does not say."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tothemoon.tests import papers
from tothemoon.tests.soak.adversary.rows import FAULTS

PAPER = papers.HERE / "docs/when-things-go-wrong.md"
FAULTS_PART, _, TRIED_PART = PAPER.read_text().partition("\n## How the rows of operation were tried\n")
TOLD, TRIED = ([line for line in part.splitlines() if line.startswith("|")] for part in (FAULTS_PART, TRIED_PART))
OF_THE_SITE = [f"H{number:02d}" for number in range(1, 25)]
OF_OPERATION = [f"O{number:02d}" for number in range(1, 10)]
SPEAKERS = ("tothemoon", "tokens", "ingestion", "scoring", "templates")


def rows(line: str) -> list[str]:
    return re.findall(r"\b[WRSDHO]\d\d\b", line.split("|")[1])


def test_every_fault_of_the_catalogue_is_told_of_once_and_none_that_it_does_not_know() -> None:
    told = Counter(row for line in TOLD for row in rows(line))
    in_the_last_table_only = {"O01", "O02", "O08"}  # nothing that goes wrong: how well it is closed
    assert set(told) == {*FAULTS, *OF_THE_SITE, *OF_OPERATION} - in_the_last_table_only
    assert not [row for row, times in told.items() if times > 1]


def test_every_row_of_operation_says_how_it_was_tried() -> None:
    assert [row for line in TRIED for row in rows(line)] == OF_OPERATION


def test_every_row_fills_every_column() -> None:
    assert not [line for line in (*TOLD, *TRIED) if any(not cell.strip() for cell in line.split("|")[2:-1])]


def said() -> str:
    """Everything that the system may say, on pages, in answers and in logs."""
    files = (path for folder in SPEAKERS for ending in ("py", "html", "md") for path in (papers.HERE / folder).rglob(f"*.{ending}"))
    return "\n".join(path.read_text() for path in files if "/tests/" not in str(path))


@pytest.fixture(scope="module")
def everything_said() -> str:
    return said()


def test_what_stands_in_quotes_is_what_people_will_read(everything_said: str) -> None:
    quoted = [quote for line in (*TOLD, *TRIED) for quote in re.findall("“([^”]+)”", line)]
    pieces = {piece.strip() for quote in quoted for piece in quote.split("…") if piece.strip()}
    assert len(pieces) > 20
    assert sorted(piece for piece in pieces if piece not in everything_said) == []


def test_links_and_files_are_there() -> None:
    assert papers.broken_links(PAPER) == []
    assert papers.missing_files(PAPER) == []


@pytest.mark.parametrize("paper", ["README.md", "tothemoon/deploy/OPERATING.md"])
def test_it_is_found_from_the_papers_that_people_open_first(paper: str) -> None:
    place = papers.HERE / paper
    assert PAPER in {Path(place.parent / target).resolve() for target in papers.links(place)}
