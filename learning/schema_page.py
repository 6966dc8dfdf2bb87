"""docs/features.md out of the schema: `python -m learning.schema_page > docs/features.md`. A test holds the page against the schema."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from learning.features import FEATURES
from learning.features.inputs import FRESH_MIN, LATE, WINDOW
from learning.features.slots import Feature, From, Need
from learning.missing import WORDS, Reason
from learning.schema import HASH, VERSION

SOURCES = {
    From.PRICE: "bars",
    From.VOLUME: "bars with volume",
    From.BUYS: "bars with bought volume",
    From.TRADES: "bars with trades",
    From.HOURS: "bars of an hour",
    From.POOLS: "pools",
    From.MARKET: "the market",
    From.SOL: "SOL",
    From.TOKEN: "–",
    From.AGE: "–",
}
HEAD = f"""# The 240 features

Version {VERSION}, hash `{HASH[:16]}…`. This page is made from the schema: `python -m learning.schema_page > docs/features.md`.

A vector is what was known of one token at one moment: 240 numbers, of all tokens at once. It is made from
- the token's last {WINDOW} bars of a minute that were stored by then, the newest at most {LATE} minutes old; prices are multiples of
  its close,
- its bars of the last 24 whole hours, the newest of which ended at least {LATE} minutes before,
- its newest snapshots without contradictions of now and of 5, 15 and 60 minutes before, each at most {FRESH_MIN} minutes older,
- the newest snapshot of each of its pools,
- the same minutes of all tokens on Solana that had a bar in them (the market), and of SOL where its exchange symbol is watched.

Nothing that was stored later is in it; worked out again from the same rows it is the same to the last bit. The same course of the price
in another unit of money is the same vector: what is in US dollars says so in its unit. Bars made from our own snapshots have amounts that
are a fifth of five minutes' (estimates).

**Gaps are gaps.** A figure over a window of minutes speaks when four fifths of them have a bar; one that compares two minutes needs
both. Averages with a memory weigh each minute 1 − 2 / (span + 1) of the next one (Wilder's of n: span 2n − 1), with weights that add up
to 1. `log` is the natural logarithm of a ratio: 0.01 is about one per cent.
"""
REASONS = """
## Why a number is unknown

Unknown is never 0: in a vector it is NaN, and says one of these.

| | reason | in words |
|---|---|---|
"""


def page() -> str:
    return "".join(_parts())


def _parts() -> Iterator[str]:
    yield HEAD
    yield REASONS
    for reason in Reason:
        yield f"| {int(reason)} | `{reason.name}` | {WORDS[reason]} |\n"
    for group, features in groupby(enumerate(FEATURES), key=lambda placed: placed[1].slot.group):
        yield f"\n## {group[0].upper()}{group[1:]}\n\n| slot | name | unit | what it says | made from |\n|--:|---|---|---|---|\n"
        for place, feature in features:
            slot = feature.slot
            yield f"| {place} | `{slot.name}` | {slot.unit} | {slot.text} | {', '.join(_needs(feature))} |\n"


def _needs(feature: Feature) -> Iterator[str]:
    for need in feature.needs:
        if need.source is From.SNAPSHOT:
            yield _snapshot(need)
        else:
            what = SOURCES[need.source].replace("bars", "bar") if need.rows == 1 else SOURCES[need.source]
            yield f"{need.rows or ''} {what}".strip()


def _snapshot(need: Need) -> str:
    fields = " ".join(f"`{field}`" for field in need.fields)
    return f"{fields}, now and {need.lag} min ago" if need.lag else fields


if __name__ == "__main__":
    sys.stdout.write(page())
