"""Every address that the resolver knows, asked as nobody should ask: without a token, by odd methods, with rubbish for parameters.

A page that is added is tried without a word here.
"""

import json
import logging
import re
from itertools import cycle, product
from urllib.parse import urljoin, urlsplit

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.utils import timezone

from tothemoon.tests import whole_world

pytestmark = pytest.mark.django_db
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
METHODS = ("PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "NOSUCHMETHOD")
PARAMETERS = (
    "q",
    "page",
    "p",
    "o",
    "size",
    "limit",
    "cursor",
    "sort",
    "status",
    "watch",
    "s",
    "r",
    "d",
    "token",
    "all",
    "e",
    "_facets",
    "next",
)
PARAMETERS += (
    "predictor",
    "horizon",
    "min_liquidity",
    "when",
    "which",
    "trouble",
    "range",
    "from",
    "to",
    "interval",
    "before",
    "ids",
    "chain",
)
RUBBISH = [
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%ff",
    "9" * 30,
    "-1",
    "1e400",
    "NaN",
    "1" * 5000,
    "%u0000",
    "[]",
    "' OR 1=1 --",
    "*" * 300,
    "(" * 300,
]
RUBBISH += ["٣", "１", "%0d%0aX-Evil:%201", "../../etc/passwd", "{{7*7}}", "\\", "%25", "", "true", "0x10", "1,2,3", "1_000", "+1", " "]
LARGEST = 1_000_000


@pytest.fixture(autouse=True)
def _silence(monkeypatch):
    """Thousands of refusals are logged with their tracebacks; here nobody reads them."""
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    monkeypatch.setattr(logging.getLogger("django.security.csrf"), "disabled", True)


@pytest.fixture
def root():
    """An operator who may do everything, with something in every table."""
    user = whole_world.fill(timezone.now())
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.raise_request_exception = False
    return client


def body(answer):
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def rows():
    """All that is stored, but for what a visit itself leaves behind."""
    left = {"session", "contenttype"}
    models = [model for model in apps.get_models() if model._meta.model_name not in left]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


def test_the_resolver_knows_many_addresses():
    found = whole_world.every_route()
    assert len(found) >= 200
    assert not [address for address in found if "<" in address or "(?P" in address]


def test_no_post_into_the_admin_is_taken_without_its_token(root):
    """Whoever is logged in, a page elsewhere can make his browser post; it cannot read the token."""
    taken = {}
    for address in whole_world.every_route():
        if address.startswith("/admin/"):
            answer = root.post(address, {"_save": "1", "post": "yes", "action": "delete_selected"})
            if answer.status_code != 403:
                taken[address] = answer.status_code
    assert {address: status for address, status in taken.items() if status not in {404, 405}} == {}


def test_the_login_is_not_taken_without_its_token():
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "root", "password": "a-long-password"})
    assert answer.status_code == 403


def test_a_token_from_another_site_is_refused_over_https(root, settings):
    settings.CSRF_TRUSTED_ORIGINS = []
    page = root.get("/admin/second-factor/", secure=True).content.decode()
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    said = {"do": "begin", "password": "wrong", "csrfmiddlewaretoken": token}
    assert root.post("/admin/second-factor/", said, secure=True, headers={"origin": "https://evil.example"}).status_code == 403
    assert root.post("/admin/second-factor/", said, secure=True, headers={"referer": "https://evil.example/"}).status_code == 403
    assert root.post("/admin/second-factor/", said, secure=True, headers={"origin": "https://testserver"}).status_code == 200


def test_looking_at_every_page_changes_nothing_and_every_answer_carries_what_it_should(root):
    """All headers; nothing of the admin is kept by anybody; what is JSON is JSON that a browser reads."""
    before = rows()
    for address in [*whole_world.every_route(), *whole_world.public_pages()]:
        answer = root.get(address)
        assert {name: answer.headers.get(name) for name in EVERYWHERE} == EVERYWHERE, address
        policy = answer.headers["Content-Security-Policy"]
        assert all(rule in policy for rule in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")), address
        assert "unsafe" not in policy or address.startswith("/admin/"), address
        if address.startswith("/admin/"):
            assert answer.headers["Cache-Control"] == "no-store, private", address
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith("application/json"):
            json.loads(body(answer), parse_constant=pytest.fail)
        assert not kind.startswith("text/") or "charset=" in kind, address
    assert rows() == before


def test_a_method_that_nothing_here_needs_is_refused_everywhere(root):
    odd = {}
    for address in whole_world.every_route():
        for method in METHODS:
            answer = root.generic(method, address)
            if answer.status_code not in {405} | ({403, 404} if address.startswith("/api/") else set()):
                odd[method, address] = answer.status_code
    assert odd == {}


def test_rubbish_in_a_parameter_is_an_ordinary_answer_and_never_a_large_one(root):
    """Each address with each parameter meets one value, and all addresses together every value with every parameter."""
    addresses = [
        "/",
        "/tokens.csv",
        "/trading/",
        "/evidence/",
        "/evidence/signals/",
        "/evidence/horizons.csv",
        "/api/tokens/",
        "/tokens/T1/",
    ]
    addresses += ["/tokens/T1/chart.json", "/trading/T1/chart.json", "/api/tokens/T1/history/", "/admin/tokens/token/"]
    addresses += ["/admin/scoring/tokenscore/", "/admin/trading/judgement/", "/admin/learning/signal/", "/admin/scoring/console/compare/"]
    addresses += [
        "/admin/scoring/console/difference/",
        "/admin/scoring/console/duel/",
        "/admin/search/",
        "/health",
        "/language/uk/",
        "/admin/auth/user/",
    ]
    values, spellings = cycle(RUBBISH), cycle(("{0}={1}", "{0}={1}&{0}=1", "{0}[]={1}", "{0}={1}", "{0}={1}", "{0}={1}", "{0}={1}"))
    for address, parameter in product(addresses, PARAMETERS):
        asked = next(spellings).format(parameter, next(values))
        answer = root.get(f"{address}?{asked}")
        assert answer.status_code < 500, (address, asked)
        assert len(body(answer)) <= LARGEST, (address, asked)


@pytest.mark.parametrize("number", ["10000000000", "9" * 20, "9" * 400])
def test_no_page_size_and_no_offset_brings_more_than_a_page(client, number):
    for address in ("/", "/api/tokens/", "/trading/", "/evidence/signals/", "/api/tokens/T1/history/"):
        for parameter in ("size", "limit", "page", "offset", "page_size", "cursor"):
            answer = client.get(f"{address}?{parameter}={number}")
            assert answer.status_code in {200, 400, 404, 422}, (address, parameter)
            assert len(body(answer)) <= LARGEST


def test_a_question_of_ten_kilobytes_is_an_ordinary_answer(client):
    for address in ("/", "/api/tokens/", "/trading/", "/evidence/", "/admin/login/"):
        for asked in ("q=" + "x" * 10_000, "&".join(f"a{number}=1" for number in range(900)), "watch=" + "A" * 10_000):
            assert client.get(f"{address}?{asked}").status_code < 500


def test_more_fields_than_anybody_fills_in_are_refused(client):
    assert client.get("/?" + "&".join(f"a{number}=1" for number in range(3000))).status_code == 400


def test_no_public_address_shows_itself_to_another_site(client):
    """Nothing here is for other people's scripts: no header lets them read an answer."""
    for address in whole_world.every_route():
        for method in ("get", "options"):
            if not address.startswith("/admin/"):
                asked = {"origin": "https://evil.example", "access-control-request-method": "GET"}
                answer = getattr(client, method)(address, headers=asked)
                assert not [name for name in answer.headers if name.lower().startswith("access-control-")], address


@pytest.mark.parametrize(
    "where",
    [
        *("//evil.example", "https://evil.example", "javascript:alert(1)", "/\\evil.example", "\\\\evil.example", "http:evil.example"),
        *(
            "///evil.example",
            "/%5cevil.example",
            "https:/evil.example",
            "//evil.example@testserver/",
            "data:text/html,x",
            "////evil.example",
        ),
        *(
            "\thttps://evil.example",
            "https://testserver@evil.example",
            "https://evil.example\\@testserver",
            "/%09/evil.example",
            "ftp://evil.example",
        ),
        *(
            "ftp://evil.example",
            "////evil.example",
            "%2f%2fevil.example",
            "https://testserver.evil.example/",
            "//testserver%00.evil.example",
        ),
    ],
)
def test_no_redirect_leads_to_another_site(client, where):
    for address in ("/language/uk/", "/admin/login/", "/admin/", "/admin/logout/"):
        for name in ("next", "redirect_to", "url", "return"):
            answer = client.get(address, {name: where}, headers={"referer": where if where.isprintable() else "x"})
            onwards = answer.headers.get("Location", "/")
            leads = urlsplit(urljoin(f"http://testserver{address}", onwards))
            assert (leads.scheme, leads.netloc) == ("http", "testserver"), (address, name, onwards)
            assert not re.match(r"[/\\\s]{2}|\\|\s", onwards), (address, name, onwards)  # as browsers read it


@pytest.fixture
def entered(client, admin_user):
    """Through the login itself, with a session that somebody else has chosen."""
    admin_user.set_password("a-long-password")
    admin_user.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = "c" * 32
    assert client.post("/admin/login/", {"username": admin_user.username, "password": "a-long-password"}).status_code == 302
    return client


def test_every_cookie_is_locked(entered):
    entered.get("/language/uk/")
    entered.get("/admin/second-factor/")
    assert set(entered.cookies) == {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME}
    for name, cookie in entered.cookies.items():
        assert cookie["httponly"], name
        assert cookie["samesite"] == "Lax", name


def test_logging_in_makes_a_new_session_and_logging_out_ends_it(entered):
    inside = entered.cookies[settings.SESSION_COOKIE_NAME].value
    assert inside != "c" * 32
    assert entered.get("/admin/").status_code == 200
    entered.post("/admin/logout/")
    entered.cookies[settings.SESSION_COOKIE_NAME] = inside
    assert entered.get("/admin/").status_code == 302
