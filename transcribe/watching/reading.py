"""One reading at a time, in a thread of its own, kept for a moment: whoever asks often or impatiently costs no more."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from django.db import close_old_connections, connection

PATIENCE_SECONDS = 4.0  # a database that was frozen holds up one thread, and nobody who asks


class Reading[T]:
    """`read` may ask the database."""

    def __init__(self, read: Callable[[], T], *, kept_seconds: float) -> None:
        self._read, self._kept_seconds = read, kept_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="watching")
        self._future: Future[T] | None = None
        self._began = 0.0

    async def ask(self, patience: float = PATIENCE_SECONDS) -> T:
        """Raises TimeoutError: the one under way takes long."""
        if self._future is None or (self._future.done() and time.monotonic() - self._began > self._kept_seconds):
            self._began = time.monotonic()
            self._future = self._thread.submit(self._body)
        async with asyncio.timeout(patience):
            return await asyncio.shield(asyncio.wrap_future(self._future))

    def _body(self) -> T:
        close_old_connections()
        try:
            return self._read()
        finally:
            connection.close()
