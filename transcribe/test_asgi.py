"""The gate in front of Django, and what the web process loads."""

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from accounts.signing import ISLAND, sign
from jobs.uploads.wire import Message, Receive, Scope, Send
from transcribe.asgi import application
from transcribe.gate import ANONYMOUS_LIMIT, Gate
from transcribe.serving import Communicator


def scope(path: str = "/", **headers: str) -> dict[str, Any]:
    found = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "headers": found,
        "query_string": b"",
    }


async def reader(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for Django: it takes the whole body first and answers with its size, or nothing when the client left."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def ask(scope: dict[str, Any], pieces: list[bytes], *, application: Any = None) -> tuple[int, bytes]:
    communicator = Communicator(application or Gate(reader, {}), scope)
    for number, piece in enumerate(pieces, 1):
        await communicator.send_input({"type": "http.request", "body": piece, "more_body": number < len(pieces)})
    start: Message = await communicator.receive_output(5)
    body: Message = await communicator.receive_output(5)
    return start["status"], body["body"]


async def test_health_needs_neither_django_nor_a_database() -> None:
    assert await ask(scope("/healthz"), [b""], application=application) == (200, b'{"status": "ok"}')


async def test_a_door_that_ends_in_a_slash_gets_what_lies_directly_below(settings: Any) -> None:
    settings.BODY_LIMIT_BYTES = 1  # only Django's bodies are capped
    gate = Gate(reader, {"/one": reader, "/many/": reader})
    headers = {"cookie": "a=b", "content_length": "2"}
    for path, status in {
        "/one": 200,
        "/many/": 200,
        "/many/x": 200,
        "/many/x/y": 413,
        "/many": 413,
        "/one/": 413,
    }.items():
        assert (await ask(scope(path, **headers), [b"12"], application=gate))[0] == status, path


async def test_bodies_within_the_limit_pass(settings: Any) -> None:
    settings.BODY_LIMIT_BYTES = 10
    assert await ask(scope(cookie="a=b", content_length="10"), [b"12345", b"67890"]) == (200, b"10")
    assert await ask(scope(cookie="a=b", transfer_encoding="chunked"), [b"12345", b"67890"]) == (200, b"10")
    assert await ask(scope(), [b""]) == (200, b"0")


@pytest.mark.parametrize("headers", [{"content_length": "11"}, {"transfer_encoding": "chunked"}])
async def test_bodies_beyond_it_are_refused(settings: Any, headers: dict[str, str]) -> None:
    settings.BODY_LIMIT_BYTES = 10
    status, body = await ask(scope(cookie="a=b", **headers), [b"123456", b"789012"])
    assert status == 413
    assert b'"code": "too_large"' in body


async def test_a_refused_script_is_told_in_its_own_language(settings: Any) -> None:
    settings.BODY_LIMIT_BYTES = 10
    body = (await ask(scope(cookie="a=b", content_length="11", accept_language="de"), [b""]))[1]
    assert json.loads(body)["detail"].startswith("Die Anfrage ist zu groß.")
    body = (await ask(scope(cookie="a=b", content_length="11"), [b""]))[1]
    assert json.loads(body)["detail"].startswith("The request is too large.")


async def test_strangers_may_send_less() -> None:
    assert (await ask(scope(content_length=str(ANONYMOUS_LIMIT + 1)), [b""]))[0] == 413
    assert (await ask(scope(content_length=str(ANONYMOUS_LIMIT + 1), cookie="a=b"), [b""]))[0] == 200
    assert (await ask(scope(content_length=str(ANONYMOUS_LIMIT + 1), authorization="Bearer x"), [b""]))[0] == 413
    token = sign(ISLAND, "1", timedelta(minutes=1), {"scope": "jobs:read"})[0]
    known = scope(content_length=str(ANONYMOUS_LIMIT + 1), authorization=f"Bearer {token}")
    assert (await ask(known, [b""]))[0] == 200


async def test_a_body_that_stops_coming_is_given_up(settings: Any) -> None:
    settings.BODY_SILENCE_SECONDS = 0.05
    communicator = Communicator(Gate(reader, {}), scope(cookie="a=b", content_length="10"))
    await communicator.send_input({"type": "http.request", "body": b"1", "more_body": True})
    assert (await communicator.receive_output(5))["status"] == 408
    await communicator.wait(5)


def test_the_web_process_loads_no_model_code_and_no_temporal() -> None:
    heavy = ("torch", "whisper", "av", "onnxruntime", "temporalio")
    program = f"import sys, transcribe.asgi; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
