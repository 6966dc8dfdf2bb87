"""The whole make-believe outside world: one market, one clock, and a server for each service."""

from contextlib import ExitStack

from ingestion.simulator.binance_server import Binance, KlineStream
from ingestion.simulator.birdeye_server import Birdeye
from ingestion.simulator.clock import MarketClock
from ingestion.simulator.dexscreener_server import DexScreener
from ingestion.simulator.json_server import JsonServer
from ingestion.simulator.market import Market
from ingestion.simulator.pumpportal_server import PumpPortal


class Exchange:
    """Started once, stopped once. A further service is one more server here and one more line in `environment`."""

    def __init__(
        self,
        seed: int = 1,
        speed: float = 1.0,
        plan: str = "standard",
        backlog: int = 0,
        units: int | None = None,
        ports: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.market = Market(seed)
        self.clock = MarketClock(speed)
        self.birdeye = Birdeye(self.market, self.clock, plan, units=units)
        with ExitStack() as opened:  # a port that cannot be had must not leave the others taken
            self.feed = PumpPortal(self.market, self.clock, ports[0], backlog)
            opened.callback(self.feed.stop)
            birdeye = JsonServer(self.birdeye, ports[1])
            opened.callback(birdeye.server_close)
            dexscreener = JsonServer(DexScreener(self.market, self.clock), ports[2])
            opened.callback(dexscreener.server_close)
            binance = JsonServer(Binance(), 0)
            opened.callback(binance.server_close)
            self.klines = KlineStream()
            self._http = [birdeye, dexscreener, binance]
            opened.pop_all()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to take this for the real services."""
        return {
            "PUMPPORTAL_WS_URL": self.feed.url,
            "BIRDEYE_BASE_URL": self._http[0].url,
            "BIRDEYE_API_KEY": self.birdeye.key,
            "DEXSCREENER_BASE_URL": self._http[1].url,
            "BINANCE_BASE_URL": self._http[2].url,
            "BINANCE_FUTURES_BASE_URL": self._http[2].url,
            "BINANCE_WS_URL": self.klines.url,
        }

    def start(self) -> None:
        self.feed.start()
        self.klines.start()
        for server in self._http:
            server.start()

    def stop(self) -> None:
        self.feed.stop()
        self.klines.stop()
        for server in self._http:
            server.stop()
