"""Whatever a token is called, the page has the same elements and attributes as for a harmless name."""

from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.http import QueryDict
from django.utils import timezone

from tokens.bounds import Refused
from tokens.models import Token
from tokens.wanted import wanted
from tothemoon.tests.page_rows import a_pool, a_whole_token, changed, many_whole_tokens

pytestmark = pytest.mark.django_db

WORDS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</title><script>1</script>",
    "</bdi></a><h1>big",
]
BREAKS = ['" onmouseover="alert(1)', "' onfocus='alert(1)", '"><b>', "'><b>", "` onerror=`", "x onclick=alert(1)", '"/><base href=//evil>']
LINKS = ["javascript:alert(1)", "data:text/html,<script>1</script>", "//evil.example", "&#106;avascript:1", "java\tscript:1", "vbscript:1"]
JSON = [
    "</script><script>1</script>",
    "<!--",
    "-->",
    "]]>",
    "{{ 7|add:7 }}",
    "{% csrf_token %}",
    "${7*7}",
    "\\u003cscript\\u003e",
    "\\x3cscript\\x3e",
]
TEXT = [
    "\u202egnp.exe",
    "\u2066\u2069\u200b",
    "Z\u0341\u0341\u0341\u0341\u0341",
    "\u0085\u2028\u2029",
    "a\rb\nc",
    "%00",
    "&lt;b&gt;",
    "&amp;quot;",
    "🚀" * 20,
]
HTMX = ['" hx-get="/admin/"', "' data-own='", '" id="list', '" hx-swap-oob="true', 'x" hx-trigger="load']
WRAPS = ["{}", "{}{}", "A{}"]
PAYLOADS = [wrap.replace("{}", payload)[:40] for payload in WORDS + BREAKS + LINKS + JSON + TEXT + HTMX for wrap in WRAPS]


class Tree(HTMLParser):
    """The elements of a page with their attributes' names, and for links and ids their values."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag, attrs):
        kept = {"id", "href", "src", "class", "hx-get", "action", "rel"}
        self.found.append((tag, [(name, value if name in kept else "") for name, value in attrs]))

    def handle_comment(self, data):
        self.found.append(("comment", data))


def tree(response):
    parser = Tree()
    parser.feed(response.content.decode())
    return parser.found


def structure(response):
    """Without the tag that names the version of the data, and without what tells one token from another."""
    return [piece for piece in tree(response) if piece[0] != "comment" or piece[1]]


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def token(now):
    token = a_whole_token(now, 0, symbol="PI", name="Palantir")
    a_pool(token, now, 1)
    changed(token, now - timedelta(minutes=1), "Initial", "Active", "by rule")
    return token


def call_it(token, name):
    type(token).objects.filter(pk=token.pk).update(symbol=name[:40], name=name[:100])
    token.pools.update(dex_name=name[:40], quote_symbol=name[:40])
    token.status_changes.update(reason=name, actor=name[:100])


def test_there_are_a_hundred_hostile_names():
    assert len(set(PAYLOADS)) >= 100


def test_no_name_changes_the_structure_of_the_list(client, now):
    tokens = many_whole_tokens(now, len(PAYLOADS))
    harmless = structure(client.get("/?size=200"))
    for token, payload in zip(tokens, PAYLOADS, strict=True):
        Token.objects.filter(pk=token.pk).update(symbol=payload, name="n" + payload)
    cache.clear()
    assert structure(client.get("/?size=200")) == harmless


def shown(client, page, **question):
    """A page as it is now, not as it was remembered."""
    cache.clear()
    return client.get(page, question)


def test_no_name_changes_the_structure_of_a_token_page(client, token):
    page = f"/tokens/{token.address}/"
    call_it(token, "harmless")
    harmless = structure(shown(client, page))
    for payload in WORDS + BREAKS + LINKS + JSON + TEXT + HTMX:
        call_it(token, payload)
        found = structure(shown(client, page))
        assert [piece for piece in found if piece not in harmless] == [], payload
        assert len(found) in {len(harmless), len(harmless) + 1}, payload  # a name may be equal to its symbol or not: one <bdi> more


def test_no_search_changes_the_structure_of_a_page(client):
    harmless = [tag for tag, _ in tree(shown(client, "/", q="harmless"))]
    for payload in WORDS + BREAKS + LINKS + JSON + HTMX:
        assert [tag for tag, _ in tree(shown(client, "/", q=payload[:80]))] == harmless, payload


def test_no_address_in_the_path_gets_into_the_page_unescaped(client):
    for payload in WORDS + BREAKS + LINKS + HTMX:
        response = client.get("/tokens/" + payload.replace("/", "").replace("?", "").replace("#", "") + "/")
        assert response.status_code == 404, payload
        assert not [tag for tag, _ in tree(response) if tag in {"img", "base", "iframe", "b"}], payload


def test_two_hundred_injections_leave_the_statement_as_it_is():
    injections = [payload[:50] + end for payload in PAYLOADS for end in (" x", "'; DROP TABLE tokens; --")]
    statement = Token.objects.search("harmless").query.sql_with_params()[0]
    assert len(injections) >= 200
    for injection in injections:
        searched = Token.objects.search(injection).query
        assert searched.is_empty() or searched.sql_with_params()[0] == statement
        with pytest.raises(Refused):
            wanted(QueryDict(urlencode({"sort": injection})))
