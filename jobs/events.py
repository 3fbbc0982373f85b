"""`GET /api/v1/jobs/<id>/events`: the states of a recording for scripts, as server-sent events.

Each event is named `state`, has the recording's revision as its id, and all of the state as JSON: a script that
connects again needs nothing of what it heard before. The first is the state as it is, the stream ends behind a final
one. When the recording is deleted, or the session or token ends, it just ends: connecting again is answered with why.
"""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.db.models import Count

from accounts.grants import TokenError
from accounts.models import User
from accounts.signed_in import users_of
from jobs import following
from jobs.errors import BadUpload, JobError, NotFound
from jobs.following import Follower
from jobs.live import Watch, hub, job_group
from jobs.models import Job, Segment
from jobs.partials import Row, rows
from jobs.readings import NOTHING, Mark
from jobs.states import FINAL
from jobs.uploads.access import Authenticate, request_of
from jobs.uploads.refusals import NotSignedIn, Unavailable, WrongMethod
from jobs.uploads.wire import Headers, Receive, Scope, Send, answer, as_json, header, problem

HEARTBEAT_SECONDS = 15.0  # proxies close what is silent
SEND_SECONDS = 60.0  # a script that takes nothing for so long is dropped
HEADERS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back
    (b"x-content-type-options", b"nosniff"),
]

logger = logging.getLogger(__name__)


class TooMany(JobError):
    """This person follows as much as one person may."""

    code, status = "too_many", 429


class Refused(JobError):
    """A token that does not open this door."""

    def __init__(self, error: TokenError) -> None:
        super().__init__(error.sentence, error.code, **error.values)
        self.status = error.status


@dataclass(frozen=True)
class Told:
    """A recording and how many segments it has so far."""

    row: Row
    segments: int


class JobEvents:
    """A recording as events. `ended`: what was rendered last is final."""

    def __init__(self, job_id: UUID) -> None:
        self._job_id = job_id
        self._sent: Mark = NOTHING
        self.ended = False

    def group(self, user: User) -> str:
        return job_group(self._job_id)

    def queued(self) -> frozenset[UUID]:
        return frozenset() if self._sent[1] is None else frozenset({self._job_id})

    async def render(self, user: User, language: str, changed: frozenset[UUID] | None, since: float) -> str:
        """The state, if it is another than the one before. Raises NotFound."""
        told = (await hub().desk(read_states).ask([self._job_id], since)).get(self._job_id)
        if told is None or not told.row.job.may_be_seen_by(user):
            raise NotFound("This recording is not there.")
        mark = told.row.job.revision, told.row.progress.place
        if mark == self._sent or mark[0] < self._sent[0]:
            return ""
        self._sent = mark
        self.ended = told.row.run is None or told.row.run.state in FINAL
        return f"id: {mark[0]}\nevent: state\ndata: {json.dumps(state_of(told))}\n\n"


class EventsDoor:
    """An ASGI application. `authenticate` verifies bearer tokens; without it only sessions are known."""

    def __init__(self, authenticate: Authenticate | None = None) -> None:
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._serve(scope, receive, send)
        except JobError as error:
            logger.info("Events were refused: %s", error.code)
            await answer(send, error.status, as_json(problem(scope, error)), _hints(error.status))
        except UnicodeDecodeError:  # a query string that is not text
            bad = BadUpload("This address cannot be read. Correct it and send the request again.")
            await answer(send, 400, as_json(problem(scope, bad)))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises JobError before anything was sent."""
        if scope["method"] != "GET":
            raise WrongMethod("Ask for events with GET.")
        user = await self._person(scope)
        if following.too_many(user):
            raise TooMany("You follow too many recordings at once. Close one of the connections, then try again.")
        page = JobEvents(scope["url_route"]["kwargs"]["job_id"])
        follower = Follower(page, user, settings.LANGUAGE_CODE)
        with suppress(OSError), following.counted(user), hub().watching(page.group(user)) as watch:
            try:
                snapshot = await follower.snapshot()
            except Error:
                raise _unavailable() from None
            stream = Stream(send)
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await stream.say(f"retry: 2000\n\n{snapshot}")
            await following.first(
                stream.tell(page, follower, watch),
                stream.beat(),
                follower.until_nobody(lambda: self._still(scope)),
                _left(receive),
            )
            await stream.end()

    async def _person(self, scope: Scope) -> User:
        """Raises JobError."""
        try:
            user = await self._who(scope)
        except TokenError as error:
            raise Refused(error) from error
        except Error:
            raise _unavailable() from None
        if user is None:
            raise NotSignedIn("Sign in, or send an access token, to follow a recording.")
        return user

    async def _still(self, scope: Scope) -> User | None:
        try:
            return await self._who(scope)
        except TokenError:
            return None

    async def _who(self, scope: Scope) -> User | None:
        if header(scope, b"authorization") is not None:
            return await self._authenticate(scope) if self._authenticate else None
        key = request_of(scope).COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        return (await hub().desk(users_of).ask([key], time.monotonic())).get(key)


class Stream:
    """The open answer."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def tell(self, page: JobEvents, follower: Follower, watch: Watch) -> None:
        """Every change, until a final one or until the recording is gone."""
        with suppress(NotFound):
            while not page.ended:
                await asyncio.sleep(following.PAUSE_SECONDS)
                await self.say(await follower.news(watch))

    async def beat(self) -> None:
        """A comment now and then: it says that the connection lives, to both ends of it."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self.say(": still here\n\n")

    async def say(self, text: str) -> None:
        """Raises TimeoutError, which is an OSError, when nothing is taken for too long."""
        async with asyncio.timeout(SEND_SECONDS):
            await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def end(self) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def read_states(asked: Sequence[UUID]) -> dict[UUID, Told]:
    """In nine queries at most."""
    found = rows(list(Job.objects.filter(pk__in=asked).select_related("current_run")))
    runs = [row.run.pk for row in found if row.run]
    stored = Segment.objects.filter(run__in=runs).order_by().values_list("run").annotate(Count("pk"))
    counts = dict(stored)
    return {row.job.pk: Told(row, counts.get(row.run.pk, 0) if row.run else 0) for row in found}


def state_of(told: Told) -> dict[str, object]:
    """What scripts are told. Seconds are of time; `place` is 1 for the next one in the queue."""
    run, progress = told.row.run, told.row.progress
    return {
        "id": str(told.row.job.pk),
        "state": run.state if run else None,
        "stage": run.stage if run else "",
        "percent": progress.percent,
        "seconds_left": progress.left,
        "place": progress.place,
        "segments": told.segments,
        "reason": run.reason if run else "",
        "detail": run.detail if run else "",
    }


async def _left(receive: Receive) -> None:
    """Until the script is gone; a body, which it should not have sent, is not kept."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _hints(status: int) -> Headers:
    hints: dict[int, Headers] = {
        405: [(b"allow", b"GET")],
        503: [(b"retry-after", b"5")],
    }
    return hints.get(status, [])


def _unavailable() -> Unavailable:
    return Unavailable("The server cannot look up recordings right now. Try again in a minute.")
