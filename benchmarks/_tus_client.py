"""A fast tus client for benchmarks: the kernel moves the file into the socket, so the server is what is measured."""

import http.client
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit

CHUNK_BYTES = 32 << 20  # what the upload page sends at once


@dataclass(frozen=True)
class Door:
    """Where uploads are created, and what proves who we are."""

    url: str
    headers: Mapping[str, str]


def upload(door: Door, file: Path, chunk: int = CHUNK_BYTES) -> float:
    """Seconds from the creation to the answer to the last piece, over one connection. Raises RuntimeError."""
    began = time.monotonic()
    parts = urlsplit(door.url)
    with create_connection((parts.hostname or "", parts.port or 80), timeout=120) as link, file.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        own = {"Host": parts.netloc, "Tus-Resumable": "1.0.0", **door.headers}
        link.sendall(_head("POST", parts.path, own | {"Upload-Length": str(size), "Content-Length": "0"}))
        place = urlsplit(_answer(link, 201)["location"]).path
        for offset in range(0, size, chunk):
            length = min(chunk, size - offset)
            told = {"Upload-Offset": str(offset), "Content-Length": str(length)}
            told["Content-Type"] = "application/offset+octet-stream"
            link.sendall(_head("PATCH", place, own | told))
            link.sendfile(source, offset, length)
            _answer(link, 204)
    return time.monotonic() - began


def _head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _answer(link: object, status: int) -> dict[str, str]:
    answer = http.client.HTTPResponse(link)  # type: ignore[arg-type]  # typeshed wants the class, it takes what reads
    answer.begin()
    said = answer.read()
    if answer.status != status:
        raise RuntimeError(f"The server answered {answer.status} instead of {status}: {said[:300]!r}")
    return {name.lower(): value for name, value in answer.getheaders()}
