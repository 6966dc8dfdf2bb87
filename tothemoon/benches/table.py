"""All lines of all benches as one table: what, ours, the idiomatic way, the best peer, the physical limit, the promise, and if it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tothemoon.benches.lines import FLOOR, IDIOMATIC, LIMIT, PEER

ROLES = (IDIOMATIC, PEER, LIMIT, FLOOR)
PEERS = ("polars", "ta-lib", "vectorbt", "freqtrade", "nginx", "gunicorn")
HEAD = ("bench", "what", "ours", *ROLES, "holds")
Line = Mapping[str, Any]


def role_of(line: Line) -> str:
    """Whom ours stands beside in this line, where the line does not say it: the older benches tell it in their words."""
    if line.get("role"):
        return str(line["role"])
    against = str(line["against"]).lower()
    if against.startswith("limit"):
        return FLOOR if line["floor"] == 1.0 else LIMIT
    return PEER if any(name in against for name in PEERS) else IDIOMATIC


def rows(lines: Sequence[Line]) -> list[list[str]]:
    """A row for each thing that was measured; lines that hold one figure of ours against several others share it."""
    found: dict[tuple[Any, ...], dict[str, list[Line]]] = {}
    for line in lines:
        key = (line["bench"], line["database"], line.get("what", ""), line["unit"], line["ours"])
        found.setdefault(key, {}).setdefault(role_of(line), []).append(line)
    return [_row(key, by_role) for key, by_role in found.items()]


def _row(key: tuple[Any, ...], by_role: Mapping[str, Sequence[Line]]) -> list[str]:
    bench, database, what, unit, ours = key
    every = [line for lines in by_role.values() for line in lines]
    bound = [line for line in every if line["floor"] is not None]
    holds = "" if not bound else "yes" if all(line["holds"] for line in bound) else "does not hold"
    others = ["; ".join(map(_other, by_role.get(role, ()))) for role in ROLES]
    return [f"{bench}, {database}", what, f"{ours:g} {unit}", *others, holds]


def _other(line: Line) -> str:
    against = str(line["against"]).removeprefix("limit: ")
    if line["theirs"] is None:
        return f"not compared ({against})"
    least = f", floor {line['floor']:g}" if line["floor"] not in (None, 1.0) else ""
    return f"{line['theirs']:g}, ×{line['ratio']:g}{least} ({against})"


def as_text(lines: Sequence[Line]) -> str:
    """The table in Markdown: it can be read in a terminal and pasted into a page."""
    table = [list(HEAD), *rows(lines)]
    widths = [max(len(row[place]) for row in table) for place in range(len(HEAD))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in table]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)
