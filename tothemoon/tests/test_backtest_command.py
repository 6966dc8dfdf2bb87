"""`./run backtest`: from the table and from a file, to a report, a CSV and a row."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from ingestion.models import OpenInterest
from scoring.models import ScoringSettings
from tokens.bar_grid import AMOUNTS, PRICES
from tokens.bars import rows_of, write
from tokens.models import BarSource, Status, StatusChange, Token
from tothemoon.management.commands.backtest import STEPS, WIDTH
from trading.models import BacktestRun
from trading.tests.moods import BEGIN, EAGER, moody

START = datetime.fromtimestamp(BEGIN, UTC)


def file_of_bars(folder: Path, bars: int = 900, liquidity: str = "2e7") -> Path:
    grid, path = moody(bars, 2), folder / "bars.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["symbol", "open_time", *PRICES, *AMOUNTS, "liquidity"])
        for row, column in np.ndindex(grid.close.shape):
            figures = [float(getattr(grid, name)[row, column]) for name in (*PRICES, *AMOUNTS)]
            writer.writerow([f"S{column}", int(grid.open_time[row]), *figures, liquidity])
    return path


def told(*arguments: object) -> str:
    out = StringIO()
    call_command("backtest", *map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture
def eager(db: None) -> None:
    """The calm defaults find nothing to do in so short a market."""
    ScoringSettings.objects.filter(active=True).update(**EAGER)


@pytest.fixture
def tokens(db: None) -> list[Token]:
    common = {"status": Status.ACTIVE, "created_at": START, "migrated_signature": "s", "status_changed_at": START, "next_poll_at": START}
    return [Token.objects.create(address=f"A{number}".ljust(44, "x"), symbol=f"S{number}", **common) for number in range(2)]


def stored_bars(tokens: list[Token], late: timedelta = timedelta()) -> None:
    rows = rows_of(moody(600, 2))
    rows["token"] = np.array([token.pk for token in tokens])[rows["token"].astype(int) - 1]
    ends = rows["open_time"] + 60
    for end in np.unique(ends):
        some = {name: values[ends == end] for name, values in rows.items()}
        write(some, "1m", BarSource.SNAPSHOTS, datetime.fromtimestamp(int(end), UTC) + late)


def test_a_file_of_bars_becomes_a_report_a_csv_and_a_row(eager: None, tmp_path: Path) -> None:
    said = told("--csv", file_of_bars(tmp_path), "--out", tmp_path / "out")
    run = BacktestRun.objects.get()
    assert "paper only" in said
    assert (run.bars, run.symbols, run.settings) == (1800, ["S0", "S1"], ScoringSettings.objects.get(active=True))
    page = Path(run.report).read_text()
    assert "Paper only: no orders were sent" in page
    assert run.data_hash in page
    with Path(run.report).with_suffix(".csv").open() as file:
        trades = list(csv.DictReader(file))
    assert len(trades) == run.result["summary"]["trades"] + run.result["still_open"] > 0
    assert sum(float(trade["result_usd"] or 0) for trade in trades) == pytest.approx(run.result["summary"]["result"])


def test_the_report_needs_nothing_else(db: None, tmp_path: Path) -> None:
    told("--csv", file_of_bars(tmp_path), "--out", tmp_path / "out")
    page = Path(BacktestRun.objects.get().report).read_text()
    assert not re.search(r"<script|<link|src=|https?://|@import|url\(", page)
    assert page.count("<path") == 4


class Terminal(StringIO):
    """As somebody sits at one."""

    def isatty(self) -> bool:
        return True


def test_who_sits_at_a_terminal_sees_how_far_it_is(db: None, tmp_path: Path) -> None:
    screen = Terminal()
    call_command("backtest", "--csv", str(file_of_bars(tmp_path)), "--out", str(tmp_path / "out"), stdout=StringIO(), stderr=screen)
    seen = re.findall(r"\[(#*)(-*)\] ([^\r]+)", screen.getvalue())
    assert [step.removesuffix("\x1b[K") for _, _, step in seen] == list(STEPS)
    done = [len(bar) for bar, _, _ in seen]
    assert done == sorted(set(done))
    assert {len(bar) + len(rest) for bar, rest, _ in seen} == {WIDTH}


def test_limits_of_open_interest_know_what_had_been_read_by_then(eager: None, tokens: list[Token], tmp_path: Path) -> None:
    stored_bars(tokens)
    Token.objects.update(chain="binance")
    ScoringSettings.objects.filter(active=True).update(prefilter_open_interest_least=1)
    asked = ["--from", START.isoformat(), "--to", (START + timedelta(hours=10)).isoformat(), "--out", tmp_path]
    readings = [START + timedelta(minutes=15 * n - 5) for n in range(20)]
    OpenInterest.objects.bulk_create(OpenInterest(token=tokens[0], ts=ts, usd=2e6) for ts in readings)
    told(*asked)
    OpenInterest.objects.create(token=tokens[1], ts=START + timedelta(hours=10, minutes=1), usd=0)  # what came later changes nothing
    told(*asked)
    first, second = BacktestRun.objects.order_by("pk")
    assert first.result["interest_known"] == pytest.approx(0.25, abs=0.01)  # one of two, for half of the time
    assert "known for 25% of the bars of exchange symbols" in Path(first.report).read_text()
    assert (first.data_hash, first.result) == (second.data_hash, second.result)


def test_without_limits_of_open_interest_nothing_is_said_of_it(eager: None, tokens: list[Token], tmp_path: Path) -> None:
    stored_bars(tokens)
    told("--from", START.isoformat(), "--to", (START + timedelta(hours=10)).isoformat(), "--out", tmp_path)
    run = BacktestRun.objects.get()
    assert run.result["interest_known"] is None  # these are in pools
    assert "pen interest was" not in Path(run.report).read_text()


def test_a_file_of_an_exchanges_bars_is_charged_as_an_exchange_charges(eager: None, tmp_path: Path) -> None:
    path = file_of_bars(tmp_path)
    told("--csv", path, "--out", tmp_path / "pools")
    told("--csv", path, "--exchange", "--out", tmp_path / "exchange")
    pools, exchange = BacktestRun.objects.order_by("pk")
    assert pools.data_hash != exchange.data_hash
    paid = [run.result["summary"]["fees"] / run.result["summary"]["trades"] for run in (pools, exchange)]
    assert 0 < paid[1] < paid[0] / 5


def test_where_stored_bars_are_traded_is_known(tokens: list[Token], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="for --csv"):
        told("--from", START.isoformat(), "--exchange", "--out", tmp_path)


def test_the_same_data_and_settings_give_the_same_numbers(db: None, tmp_path: Path) -> None:
    path = file_of_bars(tmp_path)
    told("--csv", path, "--out", tmp_path / "one")
    told("--csv", path, "--out", tmp_path / "two")
    first, second = BacktestRun.objects.order_by("pk")
    assert (first.data_hash, first.result) == (second.data_hash, second.result)


def test_the_table_is_read_with_its_past(tokens: list[Token], tmp_path: Path) -> None:
    stored_bars(tokens)
    told("--from", (START + timedelta(minutes=500)).isoformat(), "--to", (START + timedelta(minutes=600)).isoformat(), "--out", tmp_path)
    run = BacktestRun.objects.get()
    assert (run.from_ts, run.bars) == (START + timedelta(minutes=500), 200)


def test_a_back_test_ends_where_the_present_does(tokens: list[Token], tmp_path: Path) -> None:
    stored_bars(tokens)
    with time_machine.travel(START + timedelta(minutes=600), tick=False):
        told("--from", (START + timedelta(minutes=500)).isoformat(), "--to", (START + timedelta(days=2)).isoformat(), "--out", tmp_path)
        with pytest.raises(CommandError, match="in the future"):
            told("--from", (START + timedelta(days=1)).isoformat(), "--out", tmp_path)
    assert BacktestRun.objects.get().to_ts == START + timedelta(minutes=600)


def test_the_report_speaks_in_words_and_not_in_names(eager: None, tmp_path: Path) -> None:
    told("--csv", file_of_bars(tmp_path), "--out", tmp_path / "out")
    shown = re.sub(
        r"<style>.*?</style>|<details>.*?</details>|<[^>]*>", " ", Path(BacktestRun.objects.get().report).read_text(), flags=re.S
    )
    assert "left: held back by a gate" in shown
    assert not re.search(r"[a-z]_[a-z]|\de-\d", shown)


def test_what_was_stored_too_late_is_left_out_unless_asked_for(tokens: list[Token], tmp_path: Path) -> None:
    stored_bars(tokens)
    gap = {"interval": "1m", "open_time": START + timedelta(minutes=550)}
    tokens[0].bars.filter(**gap).update(stored_at=START + timedelta(days=1))
    asked = ["--from", START + timedelta(minutes=500), "--to", START + timedelta(minutes=600), "--out", tmp_path]
    told(*asked)
    told(*asked, "--late")
    assert list(BacktestRun.objects.order_by("pk").values_list("bars", flat=True)) == [199, 200]


def test_symbols_choose_the_assets(tokens: list[Token], tmp_path: Path) -> None:
    stored_bars(tokens)
    asked = ["--from", START, "--to", START + timedelta(minutes=600), "--out", tmp_path]
    told(*asked, "--symbols", "s1")
    assert BacktestRun.objects.get().symbols == [tokens[1].address]
    with pytest.raises(CommandError, match="No bars of NONE"):
        told(*asked, "--symbols", "NONE")


def test_only_what_was_active_is_traded(eager: None, tokens: list[Token], tmp_path: Path) -> None:
    stored_bars(tokens)
    Token.objects.filter(pk=tokens[1].pk).update(status=Status.INITIAL)
    asked = ["--from", START, "--to", START + timedelta(minutes=600), "--out", tmp_path]
    with pytest.raises(CommandError, match="or it was never Active"):
        told(*asked, "--symbols", "S1")
    told(*asked)
    from_now_on = START + timedelta(minutes=200)
    StatusChange.objects.create(token=tokens[0], old=Status.INITIAL, new=Status.ACTIVE, ts=from_now_on, actor="test", reason="test")
    told(*asked)
    always, later = BacktestRun.objects.order_by("pk")
    assert always.symbols == later.symbols == [tokens[0].address]
    assert 0 < later.result["alerts"] < always.result["alerts"]
    assert later.data_hash != always.data_hash


def test_a_revision_that_is_asked_for_is_used(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no revision 99"):
        told("--csv", file_of_bars(tmp_path, 10), "--revision", 99)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["open_time,open,high,low,close"], "no bars"),
        (["time,close", "0,1"], "the first line must name the columns"),
        (["open_time,open,high,low,close", "60,1,1,2,1"], "line 2: these prices are not those of a bar"),
        (["open_time,open,high,low,close", "61,1,1,1,1"], "line 2: 61 is not the beginning of a minute"),
        (["open_time,open,high,low,close", "60,1,x,1,1"], "line 2"),
        (["open_time,open,high,low,close", "60,1,2,1,nan"], "line 2: these prices are not those of a bar"),
        (["open_time,open,high,low,close", "60,1,2,1,"], "line 2: these prices are not those of a bar"),
        (["open_time,open,high,low,close", "60,1,inf,1,1"], "line 2: these prices are not those of a bar"),
        (["open_time,open,high,low,close", "60"], "line 2: these prices are not those of a bar"),
        (["open_time,open,high,low,close,volume", "60,1,1,1,1,-5"], "line 2: an amount is below 0"),
        (["open_time,open,high,low,close,liquidity", "60,1,1,1,1,inf"], "line 2: an amount is below 0, or without end"),
        (["open_time,open,high,low,close", "1e999,1,1,1,1"], "line 2"),
    ],
)
def test_a_file_that_is_not_one_of_bars_is_refused_in_a_sentence(db: None, tmp_path: Path, lines: list[str], why: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(CommandError, match=why):
        told("--csv", path, "--out", tmp_path)


def test_a_file_that_is_no_text_is_refused_in_a_sentence(db: None, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(b"open_time,open,high,low,close\n\xe8\xff\x00,1,1,1,1\n")
    with pytest.raises(CommandError, match="is no text in UTF-8"):
        told("--csv", path, "--out", tmp_path)


@pytest.mark.parametrize("moment", ["nonsense", "2026-02-31", "2026-11-01T25:00", ""])
def test_what_is_no_moment_is_refused_in_a_sentence(db: None, moment: str) -> None:
    with pytest.raises(CommandError, match="is no moment: write 2026-11-01"):
        told("--from", moment)


def test_moments_may_be_milliseconds_or_written_out(db: None, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("open_time,open,high,low,close\n1760000040000,1,1,1,1\n2025-10-09T08:55:00Z,1,1,1,1\n")
    told("--csv", path, "--out", tmp_path)
    assert BacktestRun.objects.get().bars == 2


def test_without_a_beginning_the_table_is_not_read(db: None) -> None:
    with pytest.raises(CommandError, match="--from"):
        told()
