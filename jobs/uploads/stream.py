"""Small pieces in, large blocks out: one block is written in a thread while the next arrives."""

import asyncio

from jobs.uploads.store import Writer
from jobs.uploads.threads import in_thread

BLOCK_BYTES = 1 << 20  # collected before a thread is asked to write; an upload holds two at most


class Stream:
    """Appends to a writer in order. After a failure nothing more is written: the file has no holes."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._pending = bytearray()
        self._writing: asyncio.Future[None] | None = None

    async def add(self, piece: bytes) -> None:
        """Raises what writing an earlier block raised."""
        self._pending += piece
        if len(self._pending) >= BLOCK_BYTES:
            await self._settled()
            self._write()

    async def end(self) -> None:
        """Return once all is written; also after `add` raised or was cancelled."""
        await self._settled()
        self._write()
        await self._settled()

    async def drop(self) -> None:
        """Forget what has not been given to a thread yet, and wait for what has."""
        self._pending.clear()
        await self._settled()

    def _write(self) -> None:
        block, self._pending = self._pending, bytearray()
        if block:
            self._writing = asyncio.ensure_future(in_thread(self._writer.append, block))

    async def _settled(self) -> None:
        writing = self._writing
        if writing is None:
            return
        try:
            await asyncio.shield(writing)  # the thread goes on when we are cancelled, so we must be able to wait again
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._writing, self._pending = None, bytearray()
            raise
        self._writing = None
