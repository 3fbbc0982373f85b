"""The limit for `poe bench upload`: an ASGI application that only writes a body to a file. No hash, no fsync."""

import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("RAW_FOLDER", "/nowhere"))


async def application(scope: Any, receive: Any, send: Any) -> None:
    """POST names a file by `Location`, PATCH appends to it; what tus says in headers is not looked at."""
    if scope["type"] != "http":
        return
    headers: list[tuple[bytes, bytes]] = []
    if scope["method"] == "POST":
        headers = [(b"location", b"/files/" + os.urandom(8).hex().encode())]
        await receive()
    else:
        await _append(FOLDER / scope["path"].rpartition("/")[2], receive)
    status = 201 if headers else 204
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _append(path: Path, receive: Any) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        more = True
        while more:
            message = await receive()
            rest = memoryview(message.get("body", b""))
            while rest:
                rest = rest[os.write(file, rest) :]
            more = message.get("more_body", False)
    finally:
        os.close(file)
