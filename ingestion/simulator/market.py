"""What happens in the make-believe market. Pure: a seed and a moment go in, figures come out; nothing is remembered between questions.

Market time is seconds; the demo begins at 0 and tokens of the three days before it exist already. Every figure is a difference of
one path of trades: of each minute the number of buys and sells, their dollars and their tokens. A part of a minute holds the
whole trades that fit into it. So windows nest, parts add up to wholes, and the same seed gives the same market at any speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingestion.simulator.births import DAY, POOL_SLOTS, Cohort, Kind, cohort, joined
from ingestion.simulator.chance import Floats, crossed, uniform

WARM_DAYS = 3
BUSIEST = 400.0  # trades a minute
Rows = NDArray[np.int64]


class Sums(NamedTuple):
    """Trades of one window, one entry a token: counts, US dollars, token units."""

    buys: Floats
    sells: Floats
    buys_usd: Floats
    sells_usd: Floats
    buys_units: Floats
    sells_units: Floats

    @property
    def trades(self) -> Floats:
        return self.buys + self.sells

    @property
    def usd(self) -> Floats:
        return self.buys_usd + self.sells_usd


@dataclass(frozen=True)
class Trades:
    """Minute by minute (second axis) for some tokens (first axis), beginning at minute `first` of the market.

    Of the trades of a minute, `buys` and `sells` belong here; the `*_before` of the same minute come earlier and belong elsewhere.
    They are spread evenly over the minute. `size` is dollars a trade, in 1/256: sums of such amounts are exact in floating point.
    """

    first: int
    buys: Floats
    sells: Floats
    size: Floats
    price: Floats
    all_buys: Floats
    all_sells: Floats
    buys_before: Floats
    sells_before: Floats

    def window(self, end: float, seconds: float) -> Sums:
        """Sums over (end − seconds, end]; what lies before the first minute held counts as nothing."""
        start, end = max(end - seconds, self.first * 60.0), max(end, self.first * 60.0)
        buys = self._between(self.buys, self.all_buys, self.buys_before, start, end)
        sells = self._between(self.sells, self.all_sells, self.sells_before, start, end)
        return Sums(buys[0], sells[0], buys[1], sells[1], buys[2], sells[2])

    def _between(self, counts: Floats, among: Floats, before: Floats, start: float, end: float) -> tuple[Floats, Floats, Floats]:
        """Counts, dollars and units: the whole minutes, plus the last one's part, minus the first one's."""
        opening, closing = int(start // 60) - self.first, int(end // 60) - self.first
        held = counts[:, opening : closing + 1].copy()
        held[:, -1] = self._begun(counts, among, before, closing, end)
        held[:, 0] -= self._begun(counts, among, before, opening, start)
        dollars = held * self.size[:, opening : closing + 1]
        return held.sum(axis=1), dollars.sum(axis=1), (dollars / self.price[:, opening : closing + 1]).sum(axis=1)

    @staticmethod
    def _begun(counts: Floats, among: Floats, before: Floats, minute: int, moment: float) -> Floats:
        """How many of a minute's trades have happened by `moment`: whole ones, one after another."""
        happened = np.floor(among[:, minute] * ((moment % 60) / 60))
        return np.clip(happened - before[:, minute], 0.0, counts[:, minute])

    def last_moment(self, end: float) -> Floats:
        """When the latest trade up to `end` took place; NaN where none is held. For a token's whole trades."""
        minute, done = int(end // 60) - self.first, (end % 60) / 60
        latest = np.full(len(self.buys), np.nan)
        for counts in (self.buys, self.sells):
            begun = np.floor(counts[:, minute] * done)
            happened = np.concatenate([counts[:, :minute], begun[:, None]], axis=1) > 0
            last = np.where(happened, np.arange(minute + 1), -1).max(axis=1)
            part = np.where(last == minute, begun / np.maximum(counts[:, minute], 1.0), 1.0)
            latest = np.fmax(latest, np.where(last >= 0, np.minimum((self.first + last + part) * 60, end), np.nan))
        return latest

    def split(self, positions: list[Rows], shares: list[Floats], luck: list[Floats]) -> list["Trades"]:
        """Part after part for the tokens at those positions, then what is left for all tokens.

        A part gets a share of every minute's trades, in whole trades; `luck` in (0, 1) rounds, fairly in the long run. Each part's
        trades of a minute follow those of the part before it, so that at any moment the parts add up to the whole.
        """
        buys_before, sells_before = np.zeros_like(self.buys), np.zeros_like(self.sells)
        parts = []
        for where, share, rounding in zip(positions, shares, luck, strict=True):
            whole = [column[where] for column in (self.size, self.price, self.buys, self.sells, buys_before, sells_before)]
            size, price, all_buys, all_sells, bought, sold = whole
            buys = np.where(share > 0, np.minimum(np.floor(all_buys * share + rounding), all_buys - bought), 0.0)
            sells = np.where(share > 0, np.minimum(np.floor(all_sells * share + rounding), all_sells - sold), 0.0)
            parts.append(Trades(self.first, buys, sells, size, price, all_buys, all_sells, bought, sold))
            buys_before[where] += buys
            sells_before[where] += sells
        left = (self.buys - buys_before, self.sells - sells_before)
        return [*parts, Trades(self.first, *left, self.size, self.price, self.buys, self.sells, buys_before, sells_before)]


class Market:
    """All tokens of one seed. Days are drawn when time reaches them; rows keep their number. Several threads may ask at once."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._days: list[Cohort] = []
        self._row_of: dict[str, int] = {}
        self._drawing = Lock()
        self.reach(0.0)

    def reach(self, now: float) -> None:
        """Draw the days up to `now`. Call it before asking about them."""
        if self._drawn_until() > now:
            return
        with self._drawing:
            while self._drawn_until() <= now:
                days = [*self._days, cohort(self.seed, len(self._days) - WARM_DAYS)]
                self.tokens = joined(days)  # first the columns, then the rows that point into them
                start = len(self._row_of)
                self._row_of.update({mint: start + number for number, mint in enumerate(days[-1].mint)})
                self._days = days

    def _drawn_until(self) -> float:
        return (len(self._days) - WARM_DAYS) * DAY

    def born_between(self, start: float, end: float) -> range:
        """Rows of the tokens that migrate in (start, end], in order."""
        self.reach(end)
        first, last = np.searchsorted(self.tokens.born, [start, end], side="right")
        return range(int(first), int(last))

    def rows(self, mints: Sequence[str], now: float) -> list[int]:
        """Rows of those mints that have migrated by now; the others are left out."""
        self.reach(now)
        found = [self._row_of[mint] for mint in mints if mint in self._row_of]
        return [row for row in found if self.tokens.born[row] <= now]

    # What follows takes rows (n,) and ages in minutes (n, k); each is a closed formula.

    def rate(self, rows: Rows, ages: Floats) -> Floats:
        """Expected trades a minute: rate·e^(−age/fade) + floor + waves; threefold while a pool is being emptied, then hardly any."""
        t = self.tokens
        alive = np.maximum(ages, 0.0)
        rate = t.rate[rows, None] * np.exp(-alive / t.fade[rows, None]) + t.floor[rows, None]
        waving = np.flatnonzero(t.wave_rate[rows].any(axis=1))
        for wave in range(3):
            at, width = t.wave_at[rows[waving], wave, None], t.wave_width[rows[waving], wave, None]
            rate[waving] += t.wave_rate[rows[waving], wave, None] / (1 + ((alive[waving] - at) / width) ** 2) ** 2
        since_end = ages - t.end_at[rows, None]
        rate *= np.where(since_end < 0, 1.0, np.where(since_end < 4, 3.0, 0.002))
        return np.where(ages < 0, 0.0, np.minimum(rate, BUSIEST))

    def _ended(self, rows: Rows, ages: Floats) -> Floats:
        """0 before a rug, 1 two minutes after it began."""
        return np.clip((ages - self.tokens.end_at[rows, None]) / 2.0, 0.0, 1.0)

    def log_price(self, rows: Rows, ages: Floats) -> Floats:
        """Logarithm of the price in dollars: start + drift·(1 − e^(−age/fade)) + waves + three slow sines; a rug ends it elsewhere."""
        t = self.tokens
        alive = np.maximum(ages, 0.0)
        price = t.log_price[rows, None] + t.drift[rows, None] * -np.expm1(-alive / t.drift_fade[rows, None])
        for part, weight in enumerate((0.5, 0.7, 1.0)):
            angle = 2 * np.pi * alive / t.noise_period[rows, part, None] + t.noise_phase[rows, part, None]
            price += weight * t.noise[rows, None] * (np.sin(angle) - np.sin(t.noise_phase[rows, part, None]))
        waving = np.flatnonzero(t.wave_gain[rows].any(axis=1))
        for wave in range(3):
            at, width = t.wave_at[rows[waving], wave, None], t.wave_width[rows[waving], wave, None]
            price[waving] += t.wave_gain[rows[waving], wave, None] / (1 + ((alive[waving] - at) / (1.5 * width)) ** 2)
        ended = self._ended(rows, ages)
        return price * (1 - ended) + t.end_log_price[rows, None] * ended

    def price(self, rows: Rows, now: float) -> Floats:
        return np.exp(self.log_price(rows, self._ages(rows, now)))[:, 0]

    def liquidity(self, rows: Rows, now: float) -> Floats:
        """Dollars in all pools: with the root of the price, as in a constant-product pool; what a rug leaves is next to nothing."""
        t = self.tokens
        ages = self._ages(rows, now)
        grown = np.exp(np.clip((self.log_price(rows, ages) - t.log_price[rows, None]) / 2, -6.0, 3.0))
        ended = self._ended(rows, ages)
        return (t.liquidity[rows, None] * grown * (1 - ended) + t.end_liquidity[rows, None] * ended)[:, 0]

    def pool_parts(self, rows: Rows, now: float) -> Floats:
        """Each pool's part of the token's liquidity (n, slots); they add up to one."""
        t = self.tokens
        parts = np.where(t.pool_opens[rows] <= self._ages(rows, now), t.pool_share[rows], 0.0)
        parts[:, 0] = 1.0 - parts[:, 1:].sum(axis=1)
        return parts

    def holders(self, rows: Rows, now: float) -> Floats:
        """Wallets that hold the token, as a provider counts them: once every few minutes, and late.

        A share of all trades so far brings a new holder; as the token fades, some leave.
        """
        t = self.tokens
        lag = t.holders_lag[rows]
        counted_at = np.maximum(np.floor(now / lag) * lag - 0.3 * lag, t.born[rows])
        age = np.minimum((counted_at - t.born[rows]) / 60, t.end_at[rows] + 4)
        trades = t.rate[rows] * t.fade[rows] * -np.expm1(-age / t.fade[rows]) + t.floor[rows] * age
        for wave in range(3):
            at, width = t.wave_at[rows, wave], t.wave_width[rows, wave]
            trades = trades + t.wave_rate[rows, wave] * width * (_bump_area((age - at) / width) - _bump_area(-at / width))
        newcomers = np.where(t.kind[rows] == Kind.WASH, 0.0, 0.16 * t.crowd[rows])
        staying = 0.6 + 0.4 * np.exp(-age / (6 * t.fade[rows]))
        return np.rint((t.holders[rows] + newcomers * trades) * staying)

    def wallets(self, rows: Rows, trades: Floats) -> Floats:
        """Different wallets among so many trades of one window: more trades, more repeats; a wash crew stays its own size."""
        crowd = self.tokens.crowd[rows]
        many = np.where(crowd >= 2, crowd, np.ceil(crowd * np.maximum(trades, 0.0) ** 0.93))
        return np.minimum(trades, many)

    def trades(self, rows: Rows, now: float, seconds: float) -> Trades:
        """The path of trades of the last `seconds` (and up to a minute more)."""
        t = self.tokens
        seconds = min(seconds, now - float(t.born[rows].min()) + 120)  # nothing to add up before the eldest was born
        first = int((now - seconds) // 60)
        minutes = np.arange(first, int(now // 60) + 1)
        starts = minutes[None, :] - t.born[rows, None] / 60
        hashes = crossed(t.key[rows, None], minutes[None, :])
        clustered = 0.4 - 0.6 * np.log(uniform(hashes, 0))  # mean 1: trades come in clusters
        count = np.floor(self.rate(rows, starts + 0.5) * clustered + uniform(hashes, 1))
        count[starts + 1 <= 0] = 0.0  # rounding must not give trades to the unborn
        logs = self.log_price(rows, np.concatenate([starts, starts[:, -1:] + 1], axis=1))
        rising = np.clip(0.5 + 4.0 * np.diff(logs, axis=1), 0.12, 0.88)
        wash = (t.kind[rows] == Kind.WASH)[:, None]
        buys = np.where(wash, np.floor(count / 2), np.minimum(np.floor(count * rising + uniform(hashes, 2)), count))
        sells = np.where(wash, buys, count - buys)
        size = t.trade_size[rows, None] * np.where(wash, 1.0, np.exp(1.6 * (uniform(hashes, 3) - 0.5)))
        size = np.where(starts > t.end_at[rows, None] + 2, 0.01 * size, size)
        size = np.ceil(size * 256) / 256
        none = np.zeros_like(buys)
        return Trades(first, buys, sells, size, np.exp(logs[:, :-1]), buys, sells, none, none)

    def trades_by_pool(self, rows: Rows, now: float, seconds: float) -> list[tuple[Rows, Trades]]:
        """As `trades`, for each pool slot: positions in `rows` that have this pool, and its trades. Together they add up to the whole."""
        t = self.tokens
        whole = self.trades(rows, now, seconds)
        minutes = np.arange(whole.first, whole.first + whole.buys.shape[1])[None, :]
        having, shares, luck = [], [], []
        for slot in range(1, POOL_SLOTS):
            where = np.flatnonzero(t.pool_share[rows, slot] > 0)
            ages = minutes - t.born[rows[where], None] / 60
            having.append(where)
            shares.append(np.where(ages >= t.pool_opens[rows[where], slot, None], t.pool_share[rows[where], slot, None], 0.0))
            luck.append(uniform(crossed(t.key[rows[where], None], minutes + 7_000_000), slot))
        *later, first = whole.split(having, shares, luck)
        return [(np.arange(len(rows)), first), *zip(having, later, strict=True)]

    def _ages(self, rows: Rows, now: float) -> Floats:
        return (now - self.tokens.born[rows, None]) / 60


def _bump_area(x: Floats) -> Floats:
    """∫ 1/(1+x²)² dx."""
    return x / (2 * (1 + x * x)) + np.arctan(x) / 2


def still_living(market: Market, count: int) -> list[int]:
    """Up to `count` tokens that live at time 0, in order of birth: born within half an hour, or traded four times a minute or more.

    The latest ones: what a listener would still be watching that had been there all along.
    """
    rows = np.array(market.born_between(-WARM_DAYS * DAY, 0.0))
    ages = -market.tokens.born[rows, None] / 60
    lively = (ages[:, 0] < 30) | (market.rate(rows, ages)[:, 0] >= 4)
    return [int(row) for row in rows[lively][len(rows[lively]) - min(count, int(lively.sum())) :]]
