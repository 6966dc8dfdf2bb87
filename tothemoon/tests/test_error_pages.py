from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.db import OperationalError
from django.template.loader import get_template
from django.urls import path

STATIC_PAGES = ["400.html", "403.html", "403_csrf.html", "500.html", "503.html"]


def falls(request):
    raise RuntimeError("canary-secret in the error")


def away(request):
    raise OperationalError("connection to db.internal failed")


urlpatterns = [path("falls/", falls), path("away/", away)]


@pytest.mark.parametrize("name", STATIC_PAGES)
def test_an_error_page_stands_without_database_and_without_inline_code(name):
    text = get_template(name).render()  # no database mark: a query would fail this test
    assert "<script" not in text
    assert "style=" not in text
    assert "<h1>" in text


@pytest.mark.parametrize("name", STATIC_PAGES)
def test_what_an_error_page_loads_is_there(name):
    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.found += [value for key, value in attrs if key in {"href", "src"} and value.startswith("/static/")]

    Links().feed(get_template(name).render())
    root = Path(__file__).resolve().parents[2] / "tokens" / "static"
    assert Links.found
    assert all((root / link.removeprefix("/static/")).exists() for link in Links.found)


def test_a_broken_page_says_so_and_nothing_about_why(client, settings):
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False
    answer = client.get("/falls/")
    assert answer.status_code == 500
    assert "Something broke here" in answer.content.decode()
    assert "canary" not in answer.content.decode()


def test_a_page_without_its_database_is_503_and_asks_to_come_back(client, settings):
    settings.ROOT_URLCONF = __name__
    answer = client.get("/away/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The database is away" in answer.content.decode()
    assert "internal" not in answer.content.decode()


def test_a_page_without_its_database_comes_back_by_itself_unless_a_form_was_sent(client, settings):
    settings.ROOT_URLCONF = __name__
    assert client.get("/away/").headers["Refresh"] == "5"
    assert "Refresh" not in client.post("/away/").headers


@pytest.mark.django_db
def test_an_unknown_address_is_404_in_the_sites_look(client):
    answer = client.get("/no/such/page")
    assert answer.status_code == 404
    assert "There is no page at this address" in answer.content.decode()
    assert "no/such/page" not in answer.content.decode()


@pytest.mark.django_db
def test_an_unknown_address_without_the_database_is_503(client, monkeypatch):
    def gone(*_):
        raise OperationalError("gone")

    monkeypatch.setattr("tothemoon.pulse.measure", gone)
    assert client.get("/no/such/page").status_code == 503
