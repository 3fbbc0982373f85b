"""What every answer says about itself, through the whole application; and its name, in refusals and in the log."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from jobs.live import hub
from transcribe.asgi import application
from transcribe.request_id import NamesRequest
from transcribe.serving import Communicator

pytestmark = pytest.mark.django_db(transaction=True)
REQUESTS = {  # every door, opened and refused
    "health": ("GET", "/healthz", 200),
    "a page": ("GET", "/sign-in/", 200),
    "the way to it": ("GET", "/", 302),
    "no page": ("GET", "/nothing/here/", 404),
    "a static file": ("GET", "/static/js/live.js", 200),
    "the brand's sheet": ("GET", "/brand.css", 200),
    "the API's document": ("GET", "/api/v1/openapi.json", 200),
    "the API": ("GET", "/api/v1/jobs", 401),
    "the upload door": ("POST", "/api/v1/upload", 401),
    "the tus door": ("GET", "/api/v1/uploads/", 401),
    "what it can do": ("OPTIONS", "/api/v1/uploads/", 204),
    "the OpenAI door": ("POST", "/v1/audio/transcriptions", 401),
    "the other one": ("POST", "/v1/audio/translations", 401),
    "their models": ("GET", "/v1/models", 401),
    "events": ("GET", f"/api/v1/jobs/{uuid4()}/events", 401),
    "what is too large": ("POST", "/sign-in/", 413),
    "a query that is no text": ("GET", f"/api/v1/jobs/{uuid4()}/events", 400),
    "another one": ("POST", "/v1/audio/translations", 400),
}
SAME_SHAPE = ("the upload door", "the tus door", "events", "what is too large", "the API", "a query that is no text")
NOT_TEXT = ("a query that is no text", "another one")


@pytest.fixture(autouse=True)
async def _listener() -> AsyncIterator[None]:
    yield
    await hub().stop()


async def ask(case: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    method, path, _status = REQUESTS[case]
    sent = {"host": "127.0.0.1", **({"content-length": "999999"} if case == "what is too large" else {}), **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"q=\xff" if case in NOT_TEXT else b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    if case == "another one":
        scope["headers"].append((b"authorization", b"Bearer x"))
    talk = Communicator(application, scope)
    await talk.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await talk.receive_output(20)
    body = b""
    while (piece := await talk.receive_output(20)).get("more_body"):
        body += piece["body"]
    found = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert len({name for name, _ in found if name != "set-cookie"}) == len([n for n, _ in found if n != "set-cookie"])
    return start["status"], dict(found), body + piece.get("body", b"")


@pytest.mark.parametrize("case", REQUESTS)
async def test_every_answer_is_bounded_in_what_a_browser_may_make_of_it(case: str) -> None:
    status, headers, _body = await ask(case)
    assert status == REQUESTS[case][2]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "no-store" in headers["cache-control"] or case in ("a static file", "the brand's sheet")
    assert "strict-transport-security" not in headers  # over plain HTTP it means nothing


async def test_over_tls_browsers_are_told_to_come_back_over_tls(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for case in ("health", "a page", "the upload door", "events", "a static file"):
        _status, headers, _body = await ask(case, **{"x-forwarded-proto": "https"})
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains; preload", case
        _status, headers, _body = await ask(case, **{"x-forwarded-proto": "http"})
        assert "strict-transport-security" not in headers


@pytest.mark.parametrize("case", SAME_SHAPE)
async def test_refusals_of_all_doors_have_one_shape(case: str) -> None:
    _status, headers, body = await ask(case, **{"x-request-id": "a-name-of-the-proxy"})
    said = json.loads(body)
    assert set(said) == {"code", "detail", "request_id"}
    assert said["request_id"] == headers["x-request-id"] == "a-name-of-the-proxy"


@pytest.mark.parametrize("case", ["the upload door", "the tus door", "events", "the OpenAI door", "what is too large"])
async def test_the_log_names_the_request_that_was_refused(case: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(NamesRequest())
    with caplog.at_level(logging.INFO):
        await ask(case, **{"x-request-id": "a-name-of-the-proxy"})
    lines = [vars(record)["request_name"] for record in caplog.records if "refused" in record.message]
    assert lines == [" [a-name-of-the-proxy]"]
