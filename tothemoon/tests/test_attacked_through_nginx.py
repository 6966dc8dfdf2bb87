"""The site attacked where the world meets it: raw bytes over TLS at nginx with our file, gunicorn with ours behind it.

nginx counts visitors by address, so every test comes from an address of its own within 127.0.0.0/8.
"""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tothemoon.tests.test_nginx import NAME, ON_EVERY_ANSWER, Site, front, nginx_files, pytestmark, site  # noqa: F401

ADDRESSES = iter(f"127.0.{number // 200 + 1}.{number % 200 + 1}" for number in range(10_000))


@pytest.fixture
def mine() -> str:
    """An address that nobody has come from yet."""
    return next(ADDRESSES)


def connected(site: Site, mine: str, plain: bool = False) -> socket.socket:  # noqa: F811
    line = socket.create_connection(("127.0.0.1", site.plain if plain else site.secure), 60, source_address=(mine, 0))
    if plain:
        return line
    return ssl.create_default_context(cafile=str(site.folder / "cert.pem")).wrap_socket(line, server_hostname=NAME)


def sent(site: Site, mine: str, request: bytes, plain: bool = False) -> bytes:  # noqa: F811
    """All that comes back until the server closes."""
    answer = b""
    with connected(site, mine, plain) as line:
        try:
            line.sendall(request)
            while piece := line.recv(65536):
                answer += piece
        except (ConnectionError, ssl.SSLError):
            pass  # the server has had enough, before or after it answered
    return answer


def closed(line: socket.socket) -> bool:
    try:
        return status(line.recv(4096)) in {0, 408}
    except (ConnectionError, ssl.SSLError):
        return True


def get(target: str, host: str = NAME, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    """0 for no answer at all."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0


def headers(answer: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(value.strip())
    return found


ROUTES = ["/", "/tokens.csv", "/pulse/", "/tokens/none/", "/tokens/none/chart.json", "/trading/", "/trading/none/", "/evidence/", "/api/"]
ROUTES += ["/evidence/signals/", "/evidence/signals/1/", "/evidence/horizons.csv", "/api/tokens/", "/api/tokens/none/", "/api/openapi.json"]
ROUTES += ["/api/ranking.json", "/api/ranking.toml", "/api/trading/state", "/language/uk/", "/health", "/health?probe=live", "/metrics"]
ROUTES += ["/admin/", "/admin/login/", "/admin/second-factor/", "/admin/tokens/token/", "/admin/jsi18n/", "/admin/scoring/console/"]
ROUTES += ["/static/site.css", "/static/none.css", "/static/", "/nothing", "/unavailable.html", "/favicon.ico", "/robots.txt"]


def bad(site: Site, mine: str) -> Iterator[tuple[str, bytes]]:  # noqa: F811
    """Questions that nginx or the site refuses, each in its own way."""
    (known,) = headers(sent(site, mine, get("/static/site.css")))["etag"]
    yield "not modified", get("/static/site.css", NAME, f"If-None-Match: {known}")
    yield "part of a file", get("/static/site.css", NAME, "Range: bytes=0-3")
    yield "no part of a file", get("/static/site.css", NAME, "Range: bytes=900000-")
    yield "a body too large", get("/admin/login/", NAME, "Content-Length: 70000", method="POST", body=b"x" * 70_000)
    yield "a line too long", get("/?q=" + "x" * 9000)
    yield "a header too long", get("/", NAME, "X-Long: " + "x" * 9000)
    yield "a header that is none", get("/", NAME, "no colon here")
    yield "no name", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    yield "a method nobody needs", get("/", method="DELETE")
    yield "a method that reflects", get("/", method="TRACE")
    yield "an unknown method", get("/", method="FOO")
    yield "a post without a token", get("/admin/login/", NAME, "Content-Length: 3", method="POST", body=b"a=b")
    yield "rubbish in a question", get("/api/tokens/?limit=nonsense")
    yield "another protocol", b"GET / HTTP/3.7\r\nHost: " + NAME.encode() + b"\r\n\r\n"


def test_every_route_and_every_status_carries_every_header_once(site: Site, mine: str) -> None:  # noqa: F811
    asked = {route: get(route) for route in ROUTES} | dict(bad(site, mine))
    seen = set()
    for what, request in asked.items():
        answer = sent(site, mine, request)
        seen.add(status(answer))
        there = headers(answer)
        for name, value in ON_EVERY_ANSWER.items():
            assert there.get(name) == [value], (what, status(answer), name)
        assert len(there.get("content-security-policy", [])) == 1, what
        for rule in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in there["content-security-policy"][0], what
        assert "max-age=31536000" in there["strict-transport-security"][0], what
        assert there["server"] == ["nginx"], what
        assert not [name for name in there if name.startswith(("access-control-", "x-powered"))], what
        assert len(answer) < 1_000_000, what
    assert seen >= {200, 302, 304, 400, 403, 404, 405, 413, 414, 422}, seen


def test_who_guesses_passwords_is_stopped_at_the_door_whatever_address_he_claims(site: Site, mine: str) -> None:  # noqa: F811
    answers = []
    for number in range(25):
        lines = [f"X-Forwarded-For: 198.51.100.{number}", "Content-Length: 3"]
        answers.append(sent(site, mine, get("/admin/login/", NAME, *lines, method="POST", body=b"a=b")))
    refused = [answer for answer in answers if status(answer) == 429]
    assert len(refused) >= 5  # five a minute and five at once get through; how many minutes this takes is the machine's business
    assert all(headers(answer).get(name) == [value] for answer in refused for name, value in ON_EVERY_ANSWER.items())


def test_while_the_site_is_away_its_answer_has_the_headers_too(front: Site, mine: str) -> None:  # noqa: F811
    answer = sent(front, mine, get("/static/none.css"))
    assert {name: headers(answer).get(name) for name in ON_EVERY_ANSWER} == {name: [value] for name, value in ON_EVERY_ANSWER.items()}


def test_over_plain_http_there_is_nothing_but_the_way_to_https(front: Site, mine: str) -> None:  # noqa: F811
    for target in ("/", "/admin/login/", "/api/tokens/?q=1", "/static/site.css", "/health", "/metrics", "/.env"):
        answer = sent(front, mine, get(target), plain=True)
        assert (status(answer), headers(answer)["location"]) == (301, [f"https://{NAME}{target}"])
        assert {name: headers(answer).get(name) for name in ON_EVERY_ANSWER} == {name: [value] for name, value in ON_EVERY_ANSWER.items()}
        assert "strict-transport-security" not in headers(answer)  # it means nothing here, and a browser must not heed it
    for request in (
        get("/", "evil.example"),
        get("//evil.example/"),
        get("/", f"{NAME}@evil.example"),
        get("/%0d%0aLocation:%20//evil.example"),
    ):
        answer = sent(front, mine, request, plain=True)
        assert all(there.startswith(f"https://{NAME}/") for there in headers(answer).get("location", []))


STRANGE_HOSTS = [
    "evil.example",
    f"{NAME}.evil.example",
    f"evil.{NAME}",
    f"{NAME}@evil.example",
    f"evil.example/{NAME}",
    "127.0.0.1",
    "localhost",
]
STRANGE_HOSTS += ["", f"{NAME}, evil.example", f"{NAME} evil.example", "[::1]", f"{NAME}%00.evil.example", f"evil.example#{NAME}", "*", "_"]


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_a_strange_name_gets_nothing(site: Site, mine: str, host: str) -> None:  # noqa: F811
    for target in ("/", "/admin/login/", "/no/such"):
        answer = sent(site, mine, get(target, host))
        assert status(answer) in {0, 400}
        assert b"evil.example" not in answer


@pytest.mark.parametrize(
    "lines",
    [
        ["X-Forwarded-Host: evil.example"],
        ["Forwarded: host=evil.example;proto=http"],
        ["X-Host: evil.example"],
        ["X-Forwarded-Server: evil.example"],
        ["X-Original-URL: //evil.example/"],
        ["X-Rewrite-URL: //evil.example/"],
        ["X-Forwarded-Proto: http"],
        ["X-Forwarded-Port: 6666", "X-Forwarded-Prefix: //evil.example"],
        ["Host: evil.example"],
        ["host : evil.example"],
    ],
)
def test_a_header_that_claims_another_name_is_not_believed(site: Site, mine: str, lines: list[str]) -> None:  # noqa: F811
    for target in ("/admin/", "/", "/api/"):
        answer = sent(site, mine, get(target, NAME, *lines))
        assert status(answer) in {200, 302, 400}
        assert b"evil.example" not in answer
        assert b"6666" not in answer
        assert all(there.startswith("/") for there in headers(answer).get("location", []))


@pytest.mark.parametrize(
    ("target", "host"), [("https://evil.example/", NAME), (f"https://{NAME}/admin/", "evil.example"), ("evil.example:443", NAME)]
)
def test_an_absolute_address_reflects_nothing(site: Site, mine: str, target: str, host: str) -> None:  # noqa: F811
    answer = sent(site, mine, get(target, host))
    assert status(answer) in {0, 302, 400}
    assert b"evil.example" not in answer


SECRETS = [
    "secret.txt",
    "key.pem",
    "nginx.conf",
    ".env",
    ".git/config",
    "manage.py",
    "tothemoon/settings.py",
    "var/secret_key",
    "db.sqlite3",
]
CLIMBS = [
    "../",
    "%2e%2e/",
    "..%2f",
    "%2e%2e%2f",
    "..%5c",
    "..\\",
    "%252e%252e%252f",
    "....//",
    "..;/",
    "%c0%ae%c0%ae/",
    "./../",
    "x/../../",
]
UPWARDS = [f"/static/{climb}{secret}" for climb in CLIMBS for secret in SECRETS[:3]] + [f"/static{climb}{SECRETS[0]}" for climb in CLIMBS]
LEFT_BEHIND = [f"/{secret}" for secret in SECRETS] + [f"/static/{secret}" for secret in SECRETS[3:]]
LEFT_BEHIND += [
    "/.git/HEAD",
    "/.env.bak",
    "/backup.sql.gz",
    "/tothemoon.sqlite3",
    "/static/site.css.bak",
    "/static/site.css~",
    "/static/.htpasswd",
]
LEFT_BEHIND += [
    "/tothemoon/settings.pyc",
    "/requirements.lock",
    "/etc/passwd",
    "//etc/passwd",
    "/static//etc/passwd",
    "/static/%00secret.txt",
]
LEFT_BEHIND += [
    "/static/site.css%00.py",
    "/.well-known/../.env",
    "/api/../.env",
    "/admin/..%2f..%2fmanage.py",
    "/proc/self/environ",
    "/run",
    "/.ci/run",
]


def test_no_path_leads_out_of_the_folder_or_to_what_was_left_there(site: Site, mine: str) -> None:  # noqa: F811
    paths = [*UPWARDS, *LEFT_BEHIND]
    assert len(set(paths)) >= 60
    for number, path in enumerate(paths):
        answer = sent(site, mine if number < 40 else next(ADDRESSES), get(path))
        assert status(answer) in {0, 400, 404, 405}, path
        assert b"outside of static" not in answer, path
        assert b"PRIVATE KEY" not in answer, path


INNER = f"GET /smuggled-canary HTTP/1.1\r\nHost: {NAME}\r\n\r\n"
POST = f"POST /no/such/page HTTP/1.1\r\nHost: {NAME}\r\n"
PROBES = {
    "length and chunks": f"{POST}Content-Length: {len(INNER) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{INNER}",
    "chunks and length": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{len(INNER):x}\r\n{INNER}\r\n0\r\n\r\n",
    "two lengths": f"{POST}Content-Length: 0\r\nContent-Length: {len(INNER)}\r\n\r\n{INNER}",
    "the same length twice": f"{POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\na=b",
    "a list of lengths": f"{POST}Content-Length: 0, {len(INNER)}\r\n\r\n{INNER}",
    "a length with a sign": f"{POST}Content-Length: +0\r\n\r\n{INNER}",
    "a negative length": f"{POST}Content-Length: -1\r\n\r\n{INNER}",
    "a length in hex": f"{POST}Content-Length: 0x0\r\n\r\n{INNER}",
    "an unknown coding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{INNER}",
    "two codings": f"{POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{INNER}",
    "the coding twice": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{INNER}",
    "a blank before the colon": f"{POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{INNER}",
    "a folded line": f"{POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{INNER}",
    "a NUL in a header": f"{POST}X-A: a\0b\r\nContent-Length: 0\r\n\r\n{INNER}",
    "a CR alone": f"{POST}X-A: a\rContent-Length: 0\r\n\r\n{INNER}",
    "a chunk with a sign": f"{POST}Transfer-Encoding: chunked\r\n\r\n-1\r\n{INNER}",
    "a chunk beyond all numbers": f"{POST}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{INNER}",
    "an old protocol with chunks": f"{POST.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{INNER}",
}


@pytest.mark.parametrize("probe", PROBES)
def test_no_request_hides_another_one(site: Site, mine: str, probe: str) -> None:  # noqa: F811
    """Refused, with the line closed: what stands behind it is never read as a request."""
    answer = sent(site, mine, PROBES[probe].encode("latin-1"))
    assert status(answer) in {0, 400, 501}
    assert len(re.findall(rb"HTTP/1\.[01] \d{3}", answer)) <= 1
    assert b"smuggled" not in answer


def test_lines_that_end_in_lf_alone_are_one_request_to_both_servers(site: Site, mine: str) -> None:  # noqa: F811
    """nginx reads them, and writes the request anew for the one behind it: there is nothing for the two to disagree about."""
    request = f"GET /no/such/page HTTP/1.1\nHost: {NAME}\nConnection: close\nX-A: b\n\n".encode()
    answer = sent(site, mine, request)
    assert len(re.findall(rb"HTTP/1\.1 \d{3}", answer)) == 1
    assert status(answer) in {400, 404}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "MKCOL", "NOSUCH", "get", "DEBUG", "PURGE"])
def test_a_method_that_nothing_here_needs_is_refused_everywhere(site: Site, mine: str, method: str) -> None:  # noqa: F811
    for target in ("/", "/api/tokens/", "/static/site.css", "/admin/login/", "/health", "/no/such/page"):
        assert status(sent(site, mine, get(target, method=method))) in {0, 400, 405, 501}, target


def test_head_is_get_without_its_body(site: Site, mine: str) -> None:  # noqa: F811
    for target in ("/", "/health", "/static/site.css", "/api/tokens/", "/admin/login/", "/nothing"):
        head, whole = sent(site, mine, get(target, method="HEAD")), sent(site, mine, get(target))
        assert status(head) == status(whole), target
        assert head.partition(b"\r\n\r\n")[2] == b"", target


def test_the_cookies_of_the_public_site_belong_to_it_alone(site: Site, mine: str) -> None:  # noqa: F811
    given = headers(sent(site, mine, get("/admin/login/")))["set-cookie"]
    given += headers(sent(site, mine, get("/language/uk/", NAME, "Content-Length: 0", method="POST"))).get("set-cookie", [])
    assert any(cookie.startswith("__Host-csrf=") for cookie in given)
    for cookie in given:
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts, cookie
        assert not [part for part in parts if part.startswith("domain")], cookie


def test_strangers_are_told_nothing_by_health_and_metrics(site: Site, mine: str) -> None:  # noqa: F811
    assert status(sent(site, mine, get("/metrics"))) == 403
    for claim in ("127.0.0.1", "::1", "localhost"):
        asked = get("/metrics", NAME, f"X-Forwarded-For: {claim}", f"X-Real-IP: {claim}")
        assert status(sent(site, mine, asked)) == 403
        seen = sent(site, mine, get("/health", NAME, f"X-Forwarded-For: {claim}")).partition(b"\r\n\r\n")[2]
        assert b"detail" not in seen
        assert b"sqlite" not in seen


def test_slow_visitors_keep_nobody_else_waiting_and_are_sent_away(site: Site, mine: str) -> None:  # noqa: F811
    """Sixty who never finish their question."""
    with ExitStack() as opened:
        slow = [opened.enter_context(connected(site, mine)) for _ in range(60)]
        for line in slow:
            line.sendall(b"GET / HTTP/1.1\r\nHost: ")
        began = time.monotonic()
        assert [status(sent(site, next(ADDRESSES), get("/health?probe=live"))) for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < 60
        for line in slow[::20]:
            assert closed(line)  # a time-out of ours would fail here
        assert time.monotonic() - began < 45  # ten seconds, on a machine that may be busy; nginx's own are sixty
