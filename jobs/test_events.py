"""A recording's states for scripts: who gets them, what comes first, what comes last, and when the stream ends."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from accounts import personal
from accounts.grants import Grant
from accounts.models import PersonalToken, Session, User
from jobs import events, following
from jobs.live import announce, hub
from jobs.models import Job, Worker
from jobs.services.begin import begin
from jobs.services.finish import finish
from jobs.speaking import speak
from transcribe.asgi import application
from transcribe.serving import Communicator

pytestmark = pytest.mark.django_db(transaction=True)
in_thread = database_sync_to_async


@pytest.fixture(autouse=True)
async def _listener() -> AsyncIterator[None]:
    yield
    await hub().stop()


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    return make_job(alice)


def cookie_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def token_of(user: User, *scopes: str) -> str:
    return f"Bearer {personal.make(user, 'script', frozenset(scopes), 1)[1]}"


@pytest.fixture
def cookie(alice: User) -> str:
    return cookie_of(alice)


class Script:
    """The client's end of a request for events."""

    def __init__(self, job_id: object, method: str = "GET", **headers: str) -> None:
        scope = {
            "type": "http",
            "method": method,
            "path": f"/api/v1/jobs/{job_id}/events",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()],
        }
        self._application = Communicator(application, scope)

    async def open(self) -> dict[str, Any]:
        """The head of the answer."""
        await self._application.send_input({"type": "http.request", "body": b"", "more_body": False})
        found = await self._application.receive_output(10)
        headers = {name.decode().lower(): value.decode() for name, value in found["headers"]}
        return {"status": found["status"], **headers}

    async def part(self) -> str:
        """The next piece; empty at the end."""
        found = await self._application.receive_output(10)
        text: str = found["body"].decode()
        assert found.get("more_body", False) == bool(text)
        return text

    async def event(self) -> dict[str, Any]:
        fields = dict(line.split(": ", 1) for line in (await self.part()).splitlines() if line)
        assert fields["event"] == "state"
        assert int(fields["id"]) >= 0
        found: dict[str, Any] = json.loads(fields["data"])
        return found

    async def refusal(self) -> tuple[int, str]:
        head = await self.open()
        found = await self._application.receive_output(10)
        return head["status"], json.loads(found["body"])["code"]

    async def leave(self) -> None:
        await self._application.send_input({"type": "http.disconnect"})
        await self._application.wait(10)


@asynccontextmanager
async def following_it(job_id: object, **headers: str) -> AsyncIterator[Script]:
    script = Script(job_id, **headers)
    head = await script.open()
    assert (head["status"], head["content-type"]) == (200, "text/event-stream")
    try:
        yield script
    finally:
        await script.leave()


async def test_states_come_as_they_change_and_the_stream_ends_behind_the_last(job: Job, cookie: str) -> None:
    run = job.current_run
    assert run is not None
    async with following_it(job.pk, cookie=cookie) as script:
        first = await script.event()
        assert (first["id"], first["state"], first["segments"]) == (str(job.pk), "queued", 0)
        assert set(first) == {
            "id", "state", "stage", "percent", "seconds_left", "place", "segments", "reason", "detail"
        }  # fmt: skip
        await in_thread(begin)(run.pk, attempt=1, worker="here")
        assert (await script.event())["state"] == "running"
        await in_thread(speak)(run, ["one", "two"])
        await in_thread(announce)(job.pk)
        heard = await script.event()
        assert (heard["percent"], heard["segments"]) == (100, 2)
        await in_thread(finish)(run.pk, attempt=1, worker="here")
        last = await script.event()
        assert (last["state"], last["segments"]) == ("succeeded", 2)
        assert await script.part() == ""


async def test_what_is_over_is_said_once(alice: User, make_job: Callable[..., Job], cookie: str) -> None:
    job = await in_thread(make_job)(alice, state="failed", reason="no_audio", detail="This file has no audio track.")
    async with following_it(job.pk, cookie=cookie) as script:
        told = await script.event()
        assert (told["state"], told["reason"], told["detail"]) == (
            "failed", "no_audio", "This file has no audio track."
        )  # fmt: skip
        assert await script.part() == ""


async def test_strangers_and_staff_find_nothing(job: Job, bob: User, charlie: User) -> None:
    for person in (bob, charlie):
        cookie = await in_thread(cookie_of)(person)
        assert await Script(job.pk, cookie=cookie).refusal() == (404, "not_found")
        assert await Script(uuid4(), cookie=cookie).refusal() == (404, "not_found")
    token = await in_thread(token_of)(bob, Grant.JOBS_READ)
    assert await Script(job.pk, authorization=token).refusal() == (404, "not_found")


async def test_a_token_needs_the_right_to_read(job: Job, alice: User, cookie: str) -> None:
    async with following_it(job.pk, authorization=await in_thread(token_of)(alice, Grant.JOBS_READ)) as script:
        assert (await script.event())["state"] == "queued"
    other = await in_thread(token_of)(alice, Grant.UPLOADS_WRITE)
    assert await Script(job.pk, authorization=other).refusal() == (403, "scope_missing")
    assert await Script(job.pk, authorization="Bearer guessed", cookie=cookie).refusal() == (401, "bad_token")


async def test_nobody_and_wrong_methods_are_refused(job: Job, cookie: str) -> None:
    assert await Script(job.pk).refusal() == (401, "not_signed_in")
    assert (await Script(job.pk).open())["www-authenticate"] == "Bearer"
    assert await Script(job.pk, cookie="sessionid=guessed").refusal() == (401, "not_signed_in")
    assert await Script(job.pk, method="POST", cookie=cookie).refusal() == (405, "wrong_method")


@pytest.mark.parametrize("ending", ["signed out", "disabled", "revoked"])
async def test_a_stream_ends_with_what_opened_it(
    job: Job, alice: User, cookie: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECHECK_SECONDS", 0.1)
    token = await in_thread(token_of)(alice, Grant.JOBS_READ)
    headers = {"authorization": token} if ending == "revoked" else {"cookie": cookie}
    ended = {
        "signed out": Session.objects.all().delete,
        "disabled": lambda: User.objects.filter(pk=alice.pk).update(is_active=False),
        "revoked": lambda: personal.revoke(PersonalToken.objects.get()),
    }
    async with following_it(job.pk, **headers) as script:
        await script.event()
        await in_thread(ended[ending])()
        assert await script.part() == ""


async def test_a_stream_ends_when_the_recording_is_deleted(job: Job, cookie: str) -> None:
    from jobs.services.delete import delete

    async with following_it(job.pk, cookie=cookie) as script:
        await script.event()
        await in_thread(delete)(job)
        assert await script.part() == ""


async def test_silence_is_broken_now_and_then(job: Job, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    async with following_it(job.pk, cookie=cookie) as script:
        await script.event()
        assert [await script.part() for _ in range(2)] == [": still here\n\n"] * 2


async def test_a_person_follows_so_many_and_no_more(job: Job, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FOLLOWED_BY_EACH_USER", 1)
    async with following_it(job.pk, cookie=cookie):
        assert await Script(job.pk, cookie=cookie).refusal() == (429, "too_many")
    async with following_it(job.pk, cookie=cookie):
        pass


def test_many_states_cost_as_many_queries_as_one(
    alice: User, make_job: Callable[..., Job], make_worker: Callable[..., Worker], django_assert_max_num_queries: Any
) -> None:
    make_worker()
    jobs = [make_job(alice, state=state).pk for state in ("queued", "running", "failed") * 3]
    with django_assert_max_num_queries(9):
        assert len(events.read_states(jobs)) == 9
