"""What clamd says of a file: INSTREAM as in clamd(8), over TCP or a Unix socket.

A client of our own: `clamd` and `pyclamd` on PyPI are releases of years ago, `clamav-client` sends 1 KiB at a time, and
none can be asked to stop. Nothing of the house is imported here.
"""

import re
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import IO

PIECE = 64 << 10
END = struct.pack("!I", 0)
CONNECT_SECONDS = 5.0
STEP_SECONDS = 1.0  # between two polls
ANSWER_BYTES = 4096
FOUND = re.compile(r"stream: (.+) FOUND")
# With AlertExceedsMax clamd says "found" of what it did not read to its end: no reason to remove anything.
LIMITS = "Heuristics.Limits.Exceeded"


class ScannerAway(Exception):
    """Nobody there, or nobody who speaks the protocol: later may be better."""


class ScanRefused(Exception):
    """clamd will not look into this file as it is set up: too large, or over another of its limits."""


def scan(recording: IO[bytes], address: str, *, silence_seconds: float, poll: Callable[[], object]) -> str | None:
    """The name of what clamd found in it; None: clean.

    `address` is HOST:PORT or the path of a Unix socket. `poll` is called about each second; what it raises ends the
    scan. Raises ScannerAway, also after `silence_seconds` in which clamd took no byte and said none; ScanRefused.
    """
    with _connected(address) as link, _Talk(link, silence_seconds, poll) as talk:
        whole = talk.send(b"zINSTREAM\0") and all(map(talk.send, _pieces(recording)))
        return _judged(talk.answer(), whole)


def ping(address: str, *, poll: Callable[[], object] = lambda: None) -> None:
    """Raises ScannerAway unless clamd is there and answers."""
    with _connected(address) as link, _Talk(link, CONNECT_SECONDS, poll) as talk:
        if not talk.send(b"zPING\0") or talk.answer() != "PONG":
            raise ScannerAway("it does not answer as clamd does")


def _judged(answer: str, whole: bool) -> str | None:
    if found := FOUND.fullmatch(answer):
        if found[1].startswith(LIMITS):
            raise ScanRefused(found[1])
        return re.sub(r"[^\w.:/()+-]", "_", found[1])[:80]
    if answer.endswith(" ERROR"):
        raise ScanRefused(answer[:80])
    if answer == "stream: OK" and whole:  # of a half it says nothing
        return None
    raise ScannerAway("its answer is none of clamd's")


def _pieces(recording: IO[bytes]) -> Iterator[bytes]:
    while piece := recording.read(PIECE):
        yield struct.pack("!I", len(piece)) + piece
    yield END


def _connected(address: str) -> socket.socket:
    try:
        if not address.startswith("/"):
            host, _, port = address.rpartition(":")
            return socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS)
        link = socket.socket(socket.AF_UNIX)
        try:
            link.settimeout(CONNECT_SECONDS)
            link.connect(address)
        except OSError:
            link.close()
            raise
        return link
    except OSError as error:
        raise ScannerAway(error.strerror or type(error).__name__) from None


class _Talk:
    """One connection that never blocks for longer than a step."""

    def __init__(self, link: socket.socket, silence_seconds: float, poll: Callable[[], object]) -> None:
        self._link, self._silence, self._poll = link, silence_seconds, poll
        self._polled = self._moved = time.monotonic()

    def __enter__(self) -> "_Talk":
        self._link.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._link, selectors.EVENT_READ | selectors.EVENT_WRITE)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def send(self, data: bytes) -> bool:
        """False: clamd wants no more, and has said why, or hung up."""
        left = memoryview(data)
        while left:
            if self._ready() & selectors.EVENT_READ:
                return False
            try:
                left = left[self._link.send(left) :]
            except BlockingIOError:
                continue
            except OSError:  # it closed with bytes of ours unread; what it said before can still be read (Linux)
                return False
        return True

    def answer(self) -> str:
        """Without its end mark."""
        self._selector.modify(self._link, selectors.EVENT_READ)
        said = b""
        while not said.endswith(b"\0"):
            self._ready()
            try:
                heard = self._link.recv(ANSWER_BYTES)
            except OSError:
                heard = b""
            said += heard
            if not heard or len(said) > ANSWER_BYTES:
                raise ScannerAway("it hung up" if not heard else "its answer has no end")
        return said[:-1].decode("ascii", "replace")

    def _ready(self) -> int:
        """What can be done now: EVENT_READ, EVENT_WRITE."""
        while True:
            found = self._selector.select(STEP_SECONDS)
            now = time.monotonic()
            if now - self._polled >= STEP_SECONDS:
                self._polled = now
                self._poll()
            if found:
                self._moved = now
                return found[0][1]
            if now - self._moved >= self._silence:
                raise ScannerAway(f"it said nothing for {self._silence:.0f} s")
