"""Blocking steps of an upload, in threads of their own: a slow disk holds up uploads, and nothing else.

Each step gives its database connection back, which the web process keeps for the next one (`transcribe.postgres`).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from django.db import connection

THREADS = 8
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="uploads")


async def in_thread[**P, R](step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `step` returns or raises. It runs to its end even when the caller is cancelled."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        _pool, lambda: context.run(_and_give_back, lambda: step(*args, **kwargs))
    )


def _and_give_back[R](step: Callable[[], R]) -> R:
    try:
        return step()
    finally:
        connection.close()
