"""./run fuzz [--runs N] [--seed S] [READER ...]: bytes made by a coverage-guided fuzzer for everything that reads what comes from outside.

A reader may answer or say Malformed, nothing else; and what it answers could be stored in both databases and written as strict JSON.
Bytes that break a reader are kept in the present folder, as crash-*; ./run fuzz --again FILE READER reads one of them once more.
"""

import argparse
import contextlib
import dataclasses
import importlib
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAYLOADS = ROOT / "ingestion/tests/payloads"
LONGEST_BYTES = 8192
SLOWEST_SEC = 10  # on a machine that has other things to do as well; alone, a thousandth of it
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINT = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"
NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Escaped(Exception):
    """Something came through that a reader should have refused."""


def checked(value: Any) -> None:
    """Everything that was read out of bytes: finite, of a size that a column holds, and text without what a database refuses."""
    if isinstance(value, float) and not math.isfinite(value):
        raise Escaped(f"{value} was let through")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        raise Escaped("a whole number that no column holds")
    if isinstance(value, str) and (NOT_TEXT.search(value) or len(value) > 300):
        raise Escaped(f"text that no database should hold: {value[:40]!r}")
    for part in parts(value):
        checked(part)


def parts(value: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from (getattr(value, item.name) for item in dataclasses.fields(value))
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value


def readers() -> dict[str, Callable[[bytes], object]]:
    """Each takes bytes as they come from the wire, by the way they go in the workers."""
    from ingestion import binance, birdeye_answers, birdeye_bars, dexscreener, kline_stream, politeness, pumpportal, strict_json

    def answer(read: Callable[[Any], object]) -> Callable[[bytes], object]:
        return lambda raw: read(strict_json.read_sparing(raw)[0])

    hour = timedelta(hours=1)
    return {
        "pumpportal": pumpportal.parse,
        "kline_stream": kline_stream.parse,
        "birdeye": answer(lambda value: birdeye_answers.overview(value, MINT, NOW)),
        "birdeye_many": answer(
            lambda value: [
                birdeye_answers.figures(item, birdeye_answers.TRADE_NAMES, NOW) for item in birdeye_answers.of_many(value, [MINT]).values()
            ]
        ),
        "birdeye_bars": answer(lambda value: birdeye_bars.candles(value, MINT, NOW - hour, NOW)),
        "dexscreener": answer(lambda value: dexscreener.pools(value, [MINT], NOW)),
        "binance_klines": answer(lambda value: binance.klines(value, "BTCUSDT", "1m", NOW)),
        "binance_days": answer(binance.days),
        "binance_depth": answer(binance.depth_usd),
        "binance_ticks": answer(binance.tick_sizes),
        "retry_after": lambda raw: politeness.pause_asked_for([raw.decode("latin-1")], raw.decode("latin-1"), raw.decode("latin-1"), NOW),
    }


def reader(name: str) -> Callable[[bytes], object]:
    """By its name; “any”: the first byte says which; else by its place, as `module:function`."""
    found = readers()
    if name == "any":
        ways = list(found.values())
        return lambda raw: ways[raw[0] % len(ways)](raw[1:]) if raw else None
    if ":" in name:
        module, _, function = name.partition(":")
        return getattr(importlib.import_module(module), function)
    return found[name]


def tried(read: Callable[[bytes], object], raw: bytes) -> None:
    from ingestion.errors import Malformed

    with contextlib.suppress(Malformed):
        checked(read(raw))


def first_bytes(folder: Path) -> None:
    """What the services really said, whole and piece by piece, with the token that is asked for in the place of theirs."""
    for path in sorted(PAYLOADS.glob("*.json")):
        text = path.read_text()
        (folder / path.name).write_text(text)
        value = json.loads(text)
        for number, piece in enumerate(value if isinstance(value, list) else [value]):
            written = re.sub(r'"[1-9A-HJ-NP-Za-km-z]{43,44}"', f'"{MINT}"', json.dumps(piece))
            (folder / f"{number}-{path.name}").write_text(written)


def child(name: str, runs: int, seed: int, again: str | None, corpus: str) -> None:
    """One reader, in a process of its own, for the fuzzer ends its process."""
    import atheris

    with atheris.instrument_imports(include=["ingestion", *name.split(":")[:1]]):
        import django

        django.setup()
        read = reader(name)
    if again is not None:
        tried(read, Path(again).read_bytes())
        return
    limits = [
        f"-runs={runs}",
        f"-seed={seed}",
        f"-max_len={LONGEST_BYTES}",
        f"-timeout={SLOWEST_SEC}",
        "-verbosity=0",
        "-rss_limit_mb=1024",
    ]
    atheris.Setup([sys.argv[0], *limits, corpus], lambda raw: tried(read, raw))
    atheris.Fuzz()


def fuzz(name: str, runs: int, seed: int) -> str:
    """Empty where all went well, else what was said."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(prefix="ttm-fuzz-") as corpus:  # not the child's: the fuzzer ends its process without a word
        first_bytes(Path(corpus))
        line = [sys.executable, "-m", "tothemoon.tests.fuzz", "--child", corpus, "--runs", str(runs), "--seed", str(seed), name]
        ended = subprocess.run(line, env=environment, capture_output=True, text=True, errors="replace", check=False)
    return "" if ended.returncode == 0 else (ended.stdout + ended.stderr)[-3000:] or f"ended with {ended.returncode}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run fuzz", description="Made-up bytes for everything that reads what comes from outside.")
    parser.add_argument("reader", nargs="*", help="default: all of them")
    parser.add_argument("--runs", type=int, default=1_000_000, help="for each reader (default 1,000,000)")
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same bytes")
    parser.add_argument("--again", metavar="FILE", help="read these bytes once more, and say what happens")
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    seed = random.randrange(1, 10**6) if asked.seed is None else asked.seed
    if asked.child or asked.again:
        child(asked.reader[0], asked.runs, seed, asked.again, asked.child)
        return 0
    broken = 0
    for name in asked.reader or READERS:
        said = fuzz(name, asked.runs, seed)
        broken += bool(said)
        print(f"{name}: {asked.runs:,} runs, seed {seed}: " + (f"BROKEN\n{said}" if said else "nothing broke"), flush=True)
    return 1 if broken else 0


READERS = (
    "pumpportal", "kline_stream", "birdeye", "birdeye_many", "birdeye_bars", "dexscreener", "binance_klines", "binance_days",
    "binance_depth", "binance_ticks", "retry_after",
)  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    sys.exit(main(sys.argv[1:]))
