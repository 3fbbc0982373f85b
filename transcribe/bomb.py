"""For tests and proofs: a large anonymous form, thrown at a web server whose reading and memory are watched."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PATHS = ("/", "/sign-in/", "/admin/login/", "/api/v1/upload", "/api/v1/uploads/", "/jobs/", "/nowhere")
PIECE = 64 << 10
SECONDS = 5


@dataclass(frozen=True)
class Seen:
    """`seconds` until the answer. Bytes: `sent` by the client, `read` by the server, `growth` of its memory."""

    status: int
    seconds: float
    sent: int
    read: int
    growth: int


def throw(port: int, pid: int, path: str, size: int, *, told: bool = True) -> Seen:
    """Send the form until it is refused and the connection ends. uvloop reads sockets by read(2): rchar counts that."""
    process = psutil.Process(pid)
    memory, read = process.memory_info().rss, _read(pid)
    highest, sent, answer, answered = memory, 0, b"", 0.0
    length = f"Content-Length: {size}" if told else "Transfer-Encoding: chunked"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: multipart/form-data; boundary=b\r\n{length}"
    )
    with closing(socket.create_connection(("127.0.0.1", port), timeout=SECONDS)) as link:
        began = time.monotonic()
        link.sendall(f"{head}\r\n\r\n".encode())
        link.setblocking(False)
        pieces = _pieces(size, told)
        rest = next(pieces)
        with suppress(ConnectionError, StopIteration):
            while time.monotonic() - began < SECONDS:
                with suppress(BlockingIOError):
                    count = link.send(rest)
                    sent += count
                    rest = rest[count:] or next(pieces)
                with suppress(BlockingIOError):
                    said = link.recv(PIECE)
                    answered = answered or time.monotonic() - began
                    if not said:
                        break
                    answer += said
                highest = max(highest, process.memory_info().rss)
    status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
    return Seen(status, answered or SECONDS, sent, _read(pid) - read, highest - memory)


def _read(pid: int) -> int:
    """Bytes that this process has read by read(2), of files and sockets."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(lines[0].removeprefix("rchar: "))


def _pieces(size: int, told: bool) -> Iterator[bytes]:
    begin = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    sent = 0
    while sent < size:
        piece = begin + bytes(min(PIECE, size - sent) - len(begin))
        begin = b""
        sent += len(piece)
        yield piece if told else b"%x\r\n%s\r\n" % (len(piece), piece)
