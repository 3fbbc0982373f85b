"""The open pages of `poe bench live`, in a process of their own: they must not slow down what is measured.

Reads one JSON line (where to connect, and as whom), then a command a line: `states` and `samples` are answered with a
JSON line, `hold` stops the slow page from reading, `go on` lets it read, `end` ends.
"""

import asyncio
import json
import re
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

AT_ONCE = 40  # handshakes under way
AGAIN_SECONDS = 0.5  # as htmx: before the first try to connect again
SMALL_BUFFER = 16 << 10  # bytes; of the page that stops reading, so that the server notices
PERCENT = re.compile(r'<progress[^>]* value="(\d+)"')


class OpenPage:
    """One socket that stays open: what it shows, and when each percentage came."""

    def __init__(self, where: dict[str, Any], slots: asyncio.Semaphore) -> None:
        self.job: int = where["job"]
        self.slow: bool = where["slow"]
        self.on_job = where["path"] != "/live/"
        self._where, self._slots = where, slots
        self._row = re.compile(f'(?:id="job-{where["id"]}"|id="status")[^>]*data-state="([a-z]+)"')
        self.state = ""
        self.last_segment = self.messages = self.connections = 0
        self.samples: list[tuple[int, float]] = []
        self.reading = asyncio.Event()
        self.reading.set()

    async def stay(self) -> None:
        """Connect, read, and connect again, as a browser does."""
        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                await self._once()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _once(self) -> None:
        async with self._slots:
            page = await self._connect()
        self.connections += 1
        async with page:
            async for message in page:
                self._look(str(message), time.monotonic())
                await self.reading.wait()

    async def _connect(self) -> ClientConnection:
        own: dict[str, Any] = {"sock": _narrow(self._where["port"]), "max_queue": 1} if self.slow else {}
        return await connect(
            f"ws://127.0.0.1:{self._where['port']}{self._where['path']}",
            origin=Origin(f"http://127.0.0.1:{self._where['port']}"),
            additional_headers={"Cookie": self._where["cookie"]},
            compression=None, max_size=None, ping_interval=None, open_timeout=60, **own,
        )  # fmt: skip

    def _look(self, html: str, now: float) -> None:
        self.messages += 1
        if found := self._row.search(html):
            self.state = found[1]
        if percent := PERCENT.search(html):
            self.samples.append((int(percent[1]), now))
        self.last_segment = max([self.last_segment, *map(int, re.findall(r' id="s(\d+)"', html))])

    def told(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "last": self.last_segment,
            "messages": self.messages,
            "connections": self.connections,
        }


def _narrow(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    found.connect(("127.0.0.1", port))
    found.setblocking(False)
    return found


async def main() -> None:
    lines = await _lines()
    slots = asyncio.Semaphore(AT_ONCE)
    pages = [OpenPage(where, slots) for where in json.loads(await lines.readline())]
    staying = [asyncio.create_task(page.stay()) for page in pages]
    while (command := (await lines.readline()).decode().strip()) not in ("end", ""):
        match command:
            case "states":
                _say([[job, state, count] for (job, state), count in Counter((p.job, p.state) for p in pages).items()])
            case "samples":
                _say([[page.job, page.samples] for page in pages])
            case "of the slow":
                job = next(page.job for page in pages if page.slow)
                of_it = sorted(
                    (page for page in pages if page.job == job and page.on_job), key=lambda page: not page.slow
                )
                _say([page.told() for page in of_it])
            case "hold" | "go on":
                for page in pages:
                    if page.slow:
                        page.reading.clear() if command == "hold" else page.reading.set()
                _say(True)
    for task in staying:
        task.cancel()


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=64 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(content: object) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
