"""The paper broker: what would have become of the signals. Nothing is sent anywhere; every doubt is decided against the position.

In one bar, in this order: orders are filled at the worse side, with the money that was there before the bar; each position is closed if it
was about to be, else stopped, else its targets are sold (the stop counts before a target of the same bar); then it is decided, at the
bar's close, who is to leave and which signals become orders. A bar that is missing fills nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from trading.admission import ADMITTED, BY_ITSELF, in_turn, judged
from trading.book import DAY_SEC, TARGETS, Bar, Book, BrokerRules, Events, Fill, Order, Position, Signals, Skipped
from trading.exits import is_last_target, share_sold, stop_level, target_level
from trading.fills import Costs, paid_in, paid_out, slipped, worse_side
from trading.many_bars import run as run
from trading.names import Deal, Skip
from trading.sizing import loss_share, size

NONE = float("nan")


def opened_book(rules: BrokerRules) -> Book:
    return Book(cash=rules.capital_usd)


def step(book: Book, bar: Bar, signals: Signals, rules: BrokerRules) -> tuple[Book, Events]:
    """The account after one more bar, and what happened in it. `signals`: those decided at this bar's close, whatever their `row` says.

    A bar that the book has already taken in changes nothing.
    """
    if bar.open_time <= book.until:
        return book, Events()
    turn = _Turn(book, bar, rules)
    turn.fill_orders()
    turn.manage_positions()
    turn.admit(signals)
    return turn.book(), Events(tuple(turn.fills), tuple(turn.skipped))


@dataclass(frozen=True, slots=True)
class _Quote:
    """One token's bar, mirrored for a side."""

    open: float
    high: float
    low: float
    close: float
    reserve: float
    atr: float
    leave: bool
    assumed: bool
    costs: Costs[float]

    @property
    def there(self) -> bool:
        return self.close == self.close


class _Turn:
    """One bar in the making."""

    def __init__(self, book: Book, bar: Bar, rules: BrokerRules) -> None:
        self.before, self.bar, self.rules = book, bar, rules
        self.cash = book.cash
        self.orders = list(book.orders)
        self.positions = {position.token: position for position in book.positions}
        self.entered = [entry for entry in book.entered if entry[1] > bar.end - DAY_SEC]
        self.closed = {token: moment for token, moment in book.closed if bar.end - moment < rules.cool_down_sec}
        self.fills: list[Fill] = []
        self.skipped: list[Skipped] = []
        self.column = {int(token): column for column, token in enumerate(bar.tokens)}

    def book(self) -> Book:
        positions = tuple(self.positions[token] for token in sorted(self.positions))
        closed = tuple(sorted(self.closed.items()))
        return Book(self.cash, self.bar.open_time, positions, tuple(self.orders), tuple(self.entered), closed)

    def quote(self, token: int, side: float) -> _Quote:
        bar, column = self.bar, self.column.get(token)
        if column is None:
            costs = self.rules.costs(in_pool=True)  # the dearer, where nothing is known
            return _Quote(NONE, NONE, NONE, NONE, self.rules.unknown_liquidity_usd / 2, NONE, leave=False, assumed=True, costs=costs)
        worst, best = (bar.low, bar.high) if side > 0 else (bar.high, bar.low)
        liquidity = float(bar.liquidity[column])
        unknown = not liquidity > 0
        return _Quote(
            side * float(bar.open[column]),
            side * float(best[column]),
            side * float(worst[column]),
            side * float(bar.close[column]),
            (self.rules.unknown_liquidity_usd if unknown else liquidity) / 2,
            float(bar.atr[column]),
            bool((bar.leave_long if side > 0 else bar.leave_short)[column]),
            unknown,
            self.rules.costs(bool(bar.in_pools[column])),
        )

    # entries

    def fill_orders(self) -> None:
        waiting, self.orders = self.orders, []
        account = _Account(self.before, self.rules)
        for order in waiting:
            quote = self.quote(order.token, order.side)
            if self.bar.open_time >= order.due and quote.there and self.bar.open_time <= order.until:
                self._fill(order, quote, account)
            elif self.bar.open_time >= order.until:
                self._skip(order.key, order.token, Skip.NO_PRICE)
            else:
                self.orders.append(order)

    def _fill(self, order: Order, quote: _Quote, account: _Account) -> None:
        entry = max(worse_side(quote.open, quote.high, self.rules.worse_side), order.quote)
        if entry <= order.stop or entry >= order.targets[0]:
            self._skip(order.key, order.token, Skip.PRICE_MOVED)
            return
        bearable, costs = quote.reserve * 2 * self.rules.liquidity_share, quote.costs
        usd, reason = size(account.equity, account.free(self.cash), loss_share(entry, order.stop, costs), bearable, costs, self.rules)
        if reason:
            self._skip(order.key, order.token, reason)
            return
        price = order.side * entry
        quantity, changed = paid_in(order.side, usd, slipped(price, order.side, costs.slippage), quote.reserve)
        fee = costs.fee_of(changed)
        self.cash -= order.side * changed + fee
        account.lent += changed * 2 if order.side < 0 else 0.0
        self.entered.append((order.token, self.bar.open_time))
        self.fills.append(Fill(order.key, order.token, self.bar.open_time, Deal.ENTRY, price, quantity, changed, fee, quote.assumed))
        self.positions[order.token] = Position(
            key=order.key,
            token=order.token,
            side=order.side,
            opened=self.bar.open_time,
            entry=entry,
            quantity=quantity,
            left=quantity,
            stop=order.stop,
            targets=order.targets,
            reached=0,
            atr=order.atr,
            atr_now=order.atr,
            best=entry,
            last_close=quote.close,
            silent_sec=0,
        )

    # exits

    def manage_positions(self) -> None:
        for token in sorted(self.positions):
            position = self.positions[token]
            quote = self.quote(token, position.side)
            for deal, price, quantity in self._leaves(position, quote):
                self._pay_out(position, deal, price, quantity, quote)
                position = replace(position, left=position.left - quantity, reached=position.reached + (deal in TARGETS))
            if position.left > 0:
                position = self._aged(position, quote)
                position = self._buried(position, quote)
            if position.left > 0:
                self.positions[token] = position
            else:
                del self.positions[token]
                if self.rules.cool_down_sec > 0:
                    self.closed[token] = self.bar.end

    def _leaves(self, position: Position, quote: _Quote) -> Iterator[tuple[Deal, float, float]]:
        """What this bar closes: the deal, the mirrored price, the quantity."""
        if not quote.there:
            return
        if position.leaving and self.bar.open_time >= position.leave_due:
            price = min(worse_side(quote.open, quote.low, self.rules.worse_side), position.leave_quote)
            yield Deal(position.leaving), price, position.left
            return
        level, deal = stop_level(position, quote.costs, self.rules)
        if quote.low <= level:
            yield deal, min(level, quote.open), position.left
            return
        if position.opened == self.bar.open_time and not self.rules.target_counts_at_entry:
            return
        while position.left > 0 and quote.high >= (level := target_level(position, self.rules)):
            last = is_last_target(position.targets, position.reached + 1)
            quantity = position.left if last else share_sold(position.reached, position.left, self.rules)
            yield TARGETS[position.reached], level, quantity
            position = replace(position, left=position.left - quantity, reached=position.reached + 1)

    def _pay_out(self, position: Position, deal: Deal, price: float, quantity: float, quote: _Quote) -> None:
        price = position.side * price
        usd = paid_out(position.side, quantity, slipped(price, -position.side, quote.costs.slippage), quote.reserve)
        fee = quote.costs.fee_of(usd)
        self.cash += position.side * usd - fee
        self.fills.append(Fill(position.key, position.token, self.bar.open_time, deal, price, quantity, usd, fee, quote.assumed))

    def _aged(self, position: Position, quote: _Quote) -> Position:
        """One bar older: what was seen, and whether it is time to leave."""
        if quote.there:
            counts = position.opened < self.bar.open_time or self.rules.target_counts_at_entry
            best = max(position.best, quote.high) if counts else position.best
            position = replace(position, best=best, last_close=quote.close, silent_sec=0)
        elif self.bar.observed:
            position = replace(position, silent_sec=position.silent_sec + self.bar.interval_sec)
        if quote.atr > 0:
            position = replace(position, atr_now=quote.atr)
        if position.leaving:
            return position
        old = self.bar.end - position.opened >= self.rules.time_stop_sec
        turned = self.rules.leave_on_context and quote.leave
        if not (old or turned):
            return position
        due = self.bar.end + self.rules.latency_bars * self.bar.interval_sec
        return replace(position, leaving=(Deal.CONTEXT if turned else Deal.TIME).value, leave_due=due, leave_quote=position.last_close)

    def _buried(self, position: Position, quote: _Quote) -> Position:
        """Nobody quotes a price any more, and it was time to leave: what is left is written down."""
        due = position.leaving and self.bar.end >= position.leave_due
        if not due or position.silent_sec < self.rules.dead_after_sec:
            return position
        price = position.last_close - abs(position.last_close) * self.rules.dead_haircut
        self._pay_out(position, Deal.DEAD, price, position.left, quote)
        return replace(position, left=0.0)

    # decisions

    def admit(self, signals: Signals) -> None:
        verdicts = judged(signals, self.rules)
        for place in in_turn(signals):
            one = signals.only(slice(place, place + 1))
            token = int(one.token[0])
            verdict = int(verdicts[place])
            reason = BY_ITSELF[verdict] if verdict < ADMITTED else self._no_room(token)
            if reason:
                self._skip(int(one.key[0]), token, reason)
            else:
                self.orders.append(self._order(one))

    def _no_room(self, token: int) -> Skip | None:
        if token in self.positions or any(order.token == token for order in self.orders):
            return Skip.TOKEN_OPEN
        if token in self.closed:
            return Skip.COOLING_DOWN
        if sum(entry[0] == token for entry in self.entered) >= self.rules.token_trades_a_day:
            return Skip.TOKEN_LIMIT
        return Skip.NO_SLOT if len(self.positions) + len(self.orders) >= self.rules.most_open else None

    def _order(self, one: Signals) -> Order:
        side, bar = float(one.side[0]), self.bar
        due = bar.end + self.rules.latency_bars * bar.interval_sec
        return Order(
            key=int(one.key[0]),
            token=int(one.token[0]),
            side=side,
            quote=side * float(one.quote[0]),
            stop=side * float(one.stop[0]),
            targets=tuple(side * float(target) for target in one.targets[0]),
            atr=float(one.atr[0]),
            due=due,
            until=due + self.rules.patience_bars * bar.interval_sec,
        )

    def _skip(self, key: int, token: int, reason: Skip) -> None:
        self.skipped.append(Skipped(key, token, self.bar.open_time, reason))


class _Account:
    """The money before the bar: what sizes are taken from, and what is still free."""

    def __init__(self, book: Book, rules: BrokerRules) -> None:
        self.equity = book.equity if rules.compound else rules.capital_usd
        # A short's proceeds are kept, and as much again as a security.
        self.lent = sum((-2 * position.left * position.last_close for position in book.positions if position.side < 0), 0.0)

    def free(self, cash: float) -> float:
        return cash - self.lent
