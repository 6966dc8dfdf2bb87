"""wss: a certificate that is not right is refused, nothing is weakened, and not a byte of ours reaches the wrong server."""

import shutil
import socket
import ssl
import threading
import time

import pytest

from ingestion.one_socket import Lost, OneSocket
from ingestion.tests.certificates import certificate
from ingestion.tests.misbehaving_websocket import Peer, Server

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")

TIMES = {"ping_sec": 5, "ping_timeout_sec": 5, "stall_sec": 5, "open_sec": 2}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("good"), "localhost")


def greeting(peer: Peer) -> None:
    peer.shake_hands()
    peer.text("hello")
    peer.stay(5)


def connect(server, file=None, **changed):
    context = ssl.create_default_context(cafile=file)
    return OneSocket.connect(server.url.replace("127.0.0.1", "localhost"), tls=context if file else None, **{**TIMES, **changed})


def test_a_certificate_that_is_right_lets_us_in(good):
    with Server([greeting], tls=good[0]) as server:
        feed = connect(server, good[1])
        assert feed.receive(3) == b"hello"
        feed.close()


def test_many_messages_in_one_tls_record_all_come_out(good):
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.text(*(f"{n}" for n in range(3000)))
        peer.stay(5)

    with Server([script], tls=good[0]) as server:
        feed = connect(server, good[1])
        messages = [feed.receive(2) for _ in range(3000)]
        feed.close()
    assert messages == [b"%d" % n for n in range(3000)]


def test_a_certificate_that_nobody_vouches_for_is_refused_and_named(good):
    with Server([greeting], tls=good[0]) as server, pytest.raises(Lost, match="certificate of localhost is not to be trusted") as caught:
        connect(server)
    assert caught.value.kind == "certificate"
    assert server.peers == []  # the handshake never ended: not a byte of ours was sent


def test_a_certificate_for_another_name_is_refused(tmp_path):
    context, file = certificate(tmp_path, "elsewhere.example")
    with Server([greeting], tls=context) as server, pytest.raises(Lost, match="not to be trusted: Hostname mismatch") as caught:
        connect(server, file)
    assert caught.value.kind == "certificate"


def test_a_certificate_that_has_expired_is_refused(tmp_path):
    context, file = certificate(tmp_path, "localhost", days=-1)
    with Server([greeting], tls=context) as server, pytest.raises(Lost, match="expired"):
        connect(server, file)


def test_an_old_protocol_is_refused(tmp_path):
    context, file = certificate(tmp_path, "localhost")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with Server([greeting], tls=context) as server, pytest.raises(Lost) as caught:
        connect(server, file)
    assert caught.value.kind == "tls"


def test_a_server_that_speaks_plainly_on_the_secure_port_is_refused():
    with Server([lambda peer: (peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), peer.stay(1))]) as server, pytest.raises(Lost) as caught:
        OneSocket.connect(server.url.replace("ws://127.0.0.1", "wss://localhost"), **TIMES)
    assert caught.value.kind == "tls"


def test_a_tls_handshake_that_stalls_or_drips_ends_after_its_time():
    def dripping(plain: socket.socket) -> None:
        accepted, _ = plain.accept()
        with accepted:
            while not over.wait(0.05):
                accepted.send(b"\x16")

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=dripping, args=(plain,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Lost):
            OneSocket.connect(f"wss://localhost:{plain.getsockname()[1]}/", **{**TIMES, "open_sec": 0.5})
        over.set()
    assert time.monotonic() - began < 1.5
