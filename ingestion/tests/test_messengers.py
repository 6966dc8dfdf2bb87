"""Alerts on their way to real sockets: what is sent, what comes back, and what nobody ever sees."""

import hashlib
import hmac
import json
import logging
import time
import traceback
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from ingestion import ledger
from ingestion.channels import Channel, address_trouble, trouble_with
from ingestion.errors import Malformed, OutsideError, Permanent, Temporary
from ingestion.message_texts import DISCORD_LIMIT, TELEGRAM_LIMIT, Message, discord_text, telegram_text
from ingestion.messengers import send
from ingestion.models import ApiUsage, ServiceState
from ingestion.secret import Secret
from ingestion.tests.receiver import Receiver, answer, garbage, hang, reset

TOKEN = "123456789:AAFcanary-bot-token_0123456789abcd"
KEY = "canary-discord-key_0123456789"
MINT = "9b1BzC1af5uQ8mYfW2kTn3cD4eFgHiJkLmNoPqRstpump"
SIGNING = "canary-signing-secret"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def message(**changes: Any) -> Message:
    usual = {"id": "b7f0", "at": NOON, "rule": "hot token", "kind": "score", "what": "score rose to 1.84 (alert at 1.5)"}
    more = {"who": "PI", "address": MINT, "facts": [("liquidity", "$202k")], "numbers": {"value": 1.84, "liquidity": None}}
    return Message(**{**usual, **more, **changes})


def webhook(receiver: Receiver, path: str = "/hook?key=canary-in-query") -> Channel:
    return Channel("webhook", "w", address=Secret(receiver.url + path), signing=Secret(SIGNING))


def discord(receiver: Receiver) -> Channel:
    return Channel("discord", "d", address=Secret(f"{receiver.url}/api/webhooks/123456789/{KEY}"))


def telegram(receiver: Receiver, settings: Any) -> Channel:
    settings.TELEGRAM_BASE_URL = receiver.url
    return Channel("telegram", "t", token=Secret(TOKEN), chat="-100123")


def took(number: int = 7) -> Any:
    return answer(200, json.dumps({"ok": True, "result": {"message_id": number}}).encode())


def test_a_webhook_gets_the_whole_alert_and_can_check_who_sent_it():
    with Receiver([answer(204, b"")]) as receiver:
        assert send(webhook(receiver), message()) == "The receiver took it: HTTP 204."
    [got] = receiver.received
    stamp, signed = got.headers["x-tothemoon-timestamp"], got.headers["x-tothemoon-signature"]
    assert signed == "sha256=" + hmac.new(SIGNING.encode(), stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert abs(int(stamp) - time.time()) < 60
    told = json.loads(got.body)
    assert (got.path, got.headers["x-tothemoon-id"], told["id"]) == ("/hook?key=canary-in-query", "b7f0", "b7f0")
    assert (told["token"], told["why"]) == ({"address": MINT, "symbol": "PI"}, {"value": 1.84, "liquidity": None})


def test_telegram_gets_its_token_in_the_path_and_says_which_message_it_became(settings):
    with Receiver([took(42)]) as receiver:
        assert send(telegram(receiver, settings), message()) == "Telegram took it as message 42."
    [got] = receiver.received
    told = json.loads(got.body)
    assert got.path == f"/bot{TOKEN}/sendMessage"
    assert (told["chat_id"], told["parse_mode"], told["link_preview_options"]) == ("-100123", "HTML", {"is_disabled": True})
    assert "<code>PI</code> score rose to 1.84 (alert at 1.5)" in told["text"].replace("\u2060", "")


def test_discord_mentions_nobody_and_unfolds_nothing():
    with Receiver([answer(204, b"")]) as receiver:
        send(discord(receiver), message(who="@everyone"))
    told = json.loads(receiver.received[0].body)
    assert (told["allowed_mentions"], told["flags"]) == ({"parse": []}, 4)
    assert "`@everyone`" in told["content"]


@pytest.mark.parametrize(
    ("status", "body", "headers", "least"),
    [
        (429, {"ok": False, "description": "Too Many Requests: retry after 35", "parameters": {"retry_after": 35}}, {}, 35),
        (429, {"message": "You are being rate limited.", "retry_after": 12.25, "global": False}, {}, 12.25),
        (429, {"retry_after": 2}, {"Retry-After": "20"}, 20),
        (429, {}, {"Retry_After": "9"}, 9),
        (429, {"retry_after": "soon"}, {}, 1),
    ],
)
def test_who_tells_us_to_wait_is_not_asked_again_before(settings, status, body, headers, least):
    with Receiver([answer(status, json.dumps(body).encode(), **headers), took()]) as receiver:
        channel = telegram(receiver, settings)
        with pytest.raises(Temporary) as told:
            send(channel, message())
        assert least <= told.value.retry_after <= max(66, least * 1.11)
        with pytest.raises(Temporary, match="told us to wait"):
            send(channel, message(), patience=0.1)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("reply", [answer(500), answer(503), hang, reset, garbage])
def test_what_may_heal_is_temporary_and_sent_once(reply):
    began = time.monotonic()
    with Receiver([reply]) as receiver, pytest.raises(Temporary):
        send(webhook(receiver), message(), deadline_sec=0.6)
    assert len(receiver.received) == 1
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 410, 413])
def test_what_asking_again_would_not_mend_is_permanent(status):
    reply = answer(status, b'{"message": "internal words"}', Location="http://127.0.0.1:1/")
    with Receiver([reply]) as receiver, pytest.raises(Permanent, match=f"HTTP {status}") as told:
        send(webhook(receiver), message())
    assert len(receiver.received) == 1
    assert "internal words" not in str(told.value)  # any address may be asked: what it says is not for showing


def test_telegrams_own_words_are_shown_with_what_to_do(settings):
    body = json.dumps({"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}).encode()
    with Receiver([answer(400, body)]) as receiver, pytest.raises(Permanent, match=r"chat not found.*Is the chat id right"):
        send(telegram(receiver, settings), message())


def test_a_page_that_answers_for_telegram_is_no_receipt(settings):
    with Receiver([answer(200, b"<html>Please log in</html>")]) as receiver, pytest.raises(Malformed, match="not Telegram"):
        send(telegram(receiver, settings), message())


@pytest.mark.parametrize("reply", [answer(404), answer(500), answer(429), hang, reset, garbage])
def test_no_secret_is_in_an_error_or_in_the_log(settings, caplog, reply):
    caplog.set_level(logging.DEBUG)
    with Receiver([reply]) as receiver:
        for channel in (webhook(receiver), discord(receiver), telegram(receiver, settings)):
            with pytest.raises(OutsideError) as told:
                send(channel, message(), deadline_sec=0.3)
            shown = "".join(traceback.format_exception(told.value)) + repr(told.value) + repr(channel)
            assert not [secret for secret in (TOKEN, KEY, SIGNING, "canary") if secret in shown]
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    assert not [line for line in ours if "canary" in line or TOKEN in line]


# Hostile names

HOSTILE = [
    "</code><a href='https://evil.example'>free</a>",
    "`@everyone` [x](https://evil.example)",
    "**bold** ||spoiler|| <@123> <#1> <:a:1>",
    "https://evil.example",
    "evil.example @scam /start #tag $CASH",
    "\n\n# Headline\n> quote\n```code",
    "a" * 5000,
    "𝕏" * 5000,
    "&lt;b&gt; & <b>",
    "\\`\\",
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, attrs))


def tags(text: str) -> list[Any]:
    parser = Tags()
    parser.feed(text)
    return parser.seen


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_no_markup_to_telegram(name):
    text = telegram_text(message(who=name))
    assert tags(text) == tags(telegram_text(message(who="PI")))
    assert len(text.encode("utf-16-le")) // 2 <= TELEGRAM_LIMIT


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_inside_its_code_mark_in_discord(name):
    line = discord_text(message(who=name)).splitlines()[1]
    assert line.count("`") == 2
    assert line.startswith("`")
    assert line.endswith("score rose to 1\\.84 \\(alert at 1\\.5\\)")


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_in_a_sentence_make_no_link_and_no_mention(words):
    for text in (telegram_text(message(what=words, who="", address="")), discord_text(message(what=words, who="", address=""))):
        for live in ("https://", "evil.example", "@scam", "@everyone", "/start", "#tag", "$CASH"):
            assert live not in text
    assert tags(telegram_text(message(what=words, who="", address=""))) == [("b", [])]


@pytest.mark.parametrize("facts", [[("f" * 100, "9" * 5000)] * 100, [("*_~`" * 30, "[](<>" * 30)] * 100])
def test_no_message_is_longer_than_its_service_takes(facts):
    long = message(rule="*" * 5000, who="`" * 5000, what="_" * 5000, facts=facts)
    assert len(discord_text(long)) <= DISCORD_LIMIT
    assert len(telegram_text(long).encode("utf-16-le")) // 2 <= TELEGRAM_LIMIT


# Addresses

REFUSED = [
    "",
    "ftp://example.org/x",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://",
    "https:///x",
    "http://example.org/hook",
    "http://93.184.216.34/hook",
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "https://user:word@example.org/",
    "https://example.org/#part",
    "https://example.org/a b",
    "https://example.org/\nx",
    "https://example.org:99999/",
    "https://example.org:0/",
    "https://exa\\mple.org/",
    "https://[::1",
    "https://example.org/" + "x" * 600,
    "https://exämple.org/",
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_refused_is_refused_in_a_sentence_without_it(address):
    sentence = address_trouble(address)
    assert sentence
    assert len(address) < 12 or address not in sentence


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/hook?key=1",
        "http://127.0.0.1:9000/",
        "http://localhost/hook",
        "http://[::1]:9/",
        "http://10.0.0.8/",
        "http://bot:8080/x",
        "http://nas.local/",
    ],
)
def test_receivers_on_this_machine_and_in_the_own_network_are_welcome(address):
    assert address_trouble(address) == ""


def test_an_incomplete_channel_sends_nothing_and_says_what_is_missing():
    assert set(trouble_with(Channel("telegram", "t"))) == {"token", "chat"}
    assert set(trouble_with(Channel("webhook", "w", signing=Secret("short")))) == {"address", "signing"}
    assert "discord.com" in trouble_with(Channel("discord", "d", address=Secret("https://example.org/hook")))["address"]
    with pytest.raises(Permanent):
        send(Channel("telegram", "t"), message())


@pytest.mark.django_db
def test_a_dead_channel_is_no_trouble_of_a_service_and_is_counted_all_the_same(now):
    ledger.flush(now)
    with Receiver([answer(500)]) as receiver:
        for _ in range(20):
            with pytest.raises(Temporary):
                send(webhook(receiver, "/dead"), message(), patience=3)
    ledger.flush(now)
    assert not ServiceState.objects.filter(service="webhook").exists()
    assert ApiUsage.objects.get(service="webhook").temporary >= 15
