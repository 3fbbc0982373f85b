"""The protocol, with the real clamd under the configuration of compose.yml, and with one that lies."""

import io
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transcribe.clamav import EICAR, NAME, Clamd, lying
from transcribe.embedded.ports import HOST, free_port
from worker.clamd import PIECE, ScannerAway, ScanRefused, ping, scan

OVER_STOCK = 110 << 20  # clamd's own limit of a stream is 100 MiB; ours takes a GiB


@contextmanager
def started(folder: Path, **changed: str) -> Iterator[Clamd]:
    server = Clamd(folder / "clamd", **changed)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    with started(tmp_path_factory.mktemp("scanner")) as server:
        yield server


class Stop(Exception):
    """Of `poll`."""


def ask(content: bytes, address: str, silence: float = 30.0, poll: Callable[[], object] = lambda: None) -> str | None:
    return scan(io.BytesIO(content), address, silence_seconds=silence, poll=poll)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", None),
        (b"RIFF" + bytes(5000), None),
        (EICAR, f"{NAME}.UNOFFICIAL"),
        (b"RIFF" + bytes(PIECE - 30) + EICAR + bytes(PIECE), f"{NAME}.UNOFFICIAL"),  # across two pieces
    ],
)
def test_clean_and_infected_over_both_kinds_of_address(clamd: Clamd, content: bytes, found: str | None) -> None:
    assert ask(content, clamd.address) == found
    assert ask(content, str(clamd.socket)) == found


def test_the_end_of_a_large_file_is_read(clamd: Clamd, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(OVER_STOCK)
        file.seek(OVER_STOCK)
        file.write(EICAR)
    with path.open("rb") as file:
        assert scan(file, str(clamd.socket), silence_seconds=60, poll=lambda: None) == f"{NAME}.UNOFFICIAL"


@pytest.mark.parametrize("limit", ["StreamMaxLength", "MaxFileSize"])
def test_a_file_over_its_limits_is_refused_and_not_called_infected(tmp_path: Path, limit: str) -> None:
    with started(tmp_path, **{limit: "1M"}) as server:
        for address in (server.address, str(server.socket)):
            with pytest.raises(ScanRefused, match=r"exceeded|Exceeded"):
                ask(bytes(8 << 20), address)
            assert ask(EICAR, address)  # it lives


def test_nobody_there() -> None:
    with pytest.raises(ScannerAway):
        ping(f"{HOST}:{free_port()}")
    with pytest.raises(ScannerAway):
        ask(b"sound", "/nowhere/clamd.sock")


def read_stream(link: socket.socket) -> int:
    """All of it, as clamd does; how many bytes it held."""
    assert _exactly(link, 10) == b"zINSTREAM\0"
    held = 0
    while size := struct.unpack("!I", _exactly(link, 4))[0]:
        assert size <= PIECE
        held += len(_exactly(link, size))
    return held


def _exactly(link: socket.socket, count: int) -> bytes:
    said = b""
    while len(said) < count:
        heard = link.recv(count - len(said))
        if not heard:
            raise OSError("the client hung up")
        said += heard
    return said


def say(answer: bytes) -> Callable[[socket.socket], None]:
    def lie(link: socket.socket) -> None:
        read_stream(link)
        link.sendall(answer)

    return lie


def close_in_the_middle(link: socket.socket) -> None:
    _exactly(link, 1000)


def call_a_part_clean(link: socket.socket) -> None:
    _exactly(link, 1000)
    link.sendall(b"stream: OK\0")


def hang_at_once(link: socket.socket) -> None:
    """Nothing is taken from the buffer, until the client gives up."""
    ends = select.poll()
    ends.register(link, select.POLLRDHUP)
    ends.poll(20_000)


def refuse_early(link: socket.socket) -> None:
    _exactly(link, 1000)
    link.sendall(b"INSTREAM size limit exceeded. ERROR\0")
    hang_at_once(link)


def hang_after_all_of_it(link: socket.socket) -> None:
    read_stream(link)
    link.settimeout(20)
    link.recv(1)


LIES = {
    "closes": close_in_the_middle,
    "calls a part clean": call_a_part_clean,
    "says nothing": say(b""),
    "garbage": say(b"HTTP/1.1 400 Bad Request\r\n\r\n\0"),
    "almost": say(b"stream: OK?\0"),
    "an answer without an end": say(b"stream: OK" * 2000),
    "half an answer": say(b"stream: O"),
    "hangs": hang_after_all_of_it,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_one_that_lies_is_away_and_nothing_is_called_clean(lie: Callable[[socket.socket], None]) -> None:
    with lying(lie) as address, pytest.raises(ScannerAway):
        ask(bytes(4 << 20), address, silence=0.5)


def test_one_that_takes_nothing_is_given_up() -> None:
    with lying(hang_at_once) as address, pytest.raises(ScannerAway, match="said nothing"):
        ask(bytes(64 << 20), address, silence=0.5)


@pytest.mark.parametrize("answer", [b"stream: Cannot write ERROR\0", b"INSTREAM size limit exceeded. ERROR\0"])
def test_its_refusals(answer: bytes) -> None:
    with lying(say(answer)) as address, pytest.raises(ScanRefused):
        ask(b"sound", address)


def test_a_refusal_is_heard_while_bytes_are_left_to_send() -> None:
    looks = iter(range(8, -1, -1))  # about one a second

    def soon() -> None:
        if not next(looks):
            raise Stop

    with lying(refuse_early) as address, pytest.raises(ScanRefused):
        ask(bytes(64 << 20), address, poll=soon)


def test_found_only_after_the_last_byte() -> None:
    held = list[int]()

    def found(link: socket.socket) -> None:
        held.append(read_stream(link))
        link.sendall(b"stream: Bad.<b>Name</b> FO")
        time.sleep(0.05)
        link.sendall(b"UND\0")

    with lying(found) as address:
        assert ask(bytes(3 * PIECE + 7), address) == "Bad._b_Name_/b_"
    assert held == [3 * PIECE + 7]


@pytest.mark.parametrize("lie", [hang_at_once, hang_after_all_of_it])
def test_a_cancel_ends_the_wait(lie: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.clamd.STEP_SECONDS", 0.05)

    def stop() -> None:
        raise Stop

    with lying(lie) as address, pytest.raises(Stop):
        ask(bytes(1 << 20), address, poll=stop)
