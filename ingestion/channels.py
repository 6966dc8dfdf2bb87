"""Where alerts may go, and whether a channel is complete: known without any of what it takes to send one.

Models read these names, and with them every process that starts; `messengers` brings the machinery.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from ingestion.secret import Secret

TELEGRAM, DISCORD, WEBHOOK = "telegram", "discord", "webhook"
LONGEST_ADDRESS = 500

_BOT_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,80}", re.ASCII)
_CHAT = re.compile(r"-?\d{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}", re.ASCII)
_DISCORD_PATH = re.compile(r"/api/(?:v\d{1,2}/)?webhooks/\d{5,25}/[A-Za-z0-9_-]{20,100}", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Channel:
    """Where to, with its secrets. `name` is how errors call it; the same name with other secrets is another channel."""

    kind: str
    name: str
    address: Secret = field(default_factory=lambda: Secret(""))  # of a webhook, Discord's included
    token: Secret = field(default_factory=lambda: Secret(""))  # of a Telegram bot
    chat: str = ""
    signing: Secret = field(default_factory=lambda: Secret(""))


def trouble_with(channel: Channel) -> dict[str, str]:
    """What keeps this channel from working, by part (`token`, `chat`, `address`, `signing`); empty for one that may be tried."""
    found = {}
    if channel.kind == TELEGRAM:
        if not _BOT_TOKEN.fullmatch(channel.token.reveal()):
            found["token"] = "Enter the token that BotFather gave, like 123456789:AAF…"  # noqa: S105
        if not _CHAT.fullmatch(channel.chat):
            found["chat"] = "Enter the chat's number, like -1001234567890, or a public channel's @name."
    else:
        if sentence := address_trouble(channel.address.reveal(), discord=channel.kind == DISCORD):
            found["address"] = sentence
        if channel.kind == WEBHOOK and not (16 <= len(channel.signing.reveal()) <= 200):
            found["signing"] = "Enter a secret of 16 to 200 characters: the receiver checks our signature with it."
    return found


def address_trouble(address: str, discord: bool = False) -> str:
    """Why an address is refused, in a sentence without the address; empty for a good one.

    Receivers on this machine and in the own network are welcome: bots live there. Only there may the way be unencrypted.
    """
    if not _VISIBLE.fullmatch(address) or len(address) > LONGEST_ADDRESS or "\\" in address:
        return "Enter an address without blanks, like https://example.org/hook."
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "This is no address."
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        return "The address must begin with https:// or http:// and name a host."
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "No user, password or #fragment in the address, please."
    there = _literal(host)
    if there is not None and (there.is_link_local or there.is_multicast or there.is_unspecified):
        return "This address is no receiver's: link-local, multicast and unspecified ones are refused."
    if parts.scheme == "http" and not _near(host, there):
        return "Over the internet only https: alerts would be readable on the way. http is for this machine and the own network."
    if discord and not _DISCORD_PATH.fullmatch(parts.path):
        return "Copy the webhook's address from Discord: https://discord.com/api/webhooks/NUMBER/KEY."
    return ""


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        there = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(there, "ipv4_mapped", None) or there


def _near(host: str, there: IPv4Address | IPv6Address | None) -> bool:
    if there is not None:
        return there.is_loopback or there.is_private
    return "." not in host.rstrip(".") or host.rstrip(".").endswith((".local", ".internal", ".lan", ".localhost"))
