"""A body that waits for pieces: what ends the wait, and that it can go on after."""

import asyncio

import pytest

from jobs.uploads.refusals import Interrupted
from jobs.uploads.wire import STEADY_BYTES, Body, ClientSlow, Message

REASON = Interrupted("Enough.")


def body_of(messages: "asyncio.Queue[Message]", patience: float = 60) -> Body:
    return Body(messages.get, patience)


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


async def test_a_drip_ends_the_wait_and_a_steady_stream_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's own clock is moved, so that nothing depends on how fast this machine is."""
    loop = asyncio.get_running_loop()
    messages: asyncio.Queue[Message] = asyncio.Queue()

    async def slowly() -> Message:
        moved[0] += 10
        await asyncio.sleep(0)
        return await messages.get()

    moved, real = [0.0], loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + moved[0])
    body = Body(slowly, 45)
    for size in (STEADY_BYTES // 4, STEADY_BYTES // 4, STEADY_BYTES // 2) * 5:
        messages.put_nowait(piece(bytes(size)))
        await body.next()

    async def drip() -> None:
        while True:
            messages.put_nowait(piece(b"x"))
            await body.next()

    with pytest.raises(ClientSlow):
        await drip()
    assert body.read - STEADY_BYTES * 5 in (4, 5)
