"""For tests: the real web server as a process of its own, and a client that controls every byte it sends."""

import http.client
import json
import os
import secrets
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.testing import ApplicationCommunicator

from transcribe import web
from transcribe.embedded.ports import free_port

if TYPE_CHECKING:
    from accounts.models import User

BOUNDARY = "a-boundary-of-our-own"
LIMIT = 256 << 20  # bytes; what this server takes at most for one recording
HEAD_SECONDS = 2
SILENCE_SECONDS = 2
UNFINISHED_LIMIT = 8
LOCK_WAIT_SECONDS = 1
Communicator: Any = ApplicationCommunicator  # speaks to an application in this process; asgiref gives it no types
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.body)
        return found


@dataclass
class Server:
    """A running web server: where it listens, its process, and where it keeps files."""

    port: int
    pid: int
    media: Path

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def files(self) -> list[Path]:
        return [path for path in self.media.rglob("*") if path.is_file()]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def send(self, head: str, pieces: Iterable[bytes] = ()) -> Answer:
        """Send a request, head as written and body as given, and read the answer even when sending was cut short."""
        with closing(self.connect()) as connection:
            with suppress(ConnectionError):
                connection.sendall(head.replace("\n", "\r\n").encode())
                for piece in pieces:
                    connection.sendall(piece)
            response = http.client.HTTPResponse(connection, method=head.partition(" ")[0])
            response.begin()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


@dataclass
class Browser:
    """What a signed-in browser sends: its cookies and the token of the form."""

    server: Server
    session: str = ""
    secret: str = field(default_factory=lambda: secrets.token_hex(16))

    def head(self, path: str, headers: dict[str, str] | None = None) -> str:
        """The head of a POST, without the empty line that ends it."""
        own = {
            "Host": f"127.0.0.1:{self.server.port}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Cookie": f"sessionid={self.session}; csrftoken={self.secret}",
        } | (headers or {})
        return f"POST {path} HTTP/1.1\n" + "".join(f"{name}: {value}\n" for name, value in own.items() if value)

    def upload(self, *parts: bytes, headers: dict[str, str] | None = None, end: bytes | None = None) -> Answer:
        """Send a form made of these parts, with its length."""
        pieces = [*parts, ending() if end is None else end]
        length = {"Content-Length": str(sum(map(len, pieces)))}
        return self.server.send(self.head("/api/v1/upload", length | (headers or {})) + "\n", pieces)

    def upload_file(self, content: bytes, name: str = "talk.mp3", headers: dict[str, str] | None = None) -> Answer:
        """The form of the upload page with one file."""
        return self.upload(self.token(), file_part(name), content, headers=headers)

    def token(self) -> bytes:
        return field_part("csrfmiddlewaretoken", self.secret)


def field_part(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file_part(name: str = "talk.mp3", field: str = "file") -> bytes:
    """All of the part but its content."""
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
    return f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: audio/mpeg\r\n\r\n".encode()


def ending() -> bytes:
    return f"\r\n--{BOUNDARY}--\r\n".encode()


def zeros(size: int, piece: int = 1 << 20) -> Iterator[bytes]:
    """`size` bytes in pieces, without ever holding them."""
    block = bytes(piece)
    for start in range(0, size, piece):
        yield block[: min(piece, size - start)]


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The transfer coding of bodies whose length is not told."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


@pytest.fixture(scope="session")
def running_server(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, unused_port: int
) -> Iterator[Server]:
    """uvicorn on the test database, started once."""
    with serve(tmp_path_factory.mktemp("media"), unused_port) as server:
        yield server


@contextmanager
def serve(media: Path, port: int, given: Mapping[str, str] | None = None) -> Iterator[Server]:
    """uvicorn on the test database, with the limits of these tests; what is `given` wins."""
    environment = os.environ | {
        "DATABASE_URL": database_of_this_run(),
        "PGAPPNAME": f"web {port}",  # tells its connections from those of the tests and of other servers
        "MEDIA_ROOT": str(media),
        "UPLOAD_LIMIT_BYTES": str(LIMIT),
        "HEAD_SECONDS": str(HEAD_SECONDS),
        "BODY_SILENCE_SECONDS": str(SILENCE_SECONDS),
        "UPLOADS_UNFINISHED_LIMIT": str(UNFINISHED_LIMIT),
        "UPLOAD_LOCK_WAIT_SECONDS": str(LOCK_WAIT_SECONDS),
        **(given or {}),
    }
    with subprocess.Popen(web.command("--port", str(port)), env=environment, cwd=ROOT) as process:
        try:
            server = Server(port=port, pid=process.pid, media=media)
            _wait_until_alive(server, process)
            yield server
        finally:
            process.terminate()


@pytest.fixture
def server(running_server: Server, transactional_db: None, settings: Any) -> Server:
    """The running server, for a test whose rows it can see."""
    settings.MEDIA_ROOT = running_server.media
    return running_server


@pytest.fixture(scope="session")
def unused_port() -> int:
    return free_port()


def sign_in(server: Server, user: "User") -> Browser:
    """A browser whose session is this person's."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    return Browser(server, client.cookies["sessionid"].value)


def _wait_until_alive(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            if server.send(f"GET /healthz HTTP/1.1\nHost: 127.0.0.1:{server.port}\n\n").status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("The web server did not start; its own lines say why.")


def database_of_this_run() -> str:
    """The URL of the database that this test run made."""
    from django.conf import settings

    found = settings.DATABASES["default"]
    query = urllib.parse.urlencode({"host": found["HOST"], "port": found["PORT"]} if found["HOST"] else {})
    name, user, password = (urllib.parse.quote(str(found[key]), safe="") for key in ("NAME", "USER", "PASSWORD"))
    return f"postgresql://{user}:{password}@/{name}?{query}"
