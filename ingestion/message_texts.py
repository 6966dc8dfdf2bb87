"""An alert as each receiver wants to read it: pure.

What outsiders wrote (a token's name) stands in code marks, where neither Telegram nor Discord makes links, mentions or markup of it. All
other text is escaped, and what an app would make a link or a mention by itself is taken apart.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingestion.secret import Secret

TELEGRAM_LIMIT, DISCORD_LIMIT = 4096, 2000  # of UTF-16 units and of characters
NO_EMBEDS = 4
LONGEST_PART = {"rule": 80, "who": 40, "what": 400, "fact": 60}

_MINT = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}", re.ASCII)
_MARKDOWN = re.compile(r"([\\`*_~|>#\[\]()<:\-+.!])")
_LINKS_ITSELF = re.compile(r"(?<=[@$/])(?=[^\W\d])|(?<=#)(?=\w)|(?<=\w\.)(?=[^\W\d])|(?<=:)(?=//)")


@dataclass(frozen=True)
class Message:
    """One alert. `who` and `address` came from outside; the rest is ours. `id` is the same however often it is sent."""

    id: str
    at: datetime
    rule: str
    kind: str
    what: str
    who: str = ""
    address: str = ""
    facts: Sequence[tuple[str, str]] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False
    test: bool = False


def signature(secret: Secret, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a point and the body, in hexadecimal digits."""
    return hmac.new(secret.reveal().encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def webhook_body(message: Message) -> bytes:
    token = {"address": message.address, "symbol": message.who} if message.address else None
    return as_bytes(
        {
            "id": message.id,
            "at": message.at.isoformat(),
            "rule": message.rule,
            "kind": message.kind,
            "sentence": f"{message.who} {message.what}".strip(),
            "token": token,
            "why": dict(message.numbers),
            "simulated": message.simulated,
            "test": message.test,
        }
    )


def telegram_text(message: Message) -> str:
    who = f"<code>{html.escape(cut(message.who, 'who'))}</code> " if message.who else ""
    lines = [
        f"<b>{html.escape(_inert(cut(message.rule, 'rule')))}</b>{_marks(message)}",
        f"{who}{html.escape(_inert(cut(message.what, 'what')))}",
        *(html.escape(f"{words}: {_inert(value)}") for words, value in _facts(message)),
    ]
    if _MINT.fullmatch(message.address):
        lines += [
            f"<code>{message.address}</code>",
            f'<a href="https://dexscreener.com/solana/{message.address}">DexScreener</a>',
        ]
    return _fitting(lines, TELEGRAM_LIMIT, lambda text: len(text.encode("utf-16-le")) // 2)


def discord_text(message: Message) -> str:
    who = f"{_in_code(cut(message.who, 'who'))} " if message.who else ""
    lines = [
        f"**{_plain(cut(message.rule, 'rule'))}**{_marks(message)}",
        f"{who}{_plain(cut(message.what, 'what'))}",
        *(f"{words}: {_plain(value)}" for words, value in _facts(message)),
    ]
    if _MINT.fullmatch(message.address):
        lines += [f"`{message.address}`", f"<https://dexscreener.com/solana/{message.address}>"]
    return _fitting(lines, DISCORD_LIMIT, len)


def cut(text: str, part: str) -> str:
    """One line, no longer than this part of a message may be."""
    text, most = " ".join(text.split()), LONGEST_PART[part]
    return text if len(text) <= most else text[: most - 1] + "…"


def _facts(message: Message) -> list[tuple[str, str]]:
    return [(cut(words, "fact"), cut(value, "fact")) for words, value in message.facts]


def _marks(message: Message) -> str:
    return (" · TEST" if message.test else "") + (" · SIMULATED" if message.simulated else "")


def _in_code(text: str) -> str:
    """Inside code marks nothing means anything but the mark itself."""
    return f"`{text.replace('`', 'ˋ')}`"


def _plain(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", _inert(text))


def _inert(text: str) -> str:
    """What an app would make a link, a mention or a tag of by itself, taken apart by a mark that nobody sees."""
    return _LINKS_ITSELF.sub("\u2060", text)


def _fitting(lines: list[str], limit: int, length: Callable[[str], int]) -> str:
    """Whole lines only: half a line would be half a markup. The first two say what matters."""
    while len(lines) > 2 and length("\n".join(lines)) > limit:
        del lines[2]
    return "\n".join(lines)


def as_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
