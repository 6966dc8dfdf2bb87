"""Every page of the site with hostile texts in every text of every row: the same elements and attributes as with harmless ones.

Each column holds a pack of payloads one behind the other, begun at another place in every column, for pages that cut a long text off.
SQLite keeps texts of any length in any column, so that every column holds the whole pack.
"""

import html
import json
import logging
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
import time_machine
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import models
from django.test import Client
from django.utils import timezone

from learning import verdict_report
from tokens import ready
from tothemoon.tests import whole_world
from tothemoon.tests.test_hostile_names import BREAKS, HTMX, JSON, LINKS, TEXT, WORDS

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not settings.ON_SQLITE, reason="PostgreSQL keeps no text longer than its column, and has the same templates"),
]
TAGS = ("img", "iframe", "object", "embed", "svg", "math", "style", "link", "meta", "base", "form", "input", "template", "video", "details")
EVENTS = (
    "onload",
    "onerror",
    "onfocus",
    "ontoggle",
    "onpointerenter",
    "onanimationstart",
    "x-on:click",
    "@click",
    "x-data",
    "x-init",
    "hx-on:load",
)
MORE = [f"<{tag} src=//evil.example {event}=alert({number})>" for number, (tag, event) in enumerate(zip(TAGS, EVENTS * 2, strict=False))]
MORE += [f'" {event}="alert(1)' for event in EVENTS] + [f"'{event}='alert(1)" for event in EVENTS]
MORE += [
    f"</{tag}><script>alert(1)</script>" for tag in ("td", "textarea", "select", "style", "noscript", "title", "script", "template", "p")
]
MORE += [f'"><{tag} autofocus onfocus=alert(1)>' for tag in TAGS]
MORE += ["<a href='jAvAsCrIpT:alert(1)'>x</a>", "<!--><img src=x onerror=alert(1)>", "<![CDATA[<script>1</script>]]>", "<?xml <b>x</b>?>"]
MORE += [
    "{{constructor.constructor('alert(1)')()}}",
    "`${alert(1)}`",
    "<svg><style><img src=x onerror=1></style>",
    "<math><mi//xlink:href='data:x'>",
]
PAYLOADS = [text.replace("\r", " ").replace("\n", " ") for text in dict.fromkeys(WORDS + BREAKS + LINKS + JSON + TEXT + HTMX + MORE)]
PACKS = 3
NOT_TEXT = {"address", "pool_address", "key_hash", "hash", "component", "password", "key", "codename", "app_label", "model", "session_data"}
NOT_TEXT |= {
    "object_id",
    "webhook_url",
    "chat_id",
    "bot_token",
    "signing_secret",
    "interval",
    "endpoint",
    "quiet_zone",
    "score_model",
    "refusals",
    "learned",
    "export_dexes",
    "uid",
    "data_hash",
    "file_hash",
    "preset",
}
NOT_TEXT |= {"dex_name"}  # what can be no exchange's name is offered as no filter; test_hostile_names has it on the page of a token
OF_THE_PRODUCT = {"tokens", "ingestion", "scoring", "learning", "trading", "auth", "admin", "otp_totp"}
URLS = {"href", "src", "action", "formaction", "xlink:href", "hx-get", "hx-post", "poster", "data"}
CLOSED = {"id", "class", "rel", "type", "name", "style", "target", "hx-trigger", "hx-target", "hx-swap"}


class Shape(HTMLParser):
    """Elements in their order with the names of their attributes; where an address leads, and what names, classes and styles there are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[object] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple((name, self._kept(name, value or "")) for name, value in attrs)))

    def handle_endtag(self, tag):
        self.found.append(f"/{tag}")

    def handle_comment(self, data):
        self.found.append("a comment")

    def unknown_decl(self, data):
        self.found.append(data)

    def _kept(self, name, value):
        if name in URLS:
            parts = urlsplit(value.strip())
            return parts.scheme, parts.netloc
        return value if name in CLOSED and "hostile" not in value else ""


def shape(text):
    parser = Shape()
    parser.feed(text)
    parser.close()
    return parser.found


def columns():
    for model in apps.get_models():
        if model._meta.app_label in OF_THE_PRODUCT:
            for field in model._meta.concrete_fields:
                free = isinstance(field, models.CharField | models.TextField) and not (field.choices or field.primary_key)
                if free and field.name not in NOT_TEXT and (model._meta.model_name, field.name) != ("tokensnapshot", "contradictions"):
                    yield model, field


def written_everywhere(texts):
    """In every row of every column the texts, begun at another place each time, and the column's number, for a page leaves out a name
    that is no other than the symbol; what must be unique has the row's number in front."""
    for place, (model, field) in enumerate(columns()):
        for row in model._default_manager.order_by("pk").values_list("pk", flat=True):
            turned = texts[place % len(texts) :] + texts[: place % len(texts)]
            longest = 300 if field.name == "note" else None  # a longer note would make the settings unreadable
            text = f"{' '.join(turned)} {place}"[:longest]
            text = (f"{row} " if field.unique or field.name in {"service", "source"} else "") + text
            model._default_manager.filter(pk=row).update(**{field.name: text})
    for row in apps.get_model("ingestion", "Heartbeat").objects.all():
        row.detail = {**row.detail, "sentence": " ".join(texts), texts[0][:40]: texts[-1]}
        row.save()


def forgotten():
    cache.clear()
    ready.forget()
    verdict_report.forget()


def pages_as_they_are(client, addresses):
    forgotten()
    found = {}
    for address in addresses:
        answer = client.get(address, headers={"accept": "text/html"})
        assert answer.status_code < 500, address
        found[address] = (answer.status_code, "" if answer.streaming else answer.content.decode())
    return found


def scripts_and_data_are_strict(text):
    """What stands in <script type=application/json> is JSON that no browser refuses."""
    for piece in text.split('type="application/json"')[1:]:
        body = piece.partition(">")[2].partition("</script>")[0]
        json.loads(html.unescape(body) if "&quot;" in body else body, parse_constant=pytest.fail)


def test_there_are_a_hundred_hostile_texts_and_many_columns_for_them():
    assert len(set(PAYLOADS)) >= 100
    assert len(list(columns())) >= 40


@pytest.fixture
def _at_rest(monkeypatch):
    """Ages on the pages stand still while they are looked at, and what is refused is not logged with its traceback."""
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    with time_machine.travel(datetime(2026, 11, 21, 12, 0, tzinfo=UTC), tick=False):
        yield


@pytest.mark.usefixtures("_at_rest")
def test_no_text_changes_the_structure_of_any_page():
    user = whole_world.fill(timezone.now())
    client = Client()
    client.force_login(user)
    written_everywhere(["harmless", "words", "that", "differ", "between", "columns", "too"])
    addresses = [*whole_world.public_pages(), *whole_world.admin_pages(user)]
    harmless = {address: (status, shape(text)) for address, (status, text) in pages_as_they_are(client, addresses).items()}
    assert len(addresses) >= 100
    addresses = [address for address, (status, _) in harmless.items() if status in {200, 302, 404}]  # refused pages hold nothing
    seen, changed = 0, {}
    for number in range(PACKS):
        pack = PAYLOADS[number::PACKS]
        written_everywhere(pack)
        for address, (status, text) in pages_as_they_are(client, addresses).items():
            wanted, as_usual = harmless[address]
            differs = difference(as_usual, shape(text))
            if status != wanted or differs:
                changed[address] = (status, differs)
            scripts_and_data_are_strict(text)
            seen += text.count("evil.example") > 0
    assert not changed, "\n".join(f"{address}: {how}" for address, how in changed.items())
    assert seen >= 30 * PACKS  # the texts do stand on the pages


def difference(usual, found):
    """The first few elements that differ."""
    if usual == found:
        return []
    place = next(
        (number for number, (one, other) in enumerate(zip(usual, found, strict=False)) if one != other), min(len(usual), len(found))
    )
    return [usual[place : place + 3], found[place : place + 3]]
