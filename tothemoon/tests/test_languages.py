"""The pages in English, Ukrainian and Russian: who gets which, and that no language leaks into another."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.core.cache import cache
from django.template.loader import get_template
from django.utils import timezone, translation

from tokens import list_page, ready
from tokens.models import StatusChange, Token
from tothemoon import language
from tothemoon.tests.page_rows import a_token, a_whole_token, address

NAMES = {"PI", "GOAT", "Palantir"}  # of the tokens here
# Names, and words that traders read in Latin letters in every language.
LATIN = {
    "ToTheMoon",
    "UTC",
    "CSV",
    "Birdeye",
    "DexScreener",
    "Solscan",
    "SOL",
    "pump",
    "pumpswap",
    "amm",
    "EN",
    "English",
    "Shift",
    "Enter",
}
LATIN |= {"Esc", "Tx", "JavaScript", "defaults", "Pool", "VWAP", "ATR", "fun"}
LANGUAGES = pytest.mark.parametrize("code", ["uk", "ru"])


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def market(db, now):
    cache.clear()
    ready.forget()
    tokens = a_whole_token(now, symbol="PI", name="Palantir"), a_token(now, 1, symbol="GOAT")
    StatusChange.objects.update(evidence={"pool": "pump-amm"})
    return tokens


def get(client, path, code="", **headers):
    client.cookies.clear()
    return client.get(path, headers={**({"cookie": f"lang={code}"} if code else {}), **headers})


def text_of(answer):
    return answer.content.decode()


class Readable(HTMLParser):
    """What a reader sees, hovers over or hears."""

    def __init__(self, page):
        super().__init__()
        self.said, self.silent = [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.silent = tag in {"script", "style", "kbd"}
        spoken = {"title", "aria-label", "placeholder", "content"} if dict(attrs).get("name") != "htmx-config" else set()
        self.said += [value for name, value in attrs if value and (name in spoken or name == "data-label") and tag != "meta"]

    def handle_data(self, data):
        if not self.silent:
            self.said.append(data)

    def handle_endtag(self, tag):
        self.silent = False


def english_in(page):
    addresses = r"\b[A-Za-z0-9]{40,}\b|\b\w{4}…\w{4}\b|\d+[kmhd]\b|\b[a-z]+[=_][\w,]+"
    words = re.findall(r"[A-Za-z]{2,}", re.sub(addresses, " ", " ".join(Readable(page).said)))
    return sorted(set(words) - LATIN - NAMES)


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("uk", "uk"),
        ("uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        ("de-DE,ru;q=0.8,en;q=0.9", "en"),
        ("de,ru;q=0.8,en;q=0.5", "ru"),
        ("RU-ru", "ru"),
        ("uk;q=0,ru;q=0.1", "ru"),
        ("de", "en"),
        ("*", "en"),
        ("", "en"),
        ("uk" * 400, "en"),
        ("%(x)s;q={}", "en"),
    ],
)
def test_a_first_visit_is_answered_in_the_browsers_language(client, market, accepted, code):
    answer = get(client, "/", **{"accept-language": accepted})
    assert (answer["Content-Language"], f'<html lang="{code}">' in text_of(answer)) == (code, True)


@pytest.mark.parametrize(
    ("cookie", "code"), [("lang=ru", "ru"), ("a=b; lang=ru ; c=d", "ru"), ("lang=xx", "uk"), ("xlang=ru", "uk"), ("lang=", "uk")]
)
def test_what_was_chosen_goes_before_what_the_browser_says(client, market, cookie, code):
    answer = client.get("/", headers={"cookie": cookie, "accept-language": "uk"})
    assert answer["Content-Language"] == code


@pytest.mark.parametrize(
    ("came_from", "to"),
    [
        ("http://testserver/?status=Initial&q=%D1%96", "/?status=Initial&q=%D1%96"),
        ("http://testserver/tokens/abc/", "/tokens/abc/"),
        ("http://testserver//evil.example/x", "/%2Fevil.example/x"),
        ("http://evil.example/", "/"),
        ("https://testserver@evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_the_switch_remembers_and_leads_back_and_never_away(client, came_from, to):
    answer = client.get("/language/uk/", headers={"referer": came_from})
    assert (answer.status_code, answer["Location"], answer["Cache-Control"]) == (302, to, "no-store")
    cookie = answer.cookies["lang"]
    assert (cookie.value, cookie["samesite"], cookie["httponly"], cookie["max-age"]) == ("uk", "Lax", True, 365 * 24 * 3600)


@pytest.mark.django_db
def test_a_language_that_is_not_offered_is_not_there_and_nothing_is_posted_to_the_switch(client):
    assert client.get("/language/de/").status_code == 404
    assert "lang" not in client.cookies
    assert client.post("/language/uk/").status_code == 405


@pytest.mark.parametrize("path", ["/", "/?status=Initial", "/tokens/{}/", "/tokens/{}/chart.json"])
def test_each_language_has_its_own_page_and_a_tag_that_fits_no_other(client, still, market, path):
    path = path.format(market[0].address)
    english, ukrainian, again = get(client, path), get(client, path, "uk"), get(client, path)
    assert text_of(english) != text_of(ukrainian)
    assert text_of(english) == text_of(again) or path.endswith(".json")  # the charts end at the present moment
    assert english["ETag"] == again["ETag"] != ukrainian["ETag"]
    assert get(client, path, "ru", **{"if-none-match": ukrainian["ETag"]}).status_code == 200
    assert get(client, path, "uk", **{"if-none-match": ukrainian["ETag"]}).status_code == 304
    for answer in (english, ukrainian):
        assert {"Accept-Language", "Cookie", "HX-Request"} <= set(answer["Vary"].split(", "))


def test_a_part_of_a_page_comes_in_the_language_of_the_page(client, market):
    part = get(client, "/", "ru", **{"hx-request": "true"})
    assert part["Content-Language"] == "ru"
    assert "оценка высокая" in text_of(part)
    assert "high because" in text_of(get(client, "/", **{"hx-request": "true"}))


def test_readers_of_several_languages_do_not_undo_each_others_pages(client, market, monkeypatch):
    drawn, context = [], list_page.context
    monkeypatch.setattr(list_page, "context", lambda *args, **named: drawn.append(translation.get_language()) or context(*args, **named))
    monkeypatch.setattr(ready, "LOOK_AGAIN_SEC", -1)  # the state is asked for at every visit; the listener's silence is part of it
    for code in ("en", "uk", "ru") * 3:
        assert get(client, "/", code)["Content-Language"] == code
    assert sorted(drawn) == ["en", "ru", "uk"]


@LANGUAGES
@pytest.mark.parametrize(
    "path", ["/", "/?status=Initial", "/?status=Archived", "/?watch=", "/?q=zz", "/?min_liquidity=9t", "/nowhere", "/?page=x"]
)
def test_no_english_is_left_on_the_list_and_where_there_is_none(client, market, path, code):
    page = text_of(get(client, path, code))
    assert english_in(page.replace("q=zz", "").replace("zz", "")) == []


@LANGUAGES
def test_no_english_is_left_on_the_page_of_a_token(client, market, code):
    assert english_in(text_of(get(client, f"/tokens/{market[0].address}/", code))) == []
    assert english_in(text_of(get(client, f"/tokens/{market[1].address}/", code))) == []
    assert english_in(text_of(get(client, "/tokens/unknown0address/", code)).replace("unknown0address", "")) == []


@LANGUAGES
@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "500.html", "503.html"])
def test_a_page_of_an_error_needs_no_database_to_speak_the_readers_language(name, code):
    with translation.override(code):
        page = get_template(name).render()
    assert f'<html lang="{code}">' in page
    assert set(english_in(page)) <= {"Request", "ID", "cookie"}


def test_the_header_and_its_troubles_are_told_in_the_readers_language(client, market):
    assert "Слухача ще не запускали: нові токени не надходять." in text_of(get(client, "/pulse/", "uk"))
    assert "The listener has not been started yet" in text_of(get(client, "/pulse/"))


def test_the_history_of_a_token_is_told_anew(client, market, now):
    evidence = {"tx_count_5m": 330, "liquidity": 15_000, "pools": 2, "thresholds": {"min_active_liquidity": 500, "enter_tx_count": 25}}
    reason = "liquidity $15,000 ≥ $500 and tx_count_5m 330 ≥ 25, 2 pools"
    fields = {"old": "Initial", "new": "Active", "reason": reason, "evidence": evidence, "actor": "rule:activate"}
    StatusChange.objects.create(token=market[0], ts=now - timedelta(minutes=5), **fields)
    said = "ліквідність $15,000 ≥ $500 і транзакцій за 5 хв 330 ≥ 25, 2 пули"
    assert said in text_of(get(client, f"/tokens/{market[0].address}/", "uk"))
    marks = json.loads(get(client, f"/tokens/{market[0].address}/chart.json", "uk").content)["changes"]
    assert (marks[-1]["new"], marks[-1]["reason"]) == ("активний", said)


@pytest.mark.parametrize("name", ["%(total)s %s %d", "{x} {0} {{ pulse }}", "<b>%(q)s</b>", "… …", "100 %"])
def test_a_hostile_name_is_text_in_every_language(client, market, name):
    Token.objects.filter(pk=market[0].pk).update(symbol=name[:40], name=name)
    cache.clear()
    for code in ("en", "uk", "ru"):
        ready.forget()
        for path in ("/", f"/tokens/{market[0].address}/"):
            assert name.replace("<", "&lt;").replace(">", "&gt;") in text_of(get(client, path, code))
        searched = client.get("/", {"q": f"zz{name}"}, headers={"cookie": f"lang={code}"})
        assert f"zz{name}".replace("<", "&lt;").replace(">", "&gt;") in text_of(searched)


@pytest.mark.parametrize(
    "path", ["/api/tokens/", "/api/tokens/{}/", "/api/health/", "/api/nowhere", "/health", "/admin/login/", "/tokens.csv"]
)
def test_programs_and_operators_read_english_whatever_the_browser_says(client, market, path):
    path = path.format(market[0].address)
    english, other = get(client, path), get(client, path, "uk", **{"accept-language": "ru"})
    for answer in (english, other):
        content = answer.getvalue().decode()
        assert not re.search("[а-яіїєґ]", content, re.IGNORECASE)
    assert english.status_code == other.status_code


def test_what_is_offered_is_what_the_switch_shows(client, market, settings):
    page = text_of(get(client, "/", "uk"))
    assert [code for code, _, _ in language.SHORT_NAMES] == [code for code, _ in settings.LANGUAGES]
    assert re.findall(r'href="/language/(\w+)/"', page) == ["en", "uk", "ru"]
    assert re.findall(r'lang="(\w+)" hreflang="\w+" rel="nofollow" aria-current', page) == ["uk"]


@LANGUAGES
@pytest.mark.parametrize(
    "path", ["/", f"/tokens/{address(0)}/", "/trading/", f"/trading/{address(0)}/", "/evidence/", "/evidence/signals/"]
)
def test_a_simulated_market_is_called_so_in_the_title_too(client, market, settings, code, path):
    settings.SIMULATED = True
    cache.clear()
    ready.forget()
    answer = get(client, path, code)
    assert answer.status_code == 200
    title = text_of(answer).partition("<title>")[2].partition("</title>")[0]
    assert title.startswith({"uk": "СИМУЛЯЦІЯ", "ru": "СИМУЛЯЦИЯ"}[code]), title
