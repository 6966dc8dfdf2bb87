"""The one table that `./run bench` ends with."""

from dataclasses import asdict

from tothemoon.benches.lines import IDIOMATIC, PEER, Subject
from tothemoon.benches.table import as_text, role_of, rows
from tothemoon.benches.tick import Line

SUBJECT = Subject("listener", "postgresql", "frames stored")


def test_lines_about_one_figure_of_ours_share_a_row():
    lines = [
        SUBJECT.richer(IDIOMATIC, "an ORM", "frames/s", 60_000, 5_000, 5.0),
        SUBJECT.richer(PEER, "a library", "frames/s", 60_000, 90_000, None),
        SUBJECT.at_least("stored", "frames/s", 60_000, 50_000),
    ]
    [row] = rows([asdict(line) for line in lines])
    assert row[:3] == ["listener, postgresql", "frames stored", "60000 frames/s"]
    assert row[3:] == ["5000, ×12, floor 5 (an ORM)", "90000, ×0.6667 (a library)", "", "50000, ×1.2 (at least, stored)", "yes"]


def test_one_floor_that_is_missed_is_told_in_its_row():
    lines = [SUBJECT.faster(IDIOMATIC, "an ORM", "s", 2.0, 4.0, 3.0), SUBJECT.within("a promise", "s", 2.0, 5.0)]
    assert [line.holds for line in lines] == [False, True]
    assert rows([asdict(line) for line in lines])[0][-1] == "does not hold"


def test_what_has_no_floor_promises_nothing():
    [row] = rows([asdict(SUBJECT.times_limit("a read", "s", 2.0, 1.0, None))])
    assert (row[5], row[-1]) == ("1, ×2 (a read)", "")


def test_where_there_may_be_none_the_number_itself_is_told():
    assert [SUBJECT.within("429", "answers", refused, 0).ratio for refused in (0, 3)] == [0, 3]
    assert not SUBJECT.within("429", "answers", 3, 0).holds


def test_the_older_benches_say_it_in_their_words():
    def line(against, floor):
        return asdict(Line("web", "sqlite", against, "ms", 1.0, 2.0, 2.0, floor, True))

    told = [line("limit: p99", 1.0), line("limit: nothing else", None), line("polars, all", 2.0), line("a plain page", 10.0)]
    assert [role_of(each) for each in told] == ["the promise", "the physical limit", PEER, IDIOMATIC]


def test_the_table_is_markdown_with_as_many_cells_in_each_line():
    lines = [asdict(SUBJECT.within("a promise", "s", 2.0, 5.0)), asdict(SUBJECT.within("another", "s", 3.0, 5.0))]
    drawn = as_text(lines).splitlines()
    assert len(drawn) == 4
    assert {line.count("|") for line in drawn} == {9}
