"""The scheduler's alarm clock: rings when a row wants something, and after a while anyway."""

import asyncio
import contextlib
import logging

import psycopg
from django.db import connection

from jobs.live import WAKE_CHANNEL

logger = logging.getLogger(__name__)


class Wake:
    """LISTEN on a connection of its own. Deaf is not wrong, only slower: the loop looks every few seconds anyway."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._parameters = connection.get_connection_params()

    def ring(self) -> None:
        """Let the loop look now."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return at a notification, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()

    async def listen(self) -> None:
        """Run for ever; reconnects."""
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                logger.warning("not listening for work: %s", type(error).__name__)
                await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        parameters = {key: value for key, value in self._parameters.items() if key not in {"cursor_factory", "context"}}
        async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as link:
            await link.execute(f"LISTEN {WAKE_CHANNEL}")
            self._rung.set()
            async for _ in link.notifies():
                self._rung.set()
