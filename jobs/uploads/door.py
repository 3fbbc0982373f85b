"""The one-shot upload door, `POST /api/v1/upload`: a form streamed to disk beside Django, in flat memory.

Django reads a whole body before any view runs, and a cut would lose it; here the owner and the size are checked before
the body is read, and the file is never in memory. The field `csrfmiddlewaretoken` stands before the file.
Under one `Idempotency-Key` a person makes one recording, however often the request is sent.
"""

import logging

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError

from jobs.errors import BadUpload, JobError
from jobs.models import Job
from jobs.services import repeats
from jobs.uploads import answers, store
from jobs.uploads.access import Authenticate, from_our_site, not_ours, request_of, upload_id_of, who, with_our_token
from jobs.uploads.form import FormReader
from jobs.uploads.intake import FORM_BYTES, Admission, Intake, receive_form
from jobs.uploads.refusals import Unavailable, WrongMethod
from jobs.uploads.threads import in_thread
from jobs.uploads.wire import Body, ClientGone, Receive, Scope, Send, answer, as_json, declared_length, problem

logger = logging.getLogger(__name__)


class UploadDoor:
    """An ASGI application. `authenticate` verifies bearer tokens; without it only sessions are known."""

    def __init__(self, authenticate: Authenticate | None = None) -> None:
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive, settings.BODY_SILENCE_SECONDS)
        try:
            request = request_of(scope)
        except UnicodeDecodeError:  # a query string that is not text
            bad = BadUpload("This address cannot be read. Correct it and send the request again.")
            return await answer(send, 400, as_json(problem(scope, bad)), body=body)
        try:
            await self._serve(scope, request, body, send)
        except ClientGone:
            logger.info("An upload was cut off by its client.")

    async def _serve(self, scope: Scope, request: ASGIRequest, body: Body, send: Send) -> None:
        try:
            job = await self._take(scope, request, body)
        except JobError as error:
            logger.info("An upload was refused: %s", error.code)
            return await answers.refused(send, request, error, body)
        except DatabaseError:
            logger.exception("An upload failed.")
            sorry = Unavailable("The server cannot store recordings right now. Try again in a minute.")
            return await answers.refused(send, request, sorry, body)
        logger.info("Job %s was uploaded.", job.pk, extra={"job": str(job.pk)})
        await answers.accepted(send, request, job, body)

    async def _take(self, scope: Scope, request: ASGIRequest, body: Body) -> Job:
        admission, reader = await self._admit(scope, request)
        if admission.upload_id is not None:  # asked again: the answer to the first request was lost
            made = await in_thread(repeats.made_before, admission.user.pk, admission.upload_id)
            if made is not None:
                return made
        return await receive_form(body, reader, Intake(admission))

    async def _admit(self, scope: Scope, request: ASGIRequest) -> tuple[Admission, FormReader]:
        """Everything that can be refused before the body is read."""
        if request.method != "POST":
            raise WrongMethod("Send the file with POST.")
        user, by_session = await who(scope, request, self._authenticate)
        reader = FormReader(request.META.get("CONTENT_TYPE", ""))
        length = declared_length(scope)
        if length is not None:
            store.check_size(length - FORM_BYTES)
        if by_session and not from_our_site(request):
            raise not_ours()

        def check_form(token: str | None) -> None:
            if by_session and not with_our_token(request, token):
                raise not_ours()

        if "HTTP_X_CSRFTOKEN" in request.META:
            check_form(None)
        return Admission(user, length, check_form, upload_id=upload_id_of(scope, user)), reader
