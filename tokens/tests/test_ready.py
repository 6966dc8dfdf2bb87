"""Drawn once, served to all: what a page depends on, and what happens while it is drawn anew."""

import gzip
import threading

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from tokens import ready

ASK = RequestFactory()


class Site:
    """A site whose state a test turns, and which counts what it draws and how often it is asked for its state."""

    def __init__(self, monkeypatch):
        self.state, self.drawn, self.asked, self.hold = "one", 0, 0, None
        monkeypatch.setattr(ready, "WATCH", ready.Watch(self._ask))
        monkeypatch.setattr(ready, "LOOK_AGAIN_SEC", 1.0)
        self.front = ready.ReadyPages(lambda request: self.view(request))

    def _ask(self, request):
        self.asked += 1
        return self.state

    def view(self, request):
        return ready.answer(request, "the list", self._draw)

    def _draw(self, tag):
        self.drawn += 1
        if self.hold:
            self.hold()
        return f"{self.state} {self.drawn}".encode()

    def get(self, path="/", language="en", **headers):
        request = ASK.get(path, headers=headers)
        request.LANGUAGE_CODE = language
        return self.front(request)

    def a_second_later(self, monkeypatch, seconds=1.1):
        clock = ready.time.monotonic
        monkeypatch.setattr(ready.time, "monotonic", lambda: clock() + seconds)


@pytest.fixture
def site(monkeypatch):
    return Site(monkeypatch)


def test_a_page_is_drawn_once_for_all_spellings_of_its_address_and_the_state_asked_for_once_a_second(site):
    pages = {site.get(path).content for path in ("/", "/?page=1", "/", "/?status=Active") * 5}
    assert pages == {b"one 1"}
    assert (site.drawn, site.asked) == (1, 1)


def test_a_new_state_is_seen_after_a_second_and_not_later(site, monkeypatch):
    assert site.get().content == b"one 1"
    site.state = "two"
    assert site.get().content == b"one 1"
    site.a_second_later(monkeypatch)
    assert site.get().content == b"two 2"
    assert site.asked == 2


def test_what_is_ready_answers_exactly_as_what_was_just_drawn(site, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    drawn, served = site.view(ASK.get("/")), site.front(ASK.get("/"))
    assert site.drawn == 1
    assert (drawn.content, dict(drawn.items())) == (served.content, dict(served.items()))


def test_every_language_has_its_own_page_and_tag(site):
    english, ukrainian = site.get(), site.get(language="uk")
    assert (english.content, ukrainian.content, site.get().content) == (b"one 1", b"one 2", b"one 1")
    assert english["ETag"] != ukrainian["ETag"] == site.get(language="uk")["ETag"]


def test_a_part_of_a_page_is_not_the_page(site):
    page, part = site.get(), site.get(**{"hx-request": "true"})
    assert page.content != part.content
    assert part["ETag"] == f'{page["ETag"][:-1]}-part"'
    assert {"HX-Request", "Accept-Encoding"} <= set(page["Vary"].split(", "))


@pytest.mark.parametrize("offer", ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8", "*", "GZIP"])
def test_who_can_read_gzip_gets_it_and_its_tag_is_a_weak_one(site, offer):
    plain, packed = site.get(), site.get(**{"accept-encoding": offer})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert packed["ETag"] == f"W/{plain['ETag']}"
    assert packed["Content-Length"] == str(len(packed.content))


@pytest.mark.parametrize("offer", ["", "br", "gzip;q=0", "gzip; q=0.0, br", "identity", "*;q=0", "xgzip"])
def test_who_cannot_read_gzip_gets_plain_bytes(site, offer):
    page = site.get(**{"accept-encoding": offer})
    assert "Content-Encoding" not in page
    assert page.content == b"one 1"


@pytest.mark.parametrize("offer", ["", "gzip"])
def test_who_has_the_page_gets_304_whichever_form_it_has(site, offer):
    tag = site.get()["ETag"]
    for known in (tag, f"W/{tag}"):
        again = site.get(**{"if-none-match": known, "accept-encoding": offer})
        assert (again.status_code, again.content) == (304, b"")
        assert "ETag" in again
        assert "Vary" in again


def test_while_one_draws_the_others_get_the_page_of_a_moment_ago(site, monkeypatch):
    site.get()
    site.state = "two"
    site.a_second_later(monkeypatch)
    begun, finish = threading.Event(), threading.Event()
    site.hold = lambda: (begun.set(), finish.wait(10))
    first = threading.Thread(target=site.get)
    first.start()
    assert begun.wait(10)
    assert site.get().content == b"one 1"
    finish.set()
    first.join(10)
    assert site.get().content == b"two 2"
    assert site.drawn == 2


def test_a_page_that_nobody_looked_at_lately_is_not_served_while_it_is_drawn_anew(site, monkeypatch):
    site.get()
    site.state = "two"
    site.a_second_later(monkeypatch, 60)
    begun, finish, seen = threading.Event(), threading.Event(), []
    site.hold = lambda: (begun.set(), finish.wait(10))
    both = [threading.Thread(target=lambda: seen.append(site.get().content)) for _ in range(2)]
    for thread in both:
        thread.start()
    assert begun.wait(10)
    finish.set()
    for thread in both:
        thread.join(10)
    assert seen == [b"two 2"] * 2
    assert site.drawn == 2


def test_a_page_that_could_not_be_drawn_is_tried_again(site):
    def broken():
        raise RuntimeError("the database went away")

    site.hold = broken
    with pytest.raises(RuntimeError):
        site.get()
    site.hold = None
    assert site.get().content == b"one 2"


def test_odd_addresses_cannot_fill_the_memory(site):
    for number in range(300):
        ready.answer(ASK.get(f"/?q={number}"), number, lambda tag: b"x")
    assert len(ready.SHELF._pages) == ready.PAGES_KEPT


def test_a_foreign_name_is_refused_for_a_ready_page_too(site, settings):
    settings.ALLOWED_HOSTS = ["moon.example.org"]
    site.view(ASK.get("/"))
    with pytest.raises(Exception, match="HTTP_HOST"):
        site.front(ASK.get("/"))


def test_what_is_not_read_goes_to_its_view(site):
    site.get()
    site.front.get_response = lambda request: HttpResponse("the view", status=405)
    assert site.front(ASK.post("/")).status_code == 405


def test_what_is_written_on_one_answer_is_not_on_the_next(site, monkeypatch):
    monkeypatch.setattr(ready, "carried", {"X-Frame-Options": "DENY", "Cache-Control": "public"})
    first = site.get()
    assert (first["X-Frame-Options"], first["Cache-Control"]) == ("DENY", "no-cache")  # the page's own word counts
    first.headers["X-Request-ID"] = "mine"
    del first.headers["X-Frame-Options"]
    again = site.get()
    assert (again.get("X-Request-ID"), again["X-Frame-Options"]) == (None, "DENY")
