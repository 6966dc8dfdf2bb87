"""Two processes that store rows of the same tokens: what a token says of its newest row decides who was first. The tables of the rows
cannot, for they are in parts that know nothing of each other (`tokens.days`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from tokens.binary_rows import Row
from tokens.bulk_rows import find_rows, update_rows
from tokens.models import Token


class Overtaken(Exception):
    """Another process has stored a row of one of these tokens meanwhile, of this moment or a later one: whoever is in a transaction has
    written nothing, and looks again."""


def move_on(fields: Sequence[str], rows: Sequence[Row], newest: str, added: Collection[str] = ()) -> None:
    """Set these fields of the tokens, `newest` among them, to which each of the rows gives its token's key and the fields' values.
    To be done first in a transaction, before the rows themselves are stored. Raises Overtaken where one is not newer."""
    if update_rows(Token, "id", fields, rows, newer=newest, added=added) < len({row[0] for row in rows}):
        raise Overtaken


def tokens_behind(pks: Sequence[int], now: datetime) -> set[int]:
    """Those of the tokens whose newest snapshot is from before this moment, or that have none."""
    newest = find_rows(Token, "id", ["id", "last_snapshot_at"], pks)
    return {pk for pk, at in newest if at is None or at < now}
