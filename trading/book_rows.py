"""The paper account in tables and back: what goes in comes out the same, to the last bit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from tokens.bulk_rows import insert_rows, update_rows
from trading.book import Book, Events, Fill, Order, Position, Skipped
from trading.models import EquityPoint, PaperAccount, PaperFill, PaperOrder, PaperPosition, SkippedSignal
from trading.names import Deal

ORDER = ("judgement", "token", "side", "quote", "stop", "targets", "atr", "due", "until")
MOVES = ("left", "stop", "targets", "reached", "atr_now", "best", "last_close", "silent_sec", "leaving", "leave_due", "leave_quote")
NEW = ("judgement", "token", "side", "opened_at", "opened", "entry", "quantity", "first_stop", "atr", "invested", "risked", "exit", *MOVES)
CLOSED = ("closed_at", "exit", "result", "left", "last_close", "reached")
FILL = ("position", "time", "deal", "price", "quantity", "usd", "fee", "assumed")


class Overtaken(RuntimeError):
    """Another process has taken these bars in: nothing was written."""


def load(account: PaperAccount) -> Book:
    """The account as it was left."""
    orders = tuple(
        Order(
            order.pk, order.token_id, order.side, order.quote, order.stop, tuple(order.targets), _number(order.atr), order.due, order.until
        )
        for order in PaperOrder.objects.order_by("due", "judgement_id")
    )
    rows = PaperPosition.objects.filter(closed_at__isnull=True).order_by("token_id")
    return Book(
        cash=account.cash,
        until=account.until,
        positions=tuple(map(_position, rows)),
        orders=orders,
        entered=tuple((int(token), int(moment)) for token, moment in account.entered),
        closed=tuple((int(token), int(moment)) for token, moment in account.closed),
    )


def _position(row: PaperPosition) -> Position:
    return Position(
        key=row.pk,
        token=row.token_id,
        side=row.side,
        opened=row.opened,
        entry=row.entry,
        quantity=row.quantity,
        left=row.left,
        stop=row.stop,
        targets=tuple(row.targets),
        reached=row.reached,
        atr=_number(row.atr),
        atr_now=_number(row.atr_now),
        best=row.best,
        last_close=row.last_close,
        silent_sec=row.silent_sec,
        leaving=row.leaving,
        leave_due=row.leave_due,
        leave_quote=row.leave_quote,
    )


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the account in one cycle. `orders` are all that were on their way at any time in it, by key; `equity` is (equity,
    cash, open positions) by the end of each bar."""

    before: Book
    after: Book
    events: Sequence[Events]
    orders: Mapping[int, Order]
    equity: Mapping[int, tuple[float, float, int]]


def store(moved: Moved, changes: Mapping[str, Any]) -> None:
    """Write it, with `changes` to the account's own row, inside the caller's transaction. Raises Overtaken where the account has moved
    on meanwhile."""
    before, after = moved.before, moved.after
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("the account is written in one transaction with what it rests on")
    values = {"cash": after.cash, "until": after.until, "entered": list(after.entered), "closed": list(after.closed), **changes}
    if not PaperAccount.objects.filter(pk=1, until=before.until).update(**values):
        raise Overtaken("the paper account was moved on by another process")
    fills = [fill for each in moved.events for fill in each.fills]
    _store_orders(before, after)
    _store_positions(moved, fills)
    insert_rows(PaperFill, FILL, [_fill_row(fill) for fill in fills])
    skips: list[Skipped] = [skip for each in moved.events for skip in each.skipped]
    insert_rows(SkippedSignal, ["judgement", "time", "reason"], [(skip.key, _moment(skip.time), skip.reason.value) for skip in skips])
    insert_rows(
        EquityPoint, ["ts", "equity", "cash", "open_positions"], [(_moment(end), *amounts) for end, amounts in sorted(moved.equity.items())]
    )


def _store_orders(before: Book, after: Book) -> None:
    if before.orders == after.orders:
        return
    PaperOrder.objects.all().delete()
    rows = [
        (order.key, order.token, order.side, order.quote, order.stop, _list(order.targets), _null(order.atr), order.due, order.until)
        for order in after.orders
    ]
    insert_rows(PaperOrder, ORDER, rows)


def _store_positions(moved: Moved, fills: Sequence[Fill]) -> None:
    """New ones, those that moved on, and those that are closed. One may be opened and closed in the same cycle."""
    known = {position.key: position for position in moved.before.positions}
    open_now = {position.key: position for position in moved.after.positions}
    entries = {fill.key: fill for fill in fills if fill.deal == Deal.ENTRY}
    insert_rows(PaperPosition, NEW, [_new_row(fill, moved.orders[key], open_now.get(key)) for key, fill in entries.items()])
    on = [position for key, position in open_now.items() if key in known and position != known[key]]
    update_rows(PaperPosition, "judgement", MOVES, [(position.key, *_moves(position)) for position in on])
    gone = [key for key in (*known, *entries) if key not in open_now]
    if gone:
        _close(gone, fills)


def _new_row(entry: Fill, order: Order, position: Position | None) -> tuple[Any, ...]:
    """Closed within the same cycle, a position leaves its entry and its end; nobody has seen it in between."""
    at = order.side * entry.price
    if position is None:
        nothing = float("nan")
        position = Position(
            *(entry.key, entry.token, order.side, entry.time, at, entry.quantity, entry.quantity, order.stop, order.targets, 0),
            *(order.atr, nothing, at, at, 0),
        )
    opened_at, risked = _moment(position.opened), abs(at - order.stop) * entry.quantity
    return (
        *(position.key, position.token, position.side, opened_at, position.opened, position.entry, position.quantity, order.stop),
        *(_null(position.atr), entry.usd + entry.fee, risked, "", *_moves(position)),
    )


def _moves(position: Position) -> tuple[Any, ...]:
    return (
        *(position.left, position.stop, _list(position.targets), position.reached, _null(position.atr_now), position.best),
        *(position.last_close, position.silent_sec, str(position.leaving), position.leave_due, position.leave_quote),
    )


def _close(keys: Sequence[int], fills: Sequence[Fill]) -> None:
    """The result of a position is what its fills brought, less all fees; earlier cycles' fills are in the table."""
    sides = dict(PaperPosition.objects.filter(pk__in=keys).values_list("pk", "side"))
    brought = dict.fromkeys(keys, 0.0)
    stored = PaperFill.objects.filter(position__in=keys).order_by("time", "pk").values_list("position_id", "deal", "usd", "fee")
    whole = [*stored, *((fill.key, fill.deal.value, fill.usd, fill.fee) for fill in fills if fill.key in brought)]
    for key, deal, usd, fee in whole:
        paid = deal == Deal.ENTRY
        brought[key] += (-usd if paid else usd) * sides[key] - fee
    last = {fill.key: fill for fill in fills if fill.key in brought}
    reached = {key: sum(1 for each, deal, _, _ in whole if each == key and deal.startswith("target")) for key in keys}
    rows = [(key, _moment(last[key].time), last[key].deal.value, brought[key], 0.0, last[key].price, reached[key]) for key in keys]
    update_rows(PaperPosition, "judgement", CLOSED, rows)


def _fill_row(fill: Fill) -> tuple[Any, ...]:
    return (fill.key, _moment(fill.time), fill.deal.value, fill.price, fill.quantity, fill.usd, fill.fee, fill.assumed)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _list(values: Sequence[float]) -> str:
    return json.dumps([value for value in values if not math.isnan(value)])
