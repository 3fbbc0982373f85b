"""Live pages through the whole application: who gets in, what comes first, and that the last state always arrives."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.db import transaction
from django.test import Client

from accounts.models import Session, User
from jobs import following, partials, sockets
from jobs.live import announce, hub
from jobs.models import Job, Run, Segment, Window, Worker
from jobs.readings import read_fragments, read_lists
from jobs.services.begin import begin
from jobs.services.finish import finish
from transcribe.asgi import application
from transcribe.serving import Communicator

pytestmark = pytest.mark.django_db(transaction=True)
in_thread = database_sync_to_async
OURS = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
async def _listener() -> AsyncIterator[None]:
    yield
    await hub().stop()


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    return make_job(alice)


@pytest.fixture
def cookie(alice: User) -> str:
    return sign_in(alice)


def sign_in(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


class Page:
    """A browser's end of a socket. Channels' own communicator keeps database connections from being closed."""

    def __init__(self, path: str, cookie: str = "", origin: str | None = OURS) -> None:
        headers = {"host": "127.0.0.1:8000", "cookie": cookie, "origin": origin}
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
            "subprotocols": [],
        }
        self._application = Communicator(application, scope)

    async def refusal(self) -> int:
        """The code of a handshake that is refused."""
        await self._application.send_input({"type": "websocket.connect"})
        return await self.closing_code()

    async def open(self) -> None:
        await self._application.send_input({"type": "websocket.connect"})
        assert (await self._application.receive_output(10))["type"] == "websocket.accept"

    async def message(self) -> str:
        found = await self._application.receive_output(10)
        assert found["type"] == "websocket.send"
        text: str = found["text"]
        return text

    async def say(self, text: str) -> None:
        await self._application.send_input({"type": "websocket.receive", "text": text})

    async def stays_silent(self, seconds: float) -> bool:
        silent: bool = await self._application.receive_nothing(seconds)
        return silent

    async def closing_code(self) -> int:
        message = await self._application.receive_output(10)
        assert message["type"] == "websocket.close"
        code: int = message["code"]
        return code

    async def leave(self) -> None:
        await self._application.send_input({"type": "websocket.disconnect", "code": 1001})
        await self._application.wait(10)


@asynccontextmanager
async def opened(path: str, cookie: str) -> AsyncIterator[Page]:
    page = Page(path, cookie)
    await page.open()
    try:
        yield page
    finally:
        await page.leave()


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "http://127.0.0.1:9", "https://127.0.0.1:8000", "null", None]
)
async def test_pages_of_other_sites_get_no_socket(cookie: str, origin: str | None) -> None:
    assert await Page("/live/", cookie, origin).refusal() == 4403


async def test_nobody_gets_no_socket(job: Job) -> None:
    assert await Page("/live/").refusal() == 4401
    assert await Page(f"/live/{job.pk}/", "sessionid=guessed").refusal() == 4401


async def test_a_strangers_job_is_not_there(job: Job, bob: User) -> None:
    cookie = await in_thread(sign_in)(bob)
    assert await Page(f"/live/{job.pk}/", cookie).refusal() == 4404
    assert await Page(f"/live/{uuid4()}/", cookie).refusal() == 4404


async def test_unknown_addresses_are_refused(cookie: str) -> None:
    assert await Page("/live/everything/", cookie).refusal() == 4404


async def test_the_first_message_of_a_list_is_a_snapshot_of_ones_own(
    job: Job, bob: User, make_job: Callable[..., Job], cookie: str
) -> None:
    foreign = await in_thread(make_job)(bob, title="secret.mp3")
    async with opened("/live/", cookie) as page:
        snapshot = await page.message()
        assert f'id="job-{job.pk}"' in snapshot
        assert "hx-swap-oob" in snapshot
        await in_thread(announce)(foreign.pk)
        assert await page.stays_silent(0.8)
    assert "secret" not in snapshot


def test_a_snapshot_of_many_costs_as_many_queries_as_of_one(
    alice: User, make_job: Callable[..., Job], make_worker: Callable[..., Worker], django_assert_num_queries: Any
) -> None:
    make_worker()
    for state in ("queued", "running", "failed") * 3:
        make_job(alice, state=state)
    with django_assert_num_queries(1 + 1 + 7):  # which; the recordings; progress of those that are open
        listed = read_lists([alice])[alice]
        assert len(read_fragments([(job_id, "row", "en") for job_id in listed])) == 9


async def test_a_list_shows_a_change_and_a_deletion(job: Job, cookie: str) -> None:
    async with opened("/live/", cookie) as page:
        await page.message()
        await in_thread(begin)(job.current_run_id, attempt=1, worker="here")
        assert 'data-state="running"' in await page.message()
        await in_thread(announce_and_delete)(job)
        assert f'<li id="job-{job.pk}" hx-swap-oob="delete">' in await page.message()


async def test_a_job_page_gets_its_state_and_only_new_segments(job: Job, cookie: str) -> None:
    async with opened(f"/live/{job.pk}/", cookie) as page:
        snapshot = await page.message()
        assert 'id="status"' in snapshot
        assert 'data-state="queued"' in snapshot
        await in_thread(hear)(job, "first words")
        assert "first words" in await page.message()
        await in_thread(hear)(job, "second words")
        later = await page.message()
    assert "second words" in later
    assert "first words" not in later


@pytest.mark.parametrize("path", ["/live/", "/live/{job}/"])
async def test_a_place_in_the_queue_moves_with_other_peoples_recordings(
    path: str,
    alice: User,
    bob: User,
    make_job: Callable[..., Job],
    make_worker: Callable[..., Worker],
    cookie: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "QUEUE_SECONDS", 0.1)
    before = await in_thread(make_job)(bob)
    waiting = await in_thread(make_job)(alice)
    async with opened(path.format(job=waiting.pk), cookie) as page:
        assert "no worker is running" in (await page.message()).lower()
        await in_thread(make_worker)()
        assert "1 before it" in await page.message()
        await in_thread(begin)(before.current_run_id, attempt=1, worker="here")
        assert "next in line" in await page.message()
        assert await page.stays_silent(1.5)  # looked at again, and it has not moved


async def test_a_page_that_comes_back_gets_all_of_it_again(job: Job, cookie: str) -> None:
    await in_thread(hear)(job, "first words")
    for _ in range(2):
        async with opened(f"/live/{job.pk}/", cookie) as page:
            assert "first words" in await page.message()


async def test_the_last_state_arrives_under_a_burst_at_two_messages_a_second(job: Job, cookie: str) -> None:
    run_id = job.current_run_id
    assert run_id is not None

    def burst() -> None:
        begin(run_id, attempt=1, worker="here")
        for _ in range(300):
            announce(job.pk)
        finish(run_id, attempt=1, worker="here")

    async with opened(f"/live/{job.pk}/", cookie) as page:
        began, messages = time.monotonic(), [await page.message()]
        await in_thread(burst)()
        while 'data-state="succeeded" data-player' not in messages[-1]:  # of the head: history has states of its own
            messages.append(await page.message())
        assert len(messages) <= 1 + math.ceil((time.monotonic() - began) / following.PAUSE_SECONDS)
        assert await page.stays_silent(0.8)


async def test_a_page_whose_job_is_deleted_is_closed(job: Job, cookie: str) -> None:
    async with opened(f"/live/{job.pk}/", cookie) as page:
        await page.message()
        await in_thread(announce_and_delete)(job)
        assert await page.closing_code() == 4404


@pytest.mark.parametrize("ending", ["signed out", "disabled"])
async def test_a_socket_ends_with_the_session(
    job: Job, alice: User, cookie: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECHECK_SECONDS", 0.1)
    async with opened(f"/live/{job.pk}/", cookie) as page:
        await page.message()
        if ending == "disabled":
            await in_thread(User.objects.filter(pk=alice.pk).update)(is_active=False)
        else:
            await in_thread(Session.objects.all().delete)()
        assert await page.closing_code() == 4401


async def test_what_a_browser_says_means_nothing_and_a_flood_ends_the_socket(job: Job, cookie: str) -> None:
    async with opened(f"/live/{job.pk}/", cookie) as page:
        await page.message()
        await page.say('{"job": "another"}')
        assert await page.stays_silent(0.1)
        await page.say("x" * (sockets.MESSAGE_LIMIT + 1))
        assert await page.closing_code() == 1009


async def test_many_small_messages_are_a_flood_too(job: Job, cookie: str) -> None:
    async with opened(f"/live/{job.pk}/", cookie) as page:
        await page.message()
        for _ in range(sockets.MESSAGES_A_MINUTE + 1):
            await page.say("{}")
        assert await page.closing_code() == 1008


async def test_each_message_is_for_those_who_may_see_the_recording_now(job: Job, bob: User, cookie: str) -> None:
    """The fragment is there, rendered for the pages of its new owner; the old ones get none of it."""
    async with opened("/live/", cookie) as board, opened(f"/live/{job.pk}/", cookie) as page:
        await board.message()
        await page.message()
        await in_thread(give_away)(job, bob)
        assert await page.closing_code() == 4404
        hub()._resync()
        assert await board.message() == f'<li id="job-{job.pk}" hx-swap-oob="delete"></li>'


async def test_pages_of_one_recording_are_rendered_once(job: Job, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    render = partials.render_head

    def counted(row: partials.Row) -> str:
        rendered.append(render(row))
        return rendered[-1]

    monkeypatch.setattr(partials, "render_head", counted)
    async with AsyncExitStack() as open_pages:
        pages = [await open_pages.enter_async_context(opened(f"/live/{job.pk}/", cookie)) for _ in range(10)]
        for page in pages:
            await page.message()
        await asyncio.sleep(following.PAUSE_SECONDS)
        rendered.clear()
        await in_thread(hear)(job, "first words")
        assert ["first words" in await page.message() for page in pages] == [True] * 10
    assert len(rendered) <= 2  # the listener may tell the first of them before the last


async def test_a_person_has_so_many_sockets_and_no_more(
    alice: User, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FOLLOWED_BY_EACH_USER", 2)
    async with opened("/live/", cookie), opened("/live/", cookie):
        assert await Page("/live/", cookie).refusal() == 4429
    async with opened("/live/", cookie):
        pass


def hear(job: Job, text: str) -> None:
    """One more window of the current run, done."""
    run = Run.objects.get(job=job)
    index = run.windows.count()
    window = Window.objects.create(run=run, index=index, span=0, batch=index, start=index, end=index + 1)
    Segment.objects.create(run=run, window=window, index=0, start=index, end=index + 1, text=text)
    announce(job.pk)


def give_away(job: Job, owner: User) -> None:
    Job.objects.filter(pk=job.pk).update(owner=owner)
    announce(job.pk)


def announce_and_delete(job: Job) -> None:
    with transaction.atomic():
        announce(job.pk)
        Job.objects.filter(pk=job.pk).update(current_run=None)
        Job.objects.filter(pk=job.pk).delete()


def sign_out(cookie: str) -> None:
    client = Client(headers={"cookie": cookie})
    assert client.post("/sign-out/").status_code == 302


async def test_signing_out_closes_the_pages_of_that_session_at_once(
    alice: User, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECHECK_SECONDS", 600.0)
    elsewhere = await in_thread(sign_in)(alice)
    async with opened("/live/", elsewhere) as other:
        page = Page("/live/", cookie)
        await page.open()
        await in_thread(sign_out)(cookie)
        assert await page.closing_code() == 4401
        assert await other.stays_silent(0.5)
