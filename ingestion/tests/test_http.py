"""The one door against servers that misbehave, on real sockets."""

import contextlib
import hashlib
import json
import logging
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from ingestion import politeness
from ingestion.errors import Malformed, OutsideError, Permanent, Temporary
from ingestion.http import Call, Door
from ingestion.key_header import KeyHeader
from ingestion.ledger import Counts, Ledger
from ingestion.secret import Secret
from ingestion.tests import misbehaving_http as bad
from ingestion.tests.misbehaving_http import MisbehavingServer, answer, raw

CANARY = "canary-4f1d9c"
ANY = Call("any", "/any")


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def door_to(url: str, **changes: Any) -> Door:
    given: dict[str, Any] = {
        "service": "test",
        "base_url": url,
        "rates": {"": 1000},
        "deadline_sec": 2.0,
        "concurrency": 4,
        "ledger": Ledger(),
        "backoff_sec": 0.01,
    }
    return Door(**{**given, **changes})


def counted(door: Door, endpoint: str = "any") -> Counts:
    return door.ledger._counts[("test", endpoint)]


def kilobytes(which: str) -> int:
    """Of this process: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which))


# Answers


def test_a_good_answer_is_its_json_value() -> None:
    with MisbehavingServer([answer({"a": [1, 2.5, None]})]) as server:
        assert door_to(server.url).fetch(ANY) == {"a": [1, 2.5, None]}


def test_connections_are_kept_alive_and_cookies_are_not() -> None:
    with MisbehavingServer([bad.cookie_flood]) as server:
        door = door_to(server.url)
        for number in range(5):
            door.fetch(Call("any", f"/{number}"))
        assert server.connections == 1
        assert not any("cookie" in request.headers for request in server.requests)


def test_gzip_is_unpacked() -> None:
    with MisbehavingServer([bad.gzipped(bad.zipped(b'{"a": "' + b"x" * 300_000 + b'"}'))]) as server:
        assert len(door_to(server.url).fetch(ANY)["a"]) == 300_000


UNREADABLE = {
    "empty": answer(b""),
    "204": raw(bad.head(204), keep=True),
    "html": answer(b"<html>busy</html>", headers={"Content-Type": "text/html"}),
    "json called html": answer(b"{}", headers={"Content-Type": "text/html; charset=utf-8"}),
    "html called json": answer(b"<html>busy</html>"),
    "byte order mark": answer(b"\xef\xbb\xbf{}"),
    "latin-1": answer('{"a":"é"}'.encode("latin-1")),
    "utf-16": answer('{"a":1}'.encode("utf-16")),
    "truncated": answer(b'{"a":'),
    "the same key twice": answer(b'{"a":1,"a":2}'),
    "200,000 deep": answer(b"[" * 200_000),
    "6 MB": answer(b'"' + b"x" * 6_000_000 + b'"'),
    "not gzip": bad.gzipped(b'{"a":1}'),
    "gzip cut in the middle": bad.gzipped(bad.zipped(b'{"a": "' + b"xyz" * 1000 + b'"}')[:40]),
    "gzip without its trailer": bad.gzipped(bad.zipped(b"{}")[:-8]),
    "bytes after gzip": bad.gzipped(bad.zipped(b"{}") + b"more"),
    "brotli, which nobody asked for": answer(b"{}", headers={"Content-Encoding": "br"}),
    "redirect": answer(b"", 302, {"Location": "http://127.0.0.1:9/"}),
    "103 for an answer": bad.early_hints,
}


@pytest.mark.parametrize("behaviour", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_malformed_and_asked_for_once(behaviour: bad.Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server:
        door = door_to(server.url)
        with pytest.raises(Malformed):
            door.fetch(ANY)
        assert len(server.requests) == 1
        assert counted(door).malformed == 1


def test_one_spoiled_number_costs_only_itself() -> None:
    with MisbehavingServer([answer(b'{"a": NaN, "b": 1e400, "c": -Infinity, "d": ' + b"9" * 5000 + b', "e": 7}')]) as server:
        door = door_to(server.url)
        assert door.fetch(ANY) == {"a": None, "b": None, "c": None, "d": None, "e": 7}
        assert counted(door).malformed == 1


def test_a_gigabyte_in_a_megabyte_stays_small() -> None:
    packed = bad.bomb()
    assert 900_000 < len(packed) < 1_300_000
    with MisbehavingServer([bad.gzipped(packed)]) as server:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
        before = kilobytes("VmRSS")
        with pytest.raises(Malformed, match="more than"):
            door_to(server.url).fetch(ANY)
        assert kilobytes("VmHWM") - before < 64 * 1024


# Broken lines


BROKEN = {
    "reset in the body": bad.reset_in_body,
    "less than Content-Length": bad.short_body,
    "cut chunked": bad.cut_chunked,
    "closed without a word": bad.close_without_answer,
    "no status line": bad.bad_status_line,
    "a header of 70 KB": bad.long_header,
    "300 headers": bad.many_headers,
    "500": answer({"success": False}, 500),
    "502 in html": answer(b"<html>", 502, {"Content-Type": "text/html"}),
    "503": answer(b"", 503),
    "504": answer(b"", 504),
    "521": answer(b"<html>", 521, {"Content-Type": "text/html"}),
    "530": answer(b"", 530),
}


@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
def test_what_breaks_is_asked_for_once_more_and_then_is_temporary(behaviour: bad.Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server:
        with pytest.raises(Temporary):
            door_to(server.url).fetch(ANY)
        assert len(server.requests) == 2


@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
def test_the_second_try_may_bring_the_answer(behaviour: bad.Behaviour) -> None:
    with MisbehavingServer([behaviour, answer({"a": 1})]) as server:
        assert door_to(server.url).fetch(ANY) == {"a": 1}


def test_a_connection_that_died_while_it_rested_is_replaced() -> None:
    with MisbehavingServer([raw(bad.head(200, length=2) + b"{}"), answer([1])]) as server:
        door = door_to(server.url)
        door.fetch(Call("any", "/1"))
        assert door.fetch(Call("any", "/2")) == [1]


def test_refused_connections_and_unknown_names_are_temporary() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://name.invalid"):
        with pytest.raises(Temporary):
            door_to(url).fetch(ANY)


def test_plain_http_on_the_tls_port_is_refused() -> None:
    with MisbehavingServer([bad.silence], b"HTTP/1.1 200 OK\r\n\r\n{}") as server, pytest.raises(Temporary, match="TLS"):
        door_to(server.url.replace("http:", "https:")).fetch(ANY)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program to make a certificate")
def test_a_certificate_that_nobody_signed_gets_no_request_and_no_key(tmp_path: Path) -> None:
    pem = str(tmp_path / "own.pem")
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*make, "-keyout", pem, "-out", pem], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with MisbehavingServer([answer([1])], tls=context) as server:
        with pytest.raises(Temporary, match="certificate"):
            door_to(server.url, auth=KeyHeader("X-API-KEY", Secret(CANARY))).fetch(ANY)
        assert server.connections >= 1
        assert server.requests == []


def test_a_port_that_lets_nobody_in_ends_at_the_deadline() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the queue of those who wait to be let in is full, and the next is not even refused
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        began = time.monotonic()
        with pytest.raises(Temporary):
            door_to(f"http://127.0.0.1:{full.getsockname()[1]}", deadline_sec=0.3).fetch(ANY)
        assert time.monotonic() - began < 1.0


# The deadline


SLOW = {"silent": bad.silence, "drips headers": bad.drip_headers, "drips its body": bad.drip_body, "100 Continue": bad.endless_continue}


def live_attempts() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "http-attempt"]


@pytest.mark.parametrize("behaviour", SLOW.values(), ids=SLOW)
def test_a_caller_is_never_held_beyond_its_deadline(behaviour: bad.Behaviour) -> None:
    with MisbehavingServer([behaviour]) as server:
        began = time.monotonic()
        with pytest.raises(Temporary):
            door_to(server.url, deadline_sec=0.3).fetch(ANY)
        assert time.monotonic() - began < 1.0
        for thread in live_attempts():
            thread.join(2)
        assert live_attempts() == []  # and the socket was shut down under the thread that read it


def test_a_tls_handshake_that_stalls_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with pytest.raises(Temporary):
            door_to(f"https://127.0.0.1:{mute.getsockname()[1]}", deadline_sec=0.3).fetch(ANY)
        assert time.monotonic() - began < 1.0
        for thread in live_attempts():
            thread.join(2)
        assert live_attempts() == []


def test_slow_name_resolution_holds_a_slot_but_no_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        answered.wait(5)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    door = door_to("http://slow.example", deadline_sec=0.2, concurrency=1)
    for _ in range(2):  # the second finds no slot
        began = time.monotonic()
        with pytest.raises(Temporary):
            door.fetch(ANY)
        assert time.monotonic() - began < 1.0
    assert len(live_attempts()) == 1
    answered.set()
    for thread in live_attempts():
        thread.join(1)
    assert live_attempts() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_our_own_in_a_thread_still_answers_the_caller_and_frees_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer([answer([1])]) as server:
        door = door_to(server.url, concurrency=1)
        with monkeypatch.context() as patch:
            patch.delattr("ingestion.attempt._body")
            with pytest.raises(Temporary, match="unforeseen"):
                door.fetch(ANY)
        assert door.fetch(ANY) == [1]


def test_without_a_thread_to_be_had_the_slot_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with MisbehavingServer([answer([1])]) as server:
        door = door_to(server.url, concurrency=1)
        with monkeypatch.context() as patch:
            patch.setattr(politeness.threading.Thread, "start", refuse)
            with pytest.raises(Temporary):
                door.fetch(ANY)
        assert door.fetch(ANY) == [1]


# Being told to wait


def at_noon() -> datetime:
    return datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


TOLD = {
    "seconds": ({"Retry-After": "7"}, 7),
    "a date by the server's own clock": (
        {"Date": "Sat, 21 Nov 2026 11:50:00 GMT", "Retry-After": "Sat, 21 Nov 2026 11:50:30 GMT"},
        30,
    ),
    "a date and no server clock": ({"Retry-After": "Sat, 21 Nov 2026 12:00:20 GMT"}, 20),
    "zero": ({"Retry-After": "0"}, 1),
    "negative": ({"Retry-After": "-5"}, 1),
    "a date long past": ({"Retry-After": "Sat, 21 Nov 2020 12:00:00 GMT"}, 1),
    "a billion": ({"Retry-After": "1000000000"}, 900),
    "in words": ({"Retry-After": "soon"}, 60),
    "twice": ([("Retry-After", "3"), ("Retry-After", "9")], 9),
    "only x-ratelimit-reset": ({"x-ratelimit-reset": str(int(at_noon().timestamp()) + 12)}, 12),
    "x-ratelimit-reset by the server's clock": (
        {"Date": "Sat, 21 Nov 2026 12:10:00 GMT", "x-ratelimit-reset": str(int(at_noon().timestamp()) + 615)},
        15,
    ),
    "Retry-After before x-ratelimit-reset": ({"Retry-After": "4", "x-ratelimit-reset": "9999999999"}, 4),
    "nothing": ({}, 60),
    "garbage": ({"Retry-After": "٣", "x-ratelimit-reset": "never"}, 60),
}


@pytest.mark.parametrize(("headers", "seconds"), TOLD.values(), ids=TOLD)
def test_a_429_pauses_the_whole_service_for_as_long_as_it_says(headers: Any, seconds: float) -> None:
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()} if isinstance(headers, dict) else headers
    with MisbehavingServer([answer({"success": False}, 429, encoded)]) as server:
        door = door_to(server.url, wall=at_noon)
        with pytest.raises(Temporary) as told:
            door.fetch(ANY)
        assert seconds <= (told.value.retry_after or 0) <= min(seconds * 1.1, 900)
        with pytest.raises(Temporary, match="told us to wait"):
            door.fetch(Call("other", "/other"), patience=0.0)
        assert len(server.requests) == 1


def test_after_a_pause_one_request_goes_first_and_a_short_pause_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(politeness, "SHORTEST_PAUSE", 0.2)
    script = [answer(b"", 429, {"Retry-After": "0"}), answer([1])]
    with MisbehavingServer(script) as server:
        door = door_to(server.url)
        with pytest.raises(Temporary):
            door.fetch(ANY)
        answers = door.fetch_all([Call("any", f"/{number}") for number in range(6)], patience=5.0)
        assert answers == [[1]] * 6
        first, trial, *_ = server.requests
        assert trial.at - first.at >= 0.2


def test_a_503_with_retry_after_is_a_pause_too() -> None:
    with MisbehavingServer([answer(b"", 503, {"Retry-After": "5"})]) as server:
        with pytest.raises(Temporary) as told:
            door_to(server.url).fetch(ANY)
        assert told.value.retry_after == pytest.approx(5.25, abs=0.3)
        assert len(server.requests) == 1


# Failure after failure


def test_second_tries_add_at_most_a_fifth() -> None:
    with MisbehavingServer([answer(b"", 400)]) as server:
        door = door_to(server.url)
        door.gate.failed = lambda leave: None  # type: ignore[method-assign]  # without the rest, to see the budget alone
        server.script[:] = [answer(b"", 500)]
        errors = door.fetch_all([Call("any", f"/{number}") for number in range(100)], patience=20)
        assert all(isinstance(error, Temporary) for error in errors)
        assert 110 <= len(server.requests) <= 120


def test_a_dead_service_is_left_alone_and_used_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(politeness, "LONGEST_REST", 0.1)
    alive = threading.Event()
    behave = bad.by_request(lambda request: answer([1]) if alive.is_set() else answer(b"", 500))
    with MisbehavingServer([behave]) as server:
        door = door_to(server.url)
        door.fetch_all([Call("any", f"/{number}") for number in range(200)], patience=5)
        assert len(server.requests) < 40
        alive.set()
        deadline = time.monotonic() + 2
        while door.gate.resting_for():
            assert time.monotonic() < deadline
        answers = door.fetch_all([Call("any", f"/{number}") for number in range(20)], patience=5)
        assert answers == [[1]] * 20
        assert door.ledger._standings[("test", "connection")].state == "ok"


def test_every_second_request_failing_does_not_close_the_gate() -> None:
    turn = iter(range(10_000))
    behave = bad.by_request(lambda request: answer(b"", 500) if next(turn) % 2 else answer([1]))
    with MisbehavingServer([behave]) as server:
        answers = door_to(server.url).fetch_all([Call("any", f"/{number}") for number in range(100)], patience=20)
        assert sum(value == [1] for value in answers) >= 50
        assert len(server.requests) <= 120


def test_half_an_outage_delays_hardly_anyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty minutes of one failure in two, 300 requests a tick: after six ticks all but one in a hundred have had an answer."""
    monkeypatch.setattr(politeness, "LONGEST_REST", 0.02)  # of a tick that here takes a second instead of thirty
    chance = random.Random(12)
    with MisbehavingServer([bad.by_request(lambda request: answer(b"", 500) if chance.random() < 0.5 else answer([1]))]) as server:
        door, waiting, asked = door_to(server.url), set(range(300)), 0
        for _ in range(6):
            numbers = sorted(waiting)
            asked += len(numbers)
            answers = door.fetch_all([Call("any", f"/{number}") for number in numbers], patience=20)
            waiting -= {number for number, value in zip(numbers, answers, strict=True) if value == [1]}
        assert len(waiting) <= 3
        assert len(server.requests) <= asked * 1.2 + 1


def test_a_refusal_of_one_thing_is_permanent_and_stops_nothing_else() -> None:
    behave = bad.by_request(lambda request: answer({"message": "address is invalid format"}, 400) if "bad" in request.path else answer([1]))
    with MisbehavingServer([behave]) as server:
        answers = door_to(server.url).fetch_all([Call("any", "/bad"), Call("any", "/good")])
        assert isinstance(answers[0], Permanent)
        assert answers[0].kind == Permanent.BAD_REQUEST
        assert answers[1] == [1]
        assert len(server.requests) == 2


def test_calls_not_yet_sent_are_not_sent_after_a_verdict() -> None:
    with MisbehavingServer([answer(b"", 403)]) as server:
        calls = [Call("any", f"/{number}") for number in range(50)]
        door = door_to(server.url, rates={"": 20}, concurrency=8)
        answers = door.fetch_all(calls, stop_after=lambda error: isinstance(error, Permanent))
        assert all(isinstance(error, Permanent) for error in answers)
        assert len(server.requests) <= 2


# Rate, cache, sharing


def test_the_rate_limit_counts_second_tries() -> None:
    with MisbehavingServer([answer(b"", 500), answer(b"", 500), answer([1])]) as server:
        door = door_to(server.url, rates={"": 10})
        with pytest.raises(Temporary):
            door.fetch(ANY)
        door.fetch(ANY)
        times = [request.at for request in server.requests]
        assert times[2] - times[0] >= 0.1  # 0.2 where the server, too, is quick to look at its clock


def test_eight_at_once_are_spaced_at_the_rate() -> None:
    with MisbehavingServer([answer([1])]) as server:
        door_to(server.url, rates={"": 50}, concurrency=8).fetch_all([Call("any", f"/{number}") for number in range(8)])
        times = sorted(request.at for request in server.requests)
        assert times[-1] - times[0] >= 7 * 0.015


def test_what_has_no_turn_in_time_is_temporary() -> None:
    with MisbehavingServer([answer([1])]) as server:
        answers = door_to(server.url, rates={"": 5}).fetch_all([Call("any", f"/{number}") for number in range(20)], patience=0.3)
        assert sum(value == [1] for value in answers) == len(server.requests) <= 4
        assert all(isinstance(value, Temporary) for value in answers if value != [1])


def test_an_answer_is_kept_for_its_time_and_the_cache_can_be_passed_by() -> None:
    with MisbehavingServer([answer([1]), answer([2])]) as server:
        door = door_to(server.url)
        call = Call("any", "/any", {"b": "2", "a": "1"}, cache_sec=60)
        same = Call("any", "/any", {"a": "1", "b": "2"}, cache_sec=60)
        assert door.fetch(call) == door.fetch(same) == [1]
        assert door.fetch(Call("any", "/any", {"a": "9"}, cache_sec=60)) == [2]
        assert door.fetch(call, bypass_cache=True) == [2]
        assert len(server.requests) == 3
        assert counted(door).cache_hits == 1


def test_what_was_kept_before_the_clock_went_back_is_asked_for_again(time_machine: Any) -> None:
    """A cache goes by the clock on the wall: to it, what is a minute old has an hour and a minute left."""
    with MisbehavingServer([answer([1]), answer([2])]) as server:
        door, call = door_to(server.url), Call("any", "/any", cache_sec=60)
        true = timezone.now()
        time_machine.move_to(true + timedelta(hours=1))
        assert door.fetch(call) == door.fetch(call) == [1]
        time_machine.move_to(true)
        assert door.fetch(call) == door.fetch(call) == [2]


def test_what_the_release_before_has_kept_in_a_shared_cache_is_left_to_it() -> None:
    with MisbehavingServer([answer([1])]) as server:
        door, call = door_to(server.url), Call("any", "/any", cache_sec=60)
        whole = json.dumps(["GET", f"{server.url}/any", []])
        cache.set("http:" + hashlib.sha256(whole.encode()).hexdigest(), b"[2]", 60)
        assert door.fetch(call) == [1]


def test_errors_are_not_kept() -> None:
    with MisbehavingServer([answer(b"<html>"), answer([2])]) as server:
        door = door_to(server.url)
        call = Call("any", "/any", cache_sec=60)
        with pytest.raises(Malformed):
            door.fetch(call)
        assert door.fetch(call) == [2]


def test_the_same_request_is_under_way_only_once() -> None:
    let_go = threading.Event()

    def held(talk: bad.Conversation) -> None:
        let_go.wait(2)
        answer([1])(talk)

    with MisbehavingServer([held]) as server:
        door = door_to(server.url)
        threads = [threading.Thread(target=door.fetch, args=(ANY,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        while not server.requests:
            pass
        let_go.set()
        for thread in threads:
            thread.join(2)
        assert len(server.requests) == 1


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with MisbehavingServer([answer([1])]) as server:
        assert door_to(server.url).fetch(ANY) == [1]


def test_stopping_ends_every_wait() -> None:
    with MisbehavingServer([bad.silence]) as server:
        began = time.monotonic()
        politeness.stopping.set()
        try:
            with pytest.raises(Temporary):
                door_to(server.url, deadline_sec=5).fetch(ANY)
        finally:
            politeness.stopping.clear()
        assert time.monotonic() - began < 1.0


def test_a_service_that_hangs_leaves_a_connection_to_the_others() -> None:
    slots = threading.BoundedSemaphore(3)
    with MisbehavingServer([bad.silence]) as hangs, MisbehavingServer([answer([1])]) as works:
        one, other = (door_to(server.url, slots=slots, concurrency=3, deadline_sec=0.5) for server in (hangs, works))
        stuck = threading.Thread(target=one.fetch_all, args=([Call("any", f"/{number}") for number in range(6)],))
        stuck.start()
        while len(hangs.requests) < 2:
            pass
        assert other.fetch(ANY) == [1]
        stuck.join(5)


def test_units_are_counted_for_answers_with_200_and_nothing_else() -> None:
    script = [answer([1]), answer(b"<html>"), bad.drip_body, answer(b"", 404), answer(b"", 500)]
    with MisbehavingServer(script) as server:
        door = door_to(server.url, deadline_sec=0.3)
        door.fetch_all([Call("any", f"/{number}", about=("a",), units=25) for number in range(4)])
        assert counted(door).units == 75
        url = server.url
    gone = door_to(url)
    gone.fetch_all([Call("any", f"/{number}", about=("a",), units=25) for number in range(4)])
    assert counted(gone).units == 0
    assert counted(gone).temporary >= 4


# The key


CANARY_SCRIPTS = {
    "success": answer([1]),
    "wrong key": answer({"message": "Unauthorized"}, 401),
    "wrong key, quoted": answer({"message": f"{CANARY} is not a key"}, 401),
    "server fault": answer(b"", 500),
    "reset": bad.reset_in_body,
    "drip": bad.drip_body,
    "html": answer(b"<html>"),
    "told to wait": answer(b"", 429),
}


@pytest.mark.parametrize("behaviour", CANARY_SCRIPTS.values(), ids=CANARY_SCRIPTS)
def test_the_key_is_in_its_header_and_nowhere_else(behaviour: bad.Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with MisbehavingServer([behaviour]) as server:
        door = door_to(server.url, auth=KeyHeader("X-API-KEY", Secret(CANARY)), deadline_sec=0.3)
        try:
            seen = repr(door.fetch(ANY))
        except OutsideError as error:
            ours = error.__traceback__.tb_next if error.__traceback__ else None  # without this test's own variables
            seen = "".join(traceback.TracebackException(type(error), error, ours, capture_locals=True).format())
            assert "deadline" in seen
        assert server.requests[0].headers["x-api-key"] == CANARY
        assert CANARY not in server.requests[0].target
        assert CANARY not in seen
        assert CANARY not in caplog.text
        assert CANARY not in repr(door)


def test_a_redirect_takes_the_key_nowhere() -> None:
    with MisbehavingServer([answer([1])]) as sink:
        for status in (301, 302, 303, 307, 308):
            with MisbehavingServer([answer(b"", status, {"Location": sink.url + "/sink"})]) as server, pytest.raises(Malformed):
                door_to(server.url, auth=KeyHeader("X-API-KEY", Secret(CANARY))).fetch(ANY)
        assert sink.requests == []
        assert sink.connections == 0


def test_a_storm_of_errors_is_one_line_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    with MisbehavingServer([answer(b"<html>")]) as server:
        door = door_to(server.url)
        door.fetch_all([Call("any", f"/{number}") for number in range(50)], patience=10)
        assert len([record for record in caplog.records if record.name == "ingestion.http"]) == 1


def test_no_address_asked_for_reaches_a_message() -> None:
    with MisbehavingServer([bad.reset_in_body]) as server, pytest.raises(Temporary) as error:
        door_to(server.url).fetch(Call("any", "/any", {"address": "SecretMint"}))
    assert "SecretMint" not in str(error.value)
    assert "127.0.0.1" not in str(error.value)
