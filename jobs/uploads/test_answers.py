"""What browsers and scripts read when the door refuses; and the seam through which token holders come in."""

from typing import Any

import pytest
from channels.db import database_sync_to_async

from accounts.models import User
from jobs.models import Job
from jobs.uploads.door import UploadDoor
from jobs.uploads.wire import Scope
from transcribe.serving import BOUNDARY, Communicator, ending, file_part

pytestmark = pytest.mark.django_db(transaction=True)


def scope(**headers: str) -> dict[str, Any]:
    own = {"host": "127.0.0.1", "content-type": f"multipart/form-data; boundary={BOUNDARY}"} | headers
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/upload",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in own.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


async def talk(door: UploadDoor, scope: dict[str, Any], body: bytes) -> tuple[dict[str, Any], str]:
    """The first message of the answer and its whole body."""
    communicator = Communicator(door, scope)
    await communicator.send_input({"type": "http.request", "body": body, "more_body": False})
    start = await communicator.receive_output(10)
    text = b""
    while (message := await communicator.receive_output(10)).get("more_body"):
        text += message["body"]
    await communicator.wait()
    return start, (text + message["body"]).decode()


async def test_a_browser_reads_a_page_that_says_what_to_do_next(media: object) -> None:
    start, page = await talk(UploadDoor(), scope(accept="text/html", **{"accept-language": "en"}), b"")
    headers = dict(start["headers"])
    assert start["status"] == 401
    assert headers[b"content-type"].startswith(b"text/html")
    assert b"script-src 'self'" in headers[b"content-security-policy"]
    assert "Sign in first" in page
    assert 'href="/sign-in/?next=/upload"' in page


async def test_a_script_reads_json(media: object) -> None:
    start, text = await talk(UploadDoor(), scope(), b"")
    assert start["status"] == 401
    assert '"code": "not_signed_in"' in text


async def test_a_token_holder_needs_no_form_token(alice: User, media: object) -> None:
    async def authenticate(scope: Scope) -> User | None:
        return alice if (b"authorization", b"Bearer good") in scope["headers"] else None

    door, body = UploadDoor(authenticate), file_part() + b"x" + ending()
    foreign = {"origin": "https://elsewhere.example"}
    start, _ = await talk(door, scope(authorization="Bearer good", **foreign), body)
    assert start["status"] == 201
    start, _ = await talk(door, scope(authorization="Bearer bad"), body)
    assert start["status"] == 401
    assert await database_sync_to_async(Job.objects.count)() == 1


async def test_a_query_that_is_not_text_is_refused(media: object) -> None:
    start, _ = await talk(UploadDoor(), scope() | {"query_string": b"\xff"}, b"")
    assert start["status"] == 400
