"""A body that waits for pieces: what ends the wait, and that it can go on after."""

import asyncio

import pytest

from jobs.uploads.refusals import Interrupted
from jobs.uploads.wire import Body, ClientSlow, Message

REASON = Interrupted("Enough.")


def body_of(messages: "asyncio.Queue[Message]", silence_seconds: float = 60) -> Body:
    return Body(messages.get, silence_seconds)


def piece(data: bytes) -> Message:
    return {"type": "http.request", "body": data, "more_body": True}


async def test_a_waiting_reader_is_interrupted_once() -> None:
    messages: asyncio.Queue[Message] = asyncio.Queue()
    body = body_of(messages)
    reading = asyncio.create_task(body.next())
    await asyncio.sleep(0)
    body.interrupt(REASON)
    with pytest.raises(Interrupted):
        await reading
    messages.put_nowait(piece(b"rest"))  # the answer is sent while the client still writes
    assert await body.next() == b"rest"


async def test_a_busy_reader_is_interrupted_before_the_next_piece() -> None:
    messages: asyncio.Queue[Message] = asyncio.Queue()
    body = body_of(messages)
    messages.put_nowait(piece(b"one"))
    assert await body.next() == b"one"
    messages.put_nowait(piece(b"two"))
    body.interrupt(REASON)
    with pytest.raises(Interrupted):
        await body.next()
    assert await body.next() == b"two"


async def test_silence_ends_the_wait() -> None:
    with pytest.raises(ClientSlow):
        await body_of(asyncio.Queue(), 0.01).next()
