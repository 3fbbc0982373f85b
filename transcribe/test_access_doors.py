"""Who gets what at the raw ASGI doors and the sockets, through the whole application. One without a row here fails."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from accounts import personal
from accounts.grants import Grant
from accounts.models import User
from jobs.live import hub
from jobs.models import Job, Upload
from jobs.routing import live
from transcribe.access import PEOPLE, misshapen, table
from transcribe.asgi import application
from transcribe.serving import Communicator

pytestmark = pytest.mark.django_db(transaction=True)
CSRF = "0123456789abcdef0123456789abcdef"
FORM = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
END = b"--x--\r\n"


class Door(NamedTuple):
    """A path as the document writes it, and what is sent there."""

    path: str
    method: str
    headers: dict[str, str] = {}
    body: bytes = b""


TUS = {"tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}
RECORDING = FORM % (b"file", b'; filename="talk.mp3"', b"recording")
# Whoever may come in is told of the wrong format, so that nobody waits for a transcript: 400.
ASKED = FORM % (b"response_format", b"", b"none") + RECORDING
DOORS = [
    Door("/api/v1/upload", "POST", MULTIPART, RECORDING + END),
    Door("/api/v1/upload", "GET"),
    Door("/api/v1/uploads/", "GET"),
    Door("/api/v1/uploads/", "OPTIONS"),
    Door("/api/v1/uploads/", "POST", {**TUS, "upload-length": "9"}),
    Door("/api/v1/uploads/{upload_id}", "HEAD", TUS),
    Door("/api/v1/uploads/{upload_id}", "OPTIONS"),
    Door("/api/v1/uploads/{upload_id}", "PATCH", {**TUS, "upload-offset": "0"}, b"record"),
    Door("/api/v1/uploads/{upload_id}", "DELETE", TUS),
    Door("/api/v1/jobs/{job_id}/events", "GET"),
    Door("/api/v1/jobs/{job_id}/events", "POST"),
    Door("/v1/audio/transcriptions", "POST", MULTIPART, ASKED + END),
    Door("/v1/audio/translations", "POST", MULTIPART, ASKED + END),
    Door("/readyz", "GET"),
    Door("/metrics", "GET"),  # for who has its token, or comes from this machine: `watching/test_doors.py`
]
BY_TOKEN = """
# door                           method  anonymous stranger owner disabled staff superuser
/api/v1/upload                   POST    401 201 201 401 201 201
/api/v1/upload                   GET     405 405 405 405 405 405
/api/v1/uploads/                 GET     401 200 200 401 200 200
/api/v1/uploads/                 OPTIONS 204 204 204 204 204 204
/api/v1/uploads/                 POST    401 201 201 401 201 201
/api/v1/uploads/{upload_id}      HEAD    401 404 200 401 404 404
/api/v1/uploads/{upload_id}      OPTIONS 204 204 204 204 204 204
/api/v1/uploads/{upload_id}      PATCH   401 404 204 401 404 404
/api/v1/uploads/{upload_id}      DELETE  401 404 204 401 404 404
/api/v1/jobs/{job_id}/events     GET     401 404 200 401 404 404
/api/v1/jobs/{job_id}/events     POST    405 405 405 405 405 405
/v1/audio/transcriptions         POST    401 400 400 401 400 400
/v1/audio/translations           POST    401 400 400 401 400 400
/readyz                          GET     200 200 200 200 200 200
/metrics                         GET     404 404 404 404 404 404
"""
ONLY_TOKENS = ("/v1/audio/",)
SOCKETS = """
# socket                         method  anonymous stranger owner disabled staff superuser
/live/                           OPEN    4401 open open 4401 open open
/live/{job_id}/                  OPEN    4401 4404 open 4401 4404 4404
/                                OPEN    4404 4404 4404 4404 4404 4404
"""
DOOR_ROWS = table(BY_TOKEN, {})
SOCKET_ROWS = table(SOCKETS, {})


@pytest.fixture(autouse=True)
async def _listener() -> AsyncIterator[None]:
    yield
    await hub().stop()


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    return make_job(alice, state="succeeded")


@pytest.fixture
def people(alice: User, bob: User, charlie: User, job: Job) -> dict[str, User]:
    staff = User.objects.create_user("dora", is_staff=True)
    gone = User.objects.create_user("emil")  # disabled below; owns nothing, but is refused before anything is looked up
    return {"stranger": bob, "owner": alice, "disabled": gone, "staff": staff, "superuser": charlie}


@pytest.fixture
def sessions(people: dict[str, User]) -> dict[str, dict[str, str]]:
    found = {name: {"cookie": _cookie(user), "x-csrftoken": CSRF} for name, user in people.items()}
    _disable(people)
    return found | {"anonymous": {}}


@pytest.fixture
def tokens(people: dict[str, User]) -> dict[str, dict[str, str]]:
    made = {name: personal.make(user, "script", frozenset(Grant), 1)[1] for name, user in people.items()}
    _disable(people)
    return {name: {"authorization": f"Bearer {token}"} for name, token in made.items()} | {"anonymous": {}}


def _cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}; csrftoken={CSRF}"


def _disable(people: dict[str, User]) -> None:
    User.objects.filter(pk=people["disabled"].pk).update(is_active=False)


async def knock(door: Door, headers: dict[str, str], values: Mapping[str, object]) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer; a refusal has its shape, and names the request as its head does."""
    sent = {"host": "127.0.0.1", "content-length": str(len(door.body)), **door.headers, **headers}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": door.method,
        "scheme": "http",
        "path": door.path.format(**values),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    talk = Communicator(application, scope)
    await talk.send_input({"type": "http.request", "body": door.body, "more_body": False})
    start = await talk.receive_output(20)
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    if start["status"] >= 400 and door.method != "HEAD":
        body = (await talk.receive_output(20))["body"]
        assert not misshapen(door.path, body)
        assert door.path.startswith("/v1/") or json.loads(body)["request_id"] == told["x-request-id"]
    await talk.send_input({"type": "http.disconnect"})
    await talk.wait(20)
    return start["status"], told


async def deviations(people: dict[str, dict[str, str]], wanted_of: Callable[[str, str], str], job: Job) -> list[str]:
    found = []
    begin = Door("/api/v1/uploads/", "POST", {**TUS, "upload-length": "9"})
    for door, row in zip(DOORS, DOOR_ROWS, strict=True):
        assert (door.path, door.method) == (f"/{row.route}", row.method)
        for who, cell in zip(PEOPLE, row.cells, strict=True):
            _status, made = await knock(begin, people["owner"], {})
            values = {"job_id": job.pk, "upload_id": made["location"].rpartition("/")[2]}
            status, _headers = await knock(door, people[who], values)
            if str(status) != wanted_of(door.path, cell):
                found.append(f"{door.method} {door.path} {who}: {status}, not {wanted_of(door.path, cell)}")
            if who != "owner":
                kept = await database_sync_to_async(_kept)(values["upload_id"])
                assert kept == b"", (door, who)
    return found


def _kept(upload_id: object) -> bytes:
    return Upload.objects.get(pk=str(upload_id)).path.read_bytes()


async def test_every_cell_by_token(tokens: dict[str, dict[str, str]], job: Job, settings: Any) -> None:
    settings.UPLOADS_UNFINISHED_LIMIT = 1000
    assert await deviations(tokens, lambda _path, cell: cell, job) == []


async def test_every_cell_by_session(sessions: dict[str, dict[str, str]], job: Job, settings: Any) -> None:
    """The same, but at the doors that know tokens alone."""
    settings.UPLOADS_UNFINISHED_LIMIT = 1000
    found = await deviations(sessions, lambda path, cell: "401" if path.startswith(ONLY_TOKENS) else cell, job)
    assert found == []


async def test_every_cell_of_the_sockets(sessions: dict[str, dict[str, str]], job: Job) -> None:
    found = []
    for row in SOCKET_ROWS:
        path = f"/{row.route}".format(job_id=job.pk)
        for who, wanted in zip(PEOPLE, row.cells, strict=True):
            got = await _handshake(path, sessions[who])
            if got != wanted:
                found.append(f"{row.route} {who}: {got}, not {wanted}")
    assert found == []


async def _handshake(path: str, headers: dict[str, str]) -> str:
    """`open`, or the code it is closed with."""
    sent = {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000", **headers}
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "subprotocols": [],
    }
    talk = Communicator(application, scope)
    await talk.send_input({"type": "websocket.connect"})
    answer = await talk.receive_output(20)
    if answer["type"] == "websocket.accept":
        await talk.send_input({"type": "websocket.disconnect", "code": 1001})
    await talk.wait(20)
    return "open" if answer["type"] == "websocket.accept" else str(answer["code"])


def test_every_door_and_socket_has_its_row() -> None:
    stated = {door.path for door in DOORS}
    for path in _doors():
        assert any(each.startswith(path) for each in stated), path
    sockets = {str(route.pattern).replace("<uuid:job_id>", "{job_id}") for route in live.routes}
    assert sockets == {row.route for row in SOCKET_ROWS}


def _doors() -> Iterator[str]:
    """The paths of all applications beside Django, read off the application as it is served."""
    router = application.application_mapping["http"]
    while not hasattr(router, "routes"):
        router = vars(router)["_app"]
    events, others = router.routes
    yield f"/{events.pattern}".replace("<uuid:job_id>", "{job_id}")
    yield from vars(others.callback)["_doors"]


async def test_what_nobody_has_is_like_what_is_not_ours(tokens: dict[str, dict[str, str]], job: Job) -> None:
    for door in DOORS:
        if "{" in door.path and door.method not in ("OPTIONS", "POST"):
            values = {"job_id": uuid4(), "upload_id": uuid4()}
            assert (await knock(door, tokens["owner"], values))[0] == 404, door
