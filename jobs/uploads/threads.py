"""Blocking steps of an upload, in threads of their own that keep their database connections.

Channels' and Django's bridges close the connection after each call: an upload in 8 MiB pieces would open four hundred
for a gigabyte. Each of these threads keeps one, asked before each step whether it still works.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from django.db import connection

THREADS = 8
KEEP_CONNECTIONS = True  # not in a test's own process: its database is dropped while these threads live
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="uploads")


async def in_thread[**P, R](step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `step` returns or raises. It runs to its end even when the caller is cancelled."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        _pool, lambda: context.run(_with_a_sound_connection, lambda: step(*args, **kwargs))
    )


def _with_a_sound_connection[R](step: Callable[[], R]) -> R:
    if connection.connection is not None and not connection.is_usable():  # it may have died while it was idle
        connection.close()
    try:
        return step()
    finally:
        if not KEEP_CONNECTIONS:
            connection.close()
