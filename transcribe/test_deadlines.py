"""Clients that send a head slowly, never or without end, on the real server."""

import time
from contextlib import closing, suppress

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from accounts.models import User
from transcribe.serving import HEAD_SECONDS, Server, sign_in

pytestmark = pytest.mark.django_db(transaction=True)
MIB = 1 << 20
ASK = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize("begin", [b"", ASK, b"\r\n"], ids=["nothing", "half a head", "line ends"])
def test_a_head_that_does_not_come_ends_the_connection(server: Server, begin: bytes) -> None:
    """However often another byte of it comes."""
    with closing(server.connect()) as connection:
        began = time.monotonic()
        with suppress(ConnectionError):
            connection.sendall(begin)
            while begin and time.monotonic() - began < HEAD_SECONDS + 10:
                connection.sendall(b"X" if begin == ASK else b"\r\n")
                time.sleep(0.1)
        with suppress(ConnectionError):
            assert connection.recv(1000) == b""
        assert HEAD_SECONDS * 0.9 <= time.monotonic() - began < HEAD_SECONDS + 5


def test_the_next_head_has_its_own_deadline_and_may_come_early(server: Server) -> None:
    """Requests on one connection, one byte of the next already there: all are answered until one is too late."""
    with closing(server.connect()) as connection:
        began = time.monotonic()
        connection.sendall(ASK + b"\r\nG")
        for _ in range(3):
            time.sleep(HEAD_SECONDS * 0.6)
            connection.sendall(ASK[1:] + b"\r\nG")
        answers = b"".join(iter(lambda: connection.recv(1000), b""))
        assert answers.count(b"HTTP/1.1 200") == 4
        assert time.monotonic() - began >= HEAD_SECONDS * 2.5


def test_a_socket_outlives_the_deadline(server: Server, alice: User) -> None:
    address = f"127.0.0.1:{server.port}"
    headers = {"Cookie": f"sessionid={sign_in(server, alice).session}"}
    with connect(f"ws://{address}/live/", origin=Origin(f"http://{address}"), additional_headers=headers) as live:
        with suppress(TimeoutError):
            while True:
                live.recv(HEAD_SECONDS * 1.5)
        assert live.ping().wait(5)


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /", b"a" * 65536),
        (ASK + b"X: ", b"a" * 65536),
        (ASK, b"X: y\r\n" * 8192),
        (ASK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 65536),
    ],
    ids=["address", "one header", "many headers", "trailer"],
)
def test_a_head_without_end_is_cut(server: Server, begin: bytes, more: bytes) -> None:
    before, sent = server.memory(), 0
    with closing(server.connect()) as connection:
        connection.settimeout(10)
        with suppress(ConnectionError):
            connection.sendall(begin)
            while sent < 64 * MIB:
                connection.sendall(more)
                sent += len(more)
    assert sent < 16 * MIB  # what the buffers between us hold
    assert server.memory() - before < 16 * MIB
