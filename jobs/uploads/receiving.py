"""From a request body into an upload, whatever the protocol: one connection at a time, and nothing of it lost."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from django.conf import settings

from accounts.models import User
from jobs.errors import StorageFull, TooLarge
from jobs.models import Upload
from jobs.uploads import locks, resume
from jobs.uploads.refusals import Interrupted, Locked, WrongOffset
from jobs.uploads.store import Writer
from jobs.uploads.stream import Stream
from jobs.uploads.threads import in_thread
from jobs.uploads.wire import Body

LOOK_SECONDS = 0.1  # how often a writer looks whether it is wanted, and a newcomer whether it may
logger = logging.getLogger(__name__)


@asynccontextmanager
async def hold(owner: User, key: UUID, offset: int | None = None) -> AsyncIterator[tuple[Upload, Writer | None]]:
    """The upload as its one writer (None: it has become a job). A connection that writes to it is asked to give way.

    Raises Locked when it does not within UPLOAD_LOCK_WAIT_SECONDS, and what `resume.find` raises. Raises WrongOffset,
    disturbing nobody, when the writer is past the `offset` in bytes at which the newcomer would go on: a request that
    was overtaken, perhaps of a client that is gone.
    """
    upload, writer = await _take_turn(owner, key, offset)
    try:
        yield upload, writer
    finally:
        if writer is not None:
            writer.close()


async def receive_into(writer: Writer, body: Body) -> Upload:
    """Append the body and write down how far it came, also when this raises: what arrived before a cut is kept.

    Returns the upload, with its job when it is whole. A body longer than what is missing raises TooLarge and none of it
    is kept. Raises Interrupted when another connection wants the upload, StorageFull, and what `Body.next` raises.
    """
    watch = asyncio.create_task(_give_way(writer, body))
    try:
        await _copy(writer, body)
    finally:
        watch.cancel()
        upload = await settle(writer)
    return upload


async def settle(writer: Writer) -> Upload:
    """`resume.settle` in a thread."""
    upload = await in_thread(resume.settle, writer)
    if upload.job_id is not None:
        logger.info("Job %s was uploaded.", upload.job_id, extra={"job": str(upload.job_id)})
    return upload


def check_offset(told: int, true: int) -> None:
    """Raises WrongOffset unless both are the same."""
    if told != true:
        raise WrongOffset("The upload is at byte %(offset)s. Go on from there.", offset=f"{true:,}")


async def _take_turn(owner: User, key: UUID, offset: int | None) -> tuple[Upload, Writer | None]:
    try:
        return await in_thread(resume.reopen, owner, key)
    except Locked:
        pass
    path = Upload(pk=key).path
    if offset is not None:
        with suppress(FileNotFoundError):
            check_offset(offset, max(offset, path.stat().st_size))
    clock = asyncio.get_running_loop().time
    end = clock() + settings.UPLOAD_LOCK_WAIT_SECONDS
    with locks.asking(path):
        while True:  # no thread waits, or a few stuck uploads would use all there are
            await asyncio.sleep(LOOK_SECONDS)
            try:
                return await in_thread(resume.reopen, owner, key)
            except Locked:
                if clock() >= end:
                    raise


async def _give_way(writer: Writer, body: Body) -> None:
    while not writer.is_wanted():
        await asyncio.sleep(LOOK_SECONDS)
    body.interrupt(Interrupted("Another connection went on with this upload."))


async def _copy(writer: Writer, body: Body) -> None:
    start, stream = writer.offset, Stream(writer)
    rest = (writer.upload.length or 0) - start
    try:
        try:
            while (piece := await body.next()) is not None:
                if body.read > rest:
                    await stream.drop()
                    await in_thread(writer.cut_back, start)
                    raise TooLarge("The file is longer than was announced. Upload it again.")
                await stream.add(piece)
        finally:
            await stream.end()
    except StorageFull as full:
        raise StorageFull("The server has no room for the rest of this file. Go on later: the start is kept.") from full
