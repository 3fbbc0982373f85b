"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: the one-shot upload door, and an answer with the text.

The client waits until the run has ended, at most OPENAI_WAIT_SECONDS; one that leaves before finds the recording on its
pages. `x-should-retry: false` goes with every refusal that another try would only repeat: their clients send the whole
recording again after any 5xx.
"""

import asyncio
import json
import logging
from collections.abc import Mapping

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from jobs.errors import BadUpload, Conflict, JobError, NotFound
from jobs.models import Job, Run
from jobs.openai.answers import Content, answer_of, as_json, refusal, text_of
from jobs.openai.request import Asked, asked, options_of
from jobs.openai.waiting import Look, looks
from jobs.services.options import Options
from jobs.states import RunState
from jobs.uploads import store
from jobs.uploads.access import Authenticate, request_of, who
from jobs.uploads.form import FormReader
from jobs.uploads.intake import FORM_BYTES, Admission, Intake, receive_form
from jobs.uploads.refusals import NotSignedIn, Unavailable, WrongMethod
from jobs.uploads.wire import Body, ClientGone, Headers, Receive, Scope, Send, answer, declared_length, header

NO_RETRY: Headers = [(b"x-should-retry", b"false")]
logger = logging.getLogger(__name__)


class StillRunning(JobError):
    """The answer would come too late for most clients; the work goes on."""

    code, status = "still_running", 504


class NotTranscribed(JobError):
    """The run ended without a transcript."""

    code, status = "failed", 422


class AudioDoor:
    """An ASGI application. `task`: transcribe or translate; `authenticate` verifies bearer tokens, the only way in."""

    def __init__(self, task: str, authenticate: Authenticate) -> None:
        self._task, self._authenticate = task, authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive, settings.BODY_SILENCE_SECONDS)
        try:
            job, wanted = await self._take(scope, body)
            await _Answer(job, wanted, body, send).give()
        except ClientGone:
            logger.info("A client left before its transcript was done.")
        except JobError as error:
            logger.info("An upload was refused: %s", error.code)
            await answer(send, error.status, as_json(refusal(error)), NO_RETRY, body=body)
        except UnicodeDecodeError:  # a query string that is not text
            bad = BadUpload("This address cannot be read. Correct it and send the request again.")
            await answer(send, 400, as_json(refusal(bad)), NO_RETRY, body=body)
        except DatabaseError:
            logger.exception("An upload failed.")
            sorry = Unavailable("The server cannot store recordings right now. Try again in a minute.")
            await answer(send, sorry.status, as_json(refusal(sorry)), body=body)

    async def _take(self, scope: Scope, body: Body) -> tuple[Job, Asked]:
        """The recording, whole and queued. All that can be refused is refused before its bytes are kept."""
        if scope["method"] != "POST":
            raise WrongMethod("Send the file with POST.")
        if header(scope, b"authorization") is None:
            raise NotSignedIn("Send a personal token as the API key. Make one on your account page.")
        user, _ = await who(scope, request_of(scope), self._authenticate)
        reader = FormReader((header(scope, b"content-type") or b"").decode("latin-1"))
        length = declared_length(scope)
        if length is not None:
            store.check_size(length - FORM_BYTES)
        intake = Intake(Admission(user, length, _no_form_of_ours, self._read))
        job = await receive_form(body, reader, intake)
        logger.info("Job %s was uploaded.", job.pk, extra={"job": str(job.pk)})
        return job, asked(intake.fields, self._task)

    def _read(self, fields: Mapping[str, str]) -> Options:
        asked(fields, self._task)
        return options_of(fields, self._task)


class _Answer:
    """Waits for the run beside a client that may leave."""

    def __init__(self, job: Job, wanted: Asked, body: Body, send: Send) -> None:
        self._job, self._wanted, self._body, self._send = job, wanted, body, send

    async def give(self) -> None:
        limit = None if self._wanted.stream else settings.OPENAI_WAIT_SECONDS
        left = asyncio.ensure_future(self._left())
        work = asyncio.ensure_future(self._stream() if self._wanted.stream else self._whole())
        try:
            done, _ = await asyncio.wait({left, work}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            work.cancel()
            await asyncio.gather(left, work, return_exceptions=True)
        if work in done:
            return work.result()
        if left in done:
            raise ClientGone
        raise StillRunning(
            "The recording is still being transcribed after %(seconds)s seconds, and that goes on. "
            "Fetch the text at /api/v1/jobs/%(job)s/download.",
            seconds=limit,
            job=self._job.pk,
        )

    async def _left(self) -> None:
        while (await self._body.receive())["type"] != "http.disconnect":
            pass

    async def _whole(self) -> None:
        async for look in looks(self._job.pk, with_text=False):
            last = look
        content: Content = await database_sync_to_async(answer_of, thread_sensitive=False)(
            _transcribed(last), self._wanted
        )
        await answer(self._send, 200, content)

    async def _stream(self) -> None:
        """Server-sent events; the first bytes go out at once, so that nobody in between thinks it hangs."""
        head = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await self._send({"type": "http.response.start", "status": 200, "headers": head})
        await self._piece(b": the recording is queued\n\n")
        between = ""
        async for look in looks(self._job.pk, with_text=True):
            for segment in look.fresh:
                await self._event({"type": "transcript.text.delta", "delta": between + segment.text.strip()})
                between = " "
        try:
            text = await database_sync_to_async(text_of, thread_sensitive=False)(_transcribed(look))
            await self._event({"type": "transcript.text.done", "text": text})
        except JobError as error:
            await self._event({"type": "error", **refusal(error)})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _event(self, content: dict[str, object]) -> None:
        await self._piece(b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n")

    async def _piece(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


def _transcribed(look: Look) -> Run:
    """The run of the last look; raises what explains why there is no text."""
    if look.run is None:
        raise NotFound("The recording was deleted while it was transcribed.")
    if look.run.state == RunState.CANCELLED:
        raise Conflict("The transcription was cancelled.", code="cancelled")
    if look.run.state == RunState.FAILED:
        raise NotTranscribed(look.run.detail or "The recording could not be transcribed.", code=look.run.reason)
    return look.run


def _no_form_of_ours(_token: str | None) -> None:
    """A bearer token is nothing another site could ride on."""
