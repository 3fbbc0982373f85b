"""For tests: a tus client that says exactly what it is told to, and a recording to send with it."""

import hashlib
import json
import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from transcribe.serving import Answer, Browser, Server

if TYPE_CHECKING:
    from jobs.models import Job

BASE = "/api/v1/uploads/"
MIB = 1 << 20
CONTENT = os.urandom(3 * MIB + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Tus:
    """What a signed-in browser's script sends."""

    browser: Browser

    @property
    def server(self) -> Server:
        return self.browser.server

    def head(self, method: str, path: str, headers: dict[str, str]) -> str:
        own = {"Tus-Resumable": "1.0.0", "X-CSRFToken": self.browser.secret, "Content-Type": ""}
        return self.browser.head(path, own | headers).replace("POST", method, 1) + "\n"

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: Iterable[bytes] = ()) -> Answer:
        return self.server.send(self.head(method, path, headers or {}), body)

    def create(self, length: int, headers: dict[str, str] | None = None) -> str:
        answer = self.ask("POST", BASE, {"Upload-Length": str(length)} | (headers or {}))
        assert answer.status == 201, answer.body
        return answer.headers["location"]

    def patch(self, path: str, offset: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        return self.ask("PATCH", path, piece(offset, len(body)) | (headers or {}), [body])

    def offset(self, path: str) -> int:
        answer = self.ask("HEAD", path)
        assert (answer.status, answer.headers["cache-control"], answer.body) == (200, "no-store", b"")
        return int(answer.headers["upload-offset"])

    @contextmanager
    def half_sent(self, path: str, offset: int, body: bytes, promised: int) -> Iterator[socket]:
        """A PATCH whose client has sent `body`, which is on disk up to less than 1 MiB, and is still there."""
        with closing(self.server.connect()) as connection:
            head = self.head("PATCH", path, piece(offset, promised))
            connection.sendall(head.replace("\n", "\r\n").encode() + body)
            wait_for_size(self.file(path), offset + len(body) - MIB)
            yield connection

    def file(self, path: str) -> Path:
        return self.server.media / "uploads" / path.rpartition("/")[2]

    def listed(self) -> list[dict[str, Any]]:
        answer = self.ask("GET", BASE, {"Tus-Resumable": "", "X-CSRFToken": ""})
        assert answer.status == 200
        found: list[dict[str, Any]] = json.loads(answer.body)
        return found


def piece(offset: int, length: int) -> dict[str, str]:
    return {
        "Upload-Offset": str(offset),
        "Content-Length": str(length),
        "Content-Type": "application/offset+octet-stream",
    }


def metadata(**values: str) -> str:
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in values.items())


def wait_for_size(path: Path, size: int) -> None:
    wait_until(lambda: path.stat().st_size >= size)


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "The server has not stored what it was sent."
        time.sleep(0.02)


def the_one_job(tus: Tus) -> "Job":
    """The job that CONTENT became: the only one, whole, with nothing else on disk."""
    from jobs.models import Job

    job = Job.objects.select_related("current_run").get()
    assert (job.size, job.sha256) == (len(CONTENT), SHA256)
    stored = tus.server.media / "jobs" / str(job.pk) / "source"
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == SHA256
    assert tus.server.files() == [stored]
    return job
