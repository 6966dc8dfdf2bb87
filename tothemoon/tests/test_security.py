import pytest
from django.http import HttpRequest
from django.urls import path

from tothemoon.security import client_address, may_see_details

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def falls(request):
    raise RuntimeError("as it happens")


urlpatterns = [path("falls/", falls)]


def asking(nearest, forwarded=None):
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = nearest
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return request


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["/no-such-page", "/admin/", "/admin/login/", "/admin/nothing/", "/static/no-such-file.js"])
def test_every_answer_carries_the_headers(client, where):
    answer = client.get(where)
    assert {name: answer.headers[name] for name in EVERYWHERE} == EVERYWHERE
    assert "camera=()" in answer.headers["Permissions-Policy"]
    for rule in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "default-src 'none'"):
        assert rule in answer.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_public_page_allows_no_inline_script_and_no_eval(client):
    policy = client.get("/no-such-page").headers["Content-Security-Policy"]
    assert "unsafe" not in policy


@pytest.mark.django_db
def test_a_refused_host_gets_400_with_the_headers(client):
    answer = client.get("/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert b"evil.example" not in answer.content


def test_an_error_of_the_server_carries_the_headers(client, settings):
    client.raise_request_exception = False
    settings.ROOT_URLCONF = __name__
    answer = client.get("/falls/")
    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["/admin/", "/admin/login/", "/admin/tokens/token/", "/admin/jsi18n/"])
def test_admin_pages_are_never_stored(admin_client, where):
    assert admin_client.get(where).headers["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize(
    ("nearest", "forwarded", "who"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "127.0.0.1", "203.0.113.9"),  # nobody vouches for this header
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"),  # the first entry is the visitor's own claim
        ("", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", None, "127.0.0.1"),
    ],
)
def test_who_is_asking_cannot_be_forged_by_a_header(nearest, forwarded, who):
    assert client_address(asking(nearest, forwarded)) == who


def test_details_are_for_this_machine_and_the_allow_list(settings):
    assert may_see_details(asking("127.0.0.1"))
    assert not may_see_details(asking("127.0.0.1", "203.0.113.9"))
    settings.METRICS_ALLOW = ["203.0.113.9"]
    assert may_see_details(asking("127.0.0.1", "203.0.113.9"))
