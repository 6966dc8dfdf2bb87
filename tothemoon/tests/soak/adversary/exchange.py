"""Binance's stream and its answers gone wrong. What the exchange says of a minute never changes: so every stored bar is judged by it."""

import json
import math
import time
from collections import deque
from email.message import Message
from typing import Any

from ingestion.simulator.binance_server import Binance, frame_of
from ingestion.simulator.coins import COINS
from ingestion.tests import misbehaving_http as bad
from ingestion.tests.misbehaving_http import Behaviour, Conversation, Request
from ingestion.tests.misbehaving_websocket import Peer, Script, Server
from tothemoon.tests.soak.adversary import feed_losses
from tothemoon.tests.soak.adversary.answers import always, body
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.services import Misdeed, changed
from tothemoon.tests.soak.adversary.stage import Setting, Stage

LANE = "exchange"
BINANCE = "binance"
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
PUSH_SEC = 0.2
AGAIN_SEC = 8.0


class Stream:
    """The stream of klines; whoever finds nothing in `next_up` is served honestly."""

    def __init__(self) -> None:
        self.next_up: deque[Script] = deque()
        self.subscribed: list[Peer] = []
        self.server = Server([lambda peer: (self.next_up.popleft() if self.next_up else self.honest)(peer)])

    def honest(self, peer: Peer) -> None:
        peer.shake_hands()
        if peer.wait_for_methods(1, 60):
            peer.text('{"result":null,"id":1}')
            self.subscribed.append(peer)
        while not peer.gone.wait(PUSH_SEC):
            opened = int(time.time()) // 60 * 60
            peer.text(*(told(symbol, minute) for symbol in SYMBOLS for minute in (opened - 60, opened)))

    @staticmethod
    def goes_away(peer: Peer) -> None:
        peer.shake_hands()
        peer.text('{"e":"serverShutdown","E":1769267761591}')
        peer.stay(10)


def told(symbol: str, opened: int, **changes: Any) -> str:
    data = frame_of(COINS[symbol], opened, time.time())
    return json.dumps({"stream": f"{symbol.lower()}@kline_1m", "data": {**data, "k": {**data["k"], **changes}}})


def begin(stage: Stage) -> None:
    stage.run_in_django("tothemoon.tests.soak.adversary.given", "watched", *SYMBOLS)
    stage.given.update(SYMBOLS)
    market = Binance()
    stage.services.elsewhere = lambda request: market.answer(request.path, request.params, Message())
    stage.stream = Stream()
    stage.opens(stage.stream.server)
    stage.changes["BINANCE_WS_URL"] = stage.stream.server.url.removesuffix("/api/data")
    stage.start("run_scheduler")
    stage.within(60, lambda: fresh(stage, "1970"), "I6", "the first figures of the exchange")
    feed_losses.begin(stage)
    stage.within(60, lambda: stage.stream.subscribed, "I6", "the first stream")


def finish(stage: Stage) -> None:
    code, took = stage.workers["run_scheduler"].stop()
    stage.expect(code == 0 and took < 30, "I1", f"the scheduler ended with {code} after {took:.1f} s")
    bars_are_the_markets(stage)
    feed_losses.finish(stage)


SETTING = Setting(begin, finish, {"PUMPPORTAL_STALL_SEC": "60", "BIRDEYE_API_KEY": ""})


def bars_are_the_markets(stage: Stage) -> None:
    """I3: every stored minute is what the exchange honestly says of it, whatever else it has said."""
    seconds = "strftime('%s', open_time)" if stage.tables.on_sqlite else "extract(epoch FROM open_time)"
    rows = stage.tables.rows(
        f"SELECT tokens.address, {seconds}, high, close, bars.volume FROM bars JOIN tokens ON tokens.id = bars.token_id"
        " WHERE bars.interval = '1m' AND bars.source = 'binance' ORDER BY open_time DESC LIMIT 400"
    )
    stage.expect(len(rows) >= 100, "I4", f"only {len(rows)} minutes of the exchange")
    strange = [row for row in rows if not _is_told(str(row[0]), int(row[1]), *row[2:])]
    stage.expect(not strange, "I3", f"{len(strange)} minutes that the exchange never told: {strange[:2]}")


def _is_told(symbol: str, opened: int, *figures: float) -> bool:
    kline = frame_of(COINS[symbol], opened, opened + 3600)["k"]
    return all(math.isclose(figure, float(kline[name]), rel_tol=1e-6) for figure, name in zip(figures, "hcq", strict=True))


def fresh(stage: Stage, since: str) -> bool:
    newest = stage.tables.rows("SELECT address, last_snapshot_at FROM tokens WHERE chain = 'binance'")
    return len(newest) == len(SYMBOLS) and all(str(at) > since for _, at in newest if at is not None) and all(at for _, at in newest)


def newest(stage: Stage) -> str:
    return max(str(at) for (at,) in stage.tables.rows("SELECT last_snapshot_at FROM tokens WHERE chain = 'binance'"))


@scenario(
    LANE,
    "W05",
    "W07",
    "W42",
    promise="Binance's stream closed, cut, reset or announced to shut down: subscribed again ≤ 8 s, and the gap is on record.",
)
def stream_lost(stage: Stage) -> None:
    def shutdown(peer: Peer) -> None:
        peer.text('{"e":"serverShutdown","E":1769267761591}')

    acts = {"close": lambda peer: peer.close(1000), "RST": lambda peer: peer.reset(), "serverShutdown": shutdown}
    for what, act in acts.items():
        before = len(stage.stream.subscribed)
        act(stage.stream.subscribed[-1])
        stage.within(AGAIN_SEC, lambda before=before: len(stage.stream.subscribed) > before, "I6", f"{what}: subscribed again")
    began = time.monotonic()
    stage.stream.next_up.extend([stage.stream.goes_away] * 50)
    stage.stream.subscribed[-1].close(1000)
    stage.comes(lambda: time.monotonic() - began > 5, 6)
    tries = sum(moment > began for moment in stage.stream.server.connected_at)
    stage.expect(tries <= 6, "I7", f"{tries} connections in 5 s to a server that sends everybody away")
    stage.expect(stage.stream.server.most_at_once <= 1, "I7", "two connections to the stream at once")
    before = len(stage.stream.subscribed)
    stage.stream.next_up.clear()
    stage.within(AGAIN_SEC, lambda: len(stage.stream.subscribed) > before, "I6", "subscribed again after a storm")
    open_ones = "SELECT count(*) FROM listening_gaps WHERE source = 'binance' AND to_ts IS NULL"
    stage.within(15, lambda: stage.tables.number(open_ones) == 0, "I5", "no gap left open")


@scenario(
    LANE,
    "W23",
    "W25",
    "W28",
    "W29",
    promise="Frames of Binance that contradict themselves or are none: counted, never stored; the stream goes on.",
)
def stream_not_to_be_believed(stage: Stage) -> None:
    opened = int(time.time()) // 60 * 60 - 60
    peer, before = stage.stream.subscribed[-1], len(stage.stream.subscribed)
    wrong = [{"h": "0.1"}, {"c": "NaN"}, {"q": "-5"}, {"Q": "1e300"}, {"i": "5m"}, {"s": None}, {"n": "many"}, {"t": -1}, {"o": True}]
    frames = [told("BTCUSDT", opened, **changes, x=True) for changes in wrong]
    peer.text(*frames, "[]", "{", "NaN", '{"code":2,"msg":"Invalid request"}', '{"e":"depthUpdate"}', '{"stream":1,"data":[]}')
    peer.text(told("BTCUSDT", opened).replace("BTCUSDT", "NOBODYUSDT"))
    unread = "SELECT detail FROM heartbeats WHERE component = 'klines'"
    stage.within(15, lambda: _detail(stage.tables.rows(unread)).get("unread", 0) >= 8, "I10", "unread frames counted")
    stage.expect(len(stage.stream.subscribed) == before, "I6", "frames that are none have cost the stream")
    bars_are_the_markets(stage)


def _detail(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    return dict(json.loads(rows[0][0]) if rows and isinstance(rows[0][0], str) else rows[0][0] if rows else {})


def poisoned(stage: Stage) -> Misdeed:
    """Klines a million times too high whose own highs are below their lows."""

    def misdeed(request: Request, honest: Any) -> Behaviour:
        def spoil(rows: Any) -> Any:
            of_klines = isinstance(rows, list) and all(isinstance(row, list) and len(row) > 4 for row in rows)
            return [[row[0], row[1], "0.5", "900000000", *row[4:]] for row in rows] if of_klines else rows

        return bad.answer(changed(honest.body, spoil))

    return misdeed


@scenario(
    LANE,
    "R03",
    "R08",
    "R11",
    "R15",
    promise="Answers of Binance that break off, lie or are none: nothing of them is stored, fresh figures ≤ 15 s later.",
)
def exchange_answers(stage: Stage) -> None:
    misdeeds = {
        "HTML": body(b"<html></html>", Content_Type="text/html"),
        "500": body(b"no", 500),
        "cut": always(bad.short_body),
        "RST": always(bad.reset_in_body),
        "a map": body(b'{"code":-1000}'),
        "rows too short": body(b"[[1,2],[],null,7]"),
        "poison": poisoned(stage),
        "NaN": body(b"[[NaN]]"),
        "451": body(b'{"code":0,"msg":"Service unavailable from a restricted location"}', 451),
    }
    stage.services.next_up[BINANCE].extend(misdeeds.values())
    stage.expect(stage.comes(lambda: not stage.services.next_up[BINANCE]), "played", "misdeeds met nobody")
    since = newest(stage)
    stage.within(15, lambda: fresh(stage, since), "I6", "figures of the exchange again")
    bars_are_the_markets(stage)


@scenario(LANE, "R05", promise="429 and the ban of a 418: not one request before Retry-After, for every use of Binance.")
def exchange_says_wait(stage: Stage) -> None:
    for status in (429, 418):
        before = len(stage.services.pauses)
        stage.services.next_up[BINANCE].append(_waiting(stage, status))
        stage.expect(stage.comes(lambda before=before: len(stage.services.pauses) > before), "played", f"{status} met nobody")
        since = newest(stage)
        stage.within(20, lambda since=since: fresh(stage, since), "I6", f"figures after {status}")


def _waiting(stage: Stage, status: int) -> Misdeed:
    def behave(talk: Conversation) -> None:
        bad.answer(b'{"code":-1003,"msg":"Way too much request weight used"}', status, {"Retry-After": "4"})(talk)
        stage.services.pauses.append((talk.request.at + 4.0, BINANCE, time.monotonic() + 0.5))

    return always(behave)
