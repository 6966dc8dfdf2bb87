"""python -m tothemoon.tests.soak.attackers flood|dawdle PORT CERTIFICATE NAME VISITORS ADDRESSES: strangers at the door of the site.

Those who flood ask for what costs most, again as soon as they are answered; those who dawdle send a byte now and then and never finish
their question. Whoever is sent away comes again. All of them until the standard input ends; then what they were told, as JSON.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

PACE_SEC = 10.0  # between two bytes of one who dawdles
AGAIN_SEC = 0.1  # before one who was sent away comes or asks again
LONGEST_SEC = 60.0
Do = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SORTS = ("-score", "name", "-volume", "holders", "-flow", "liquidity", "-pools", "-age")


@dataclass
class Told:
    """What the strangers saw. Status 0 is a line that was cut."""

    statuses: Counter[int] = field(default_factory=Counter)
    largest: int = 0
    came: int = 0


def questions(chance: random.Random) -> list[str]:
    """Pages that nobody has drawn yet, and what no page holds: sizes, offsets, searches and orders without measure."""
    word, sort = f"{chance.randrange(10**9):x}", chance.choice(SORTS)
    return [
        f"/?size=200&sort={sort}&q={word[:2]}",
        f"/?size={10**9}&page={10**20}",
        f"/?size=200&page=500&sort={sort}&q={word}",
        f"/?q={'%25' * 500}{word}",
        f"/?q={'x' * 10_000}",
        f"/?sort=migrated_signature&q={word}",
        f"/tokens.csv?sort={sort}&q={word[:2]}",
        f"/api/tokens/?limit=200&q={word[:2]}",
        f"/api/tokens/?limit={10**9}",
        f"/api/tokens/?cursor={10**20}&q={word}",
        f"/tokens/{word}/",
        f"/evidence/signals/?page={10**9}",
    ]


class Strangers:
    def __init__(self, port: int, certificate: str, name: str, visitors: int, addresses: int) -> None:
        self._port, self._name, self._visitors, self._addresses = port, name, visitors, addresses
        self._trusting = ssl.create_default_context(cafile=certificate)
        self._chance = random.Random(5)
        self.told = Told()

    async def come(self, how: str) -> None:
        """Until nobody listens any more; says “there” when all have come once."""
        do = {"flood": self._flood, "dawdle": self._dawdle}[how]
        there = asyncio.Semaphore(0)
        tasks = {asyncio.create_task(self._again_and_again(do, self._address(number), there)) for number in range(self._visitors)}
        for _ in range(self._visitors):
            await there.acquire()
        print("there", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps({"statuses": self.told.statuses, "largest": self.told.largest, "came": self.told.came}), flush=True)
        os._exit(0 if tasks else 1)  # they leave without a goodbye, in the middle of whatever they are doing

    def _address(self, number: int) -> str:
        place = number % self._addresses
        return f"127.0.{100 + place // 200}.{place % 200 + 1}"

    async def _again_and_again(self, do: Do, address: str, there: asyncio.Semaphore) -> None:
        for turn in count():
            try:
                async with asyncio.timeout(LONGEST_SEC):
                    reading, writing = await asyncio.open_connection(
                        "127.0.0.1", self._port, ssl=self._trusting, server_hostname=self._name, local_addr=(address, 0)
                    )
            except (OSError, TimeoutError):
                self.told.statuses[0] += 1
                reading = None
            self.told.came += 1
            if not turn:
                there.release()
            if reading is not None:
                with contextlib.closing(writing):
                    try:
                        await do(reading, writing)
                    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                        self.told.statuses[0] += 1
            await asyncio.sleep(AGAIN_SEC)

    async def _flood(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        while True:
            for target in questions(self._chance):
                head = f"GET {target} HTTP/1.1\r\nHost: {self._name}\r\nAccept-Encoding: identity\r\n\r\n"
                writing.write(head.encode())
                await writing.drain()
                if not await self._answered(reading):
                    return

    async def _answered(self, reading: asyncio.StreamReader) -> bool:
        """Reads one whole answer; whether the line stays open for another question."""
        try:
            head = await reading.readuntil(b"\r\n\r\n")
            size, status = 0, int(head[9:12])
            if length := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
                size = len(await reading.readexactly(int(length[1])))
            elif b"chunked" in head.lower():
                while piece := int((await reading.readuntil(b"\r\n")).split(b";")[0], 16):
                    size += len(await reading.readexactly(piece + 2)) - 2
                await reading.readexactly(2)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.told.statuses[0] += 1
            return False
        self.told.statuses[status] += 1
        self.told.largest = max(self.told.largest, size)
        if status == 429:
            await asyncio.sleep(AGAIN_SEC)
        return b"connection: close" not in head.lower()

    async def _dawdle(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        for byte in f"GET / HTTP/1.1\r\nHost: {self._name}\r\nX-Slow: {'x' * 1000}":
            writing.write(byte.encode())
            await writing.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PACE_SEC):
                    self.told.statuses[408 if await reading.read(4096) else 0] += 1
                    return


async def main(how: str, port: str, certificate: str, name: str, visitors: str, addresses: str) -> None:
    os.nice(10)  # they come from machines of their own, and would not take this one's processors
    await Strangers(int(port), certificate, name, int(visitors), int(addresses)).come(how)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
