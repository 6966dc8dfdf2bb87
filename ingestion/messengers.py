"""Where alerts go: a Telegram chat, a Discord channel, or any web address, signed. A message goes in, what came back comes out.

What bites: Telegram's bot token and Discord's key stand in the address itself, so it is put together at the last moment and never shown.
Both services say in the body of a 429 how long to wait. No redirect is followed.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from ingestion import strict_json
from ingestion.attempt import Reply
from ingestion.channels import DISCORD, TELEGRAM, WEBHOOK, Channel, trouble_with
from ingestion.errors import Malformed, OutsideError, Permanent
from ingestion.http import Call, Door
from ingestion.key_header import KeyHeader, SecretPath
from ingestion.ledger import Counts, Ledger, Standing, book
from ingestion.message_texts import NO_EMBEDS, Message, as_bytes, discord_text, signature, telegram_text, webhook_body
from ingestion.secret import Secret
from ingestion.secrets_in_use import note

# A chat takes one message a second and a group twenty a minute; a Discord webhook thirty a minute.
RATES = {TELEGRAM: 1 / 3, DISCORD: 1 / 2, WEBHOOK: 5.0}
DEADLINE_SEC = 8.0
CONNECTIONS = 3  # of one channel; of its own, so that a receiver that hangs takes none away from the sources
MOST_DOORS = 50


def send(channel: Channel, message: Message, patience: float = 5.0, deadline_sec: float = DEADLINE_SEC) -> str:
    """Hand it over once. What the service answered, in a sentence; else one of the three errors, none of which names an address."""
    refused = trouble_with(channel)
    if refused:
        raise Permanent(" ".join(refused.values()))
    door = _door(channel, deadline_sec)
    reply = door.fetch(_CALLS[channel.kind](channel, message), patience)
    return _receipt(channel.kind, reply)


def _receipt(kind: str, reply: Reply) -> str:
    if kind == TELEGRAM:
        answer = _json(reply.body)
        if answer.get("ok") is not True:
            raise Malformed("something answered, but not Telegram")
        number = strict_json.text(str(_part(answer, "result").get("message_id", "")), 20)
        return f"Telegram took it as message {number}." if number else "Telegram took it."
    return f"{'Discord' if kind == DISCORD else 'The receiver'} took it: HTTP {reply.status}."


# Doors


class _CountsOnly(Ledger):
    """What is asked of channels is counted by kind. How each of them fares stands in the log of alerts, not among the services."""

    def count(self, service: str, endpoint: str, counts: Counts) -> None:
        book.count(service, endpoint, counts)

    def set_state(self, service: str, endpoint: str, standing: Standing) -> bool:
        return False

    def knows(self, service: str, endpoint: str) -> bool:
        return True


_doors: OrderedDict[bytes, Door] = OrderedDict()
_doors_lock = threading.Lock()


def _door(channel: Channel, deadline_sec: float) -> Door:
    """One for each channel as long as its secrets stand: its pauses and its rate must outlast one message."""
    secrets = (channel.token.reveal(), channel.address.reveal(), channel.chat, str(deadline_sec), settings.TELEGRAM_BASE_URL)
    for secret in (*secrets[:2], channel.signing.reveal(), urlsplit(channel.address.reveal()).path):
        note(secret)
    key = hashlib.sha256("\x00".join((channel.kind, channel.name, *secrets)).encode()).digest()
    with _doors_lock:
        found = _doors.get(key) or _new_door(channel, deadline_sec)
        _doors[key] = found
        _doors.move_to_end(key)
        while len(_doors) > MOST_DOORS:
            _doors.popitem(last=False)
    return found


def _new_door(channel: Channel, deadline_sec: float) -> Door:
    base, auth = _way(channel)
    return Door(
        service=channel.kind,
        base_url=base,
        rates={"": RATES[channel.kind]},
        deadline_sec=deadline_sec,
        concurrency=CONNECTIONS,
        auth=auth,
        headers={"Content-Type": "application/json", "User-Agent": "ToTheMoon alerts"},
        meaning_of=partial(_refused, channel.kind),
        pause_in=_pause_in,
        ledger=_CountsOnly(),
    )


def _way(channel: Channel) -> tuple[str, KeyHeader]:
    """What may be seen of the address, and what puts the rest of it in place."""
    if channel.kind == TELEGRAM:
        base = settings.TELEGRAM_BASE_URL.rstrip("/")
        return base, SecretPath(Secret(f"{urlsplit(base).path}/bot{channel.token.reveal()}/sendMessage"))
    parts = urlsplit(channel.address.reveal())
    return f"{parts.scheme}://{parts.netloc}", SecretPath(Secret((parts.path or "/") + (f"?{parts.query}" if parts.query else "")))


def _refused(kind: str, status: int, message: str) -> OutsideError:
    """Nothing that asking again would mend: the words say what an operator can do."""
    advice = {
        TELEGRAM: {
            400: "Is the chat id right, and has the bot been added to the chat or been written to first?",
            401: "The bot token is wrong or was revoked.",
            403: "The bot was blocked or removed from the chat.",
            404: "The bot token is wrong.",
        },
        DISCORD: {401: "The webhook's address is wrong.", 403: "The webhook may not post here.", 404: "The webhook was deleted."},
    }.get(kind, {401: "It refuses our signature or wants a key.", 403: "It refuses us.", 404: "There is nothing at this address."})
    shown = message if kind != WEBHOOK or status < 400 else ""  # any address may be asked: what it says is not for showing
    words = [f"HTTP {status}", f"“{shown}”" if shown else "", advice.get(status, "")]
    key_wrong = status in {401, 403, 404}
    return Permanent(
        ". ".join(word.rstrip(".") for word in words if word) + ".", Permanent.KEY_WRONG if key_wrong else Permanent.BAD_REQUEST
    )


def _pause_in(body: bytes) -> float | None:
    """Telegram's `parameters.retry_after` (whole seconds) and Discord's `retry_after` (with a fraction)."""
    answer = _json(body)
    named = _part(answer, "parameters").get("retry_after", answer.get("retry_after"))
    return float(named) if isinstance(named, int | float) and not isinstance(named, bool) and 0 <= named < 1e9 else None


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = strict_json.read(body)
    except Malformed:
        return {}
    return value if isinstance(value, dict) else {}


def _part(value: dict[str, Any], key: str) -> dict[str, Any]:
    part = value.get(key)
    return part if isinstance(part, dict) else {}


# What is sent


def _telegram(channel: Channel, message: Message) -> Call:
    body = {
        "chat_id": channel.chat,
        "text": telegram_text(message),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    return Call("message", "", body=as_bytes(body))


def _discord(channel: Channel, message: Message) -> Call:
    body = {"content": discord_text(message), "allowed_mentions": {"parse": []}, "flags": NO_EMBEDS}
    return Call("message", "", body=as_bytes(body))


def _webhook(channel: Channel, message: Message) -> Call:
    body, stamp = webhook_body(message), str(int(time.time()))  # of this attempt: receivers refuse what is old
    headers = {
        "X-ToTheMoon-Id": message.id,
        "X-ToTheMoon-Timestamp": stamp,
        "X-ToTheMoon-Signature": f"sha256={signature(channel.signing, stamp, body)}",
    }
    return Call("message", "", body=body, headers=headers)


_CALLS: dict[str, Callable[[Channel, Message], Call]] = {TELEGRAM: _telegram, DISCORD: _discord, WEBHOOK: _webhook}
