"""The resumable upload door: tus 1.0.0 with creation, creation-with-upload, termination and expiration.

`/api/v1/uploads/`: POST creates (Upload-Length; Upload-Metadata may name `filename` and options),
GET lists what the person could go on with, as JSON, sizes in bytes:
`[{"id", "url", "title", "length", "offset", "expires_at"}]`.
`/api/v1/uploads/<uuid>`: HEAD, PATCH, DELETE. With the last byte the upload becomes a job, once: the answer to that
PATCH, to a repeated one and to every later HEAD carries the address of the job's page in `X-Job`.
People known by their session send X-CSRFToken with POST, PATCH and DELETE. Refusals are JSON: `{"code", "detail"}`.
"""

import logging
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.utils import translation

from accounts.models import User
from jobs.errors import BadUpload, Conflict, JobError, NotFound, TooLarge
from jobs.models import Upload
from jobs.services.options import read_options
from jobs.uploads import resume, store, tus_headers
from jobs.uploads.access import Authenticate, language_of, not_ours, request_of, upload_id_of, who, with_our_token
from jobs.uploads.receiving import check_offset, hold, receive_into, settle
from jobs.uploads.refusals import Unavailable, WrongMethod, WrongVersion
from jobs.uploads.threads import in_thread
from jobs.uploads.titles import title_of
from jobs.uploads.wire import (
    Body,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    answer,
    as_json,
    declared_length,
    header,
    problem,
)

BASE = "/api/v1/uploads/"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Headers
    content: object = None


class TusDoor:
    """An ASGI application. `authenticate` verifies bearer tokens; without it only sessions are known."""

    def __init__(self, authenticate: Authenticate | None = None) -> None:
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive, settings.BODY_SILENCE_SECONDS)
        try:
            reply = await self._reply(_with_override(scope), body)
        except ClientGone:
            return logger.info("An upload was cut off by its client.")
        content = (b"", b"text/plain") if reply.content is None else as_json(reply.content)
        headers = [(b"tus-resumable", tus_headers.VERSION), *reply.headers]
        await answer(send, reply.status, content, headers, body=body)

    async def _reply(self, scope: Scope, body: Body) -> Reply:
        try:
            if not tus_headers.has_body(scope):
                await body.next()  # the connection can be used again
            return await self._serve(scope, body)
        except JobError as error:
            logger.info("An upload was refused: %s", error.code)
            return _refusal(error, scope)
        except UnicodeDecodeError:  # a query string that is not text
            return Reply(
                400,
                [],
                problem(scope, BadUpload("This address cannot be read. Correct it and send the request again.")),
            )
        except DatabaseError:
            logger.exception("An upload failed.")
            return _refusal(Unavailable("The server cannot store recordings right now. Try again in a minute."), scope)

    async def _serve(self, scope: Scope, body: Body) -> Reply:
        method, name = scope["method"], scope["path"].removeprefix(BASE)
        if method not in _methods(name):
            raise WrongMethod("This is not possible here.")
        if method == "OPTIONS":
            return Reply(204, tus_headers.abilities())
        if method != "GET":
            tus_headers.check_version(scope)
        user = await self._admit(scope)
        match method:
            case "GET":
                return await _list(user)
            case "POST":
                return await _create(user, scope, body)
            case "HEAD":
                return await _tell(user, _key(name))
            case "PATCH":
                return await _append(user, _key(name), scope, body)
            case _:
                return await _remove(user, _key(name))

    async def _admit(self, scope: Scope) -> User:
        request = request_of(scope)
        user, by_session = await who(scope, request, self._authenticate)
        if by_session and not with_our_token(request, None):
            raise not_ours()
        return user


async def _list(user: User) -> Reply:
    found = await in_thread(resume.unfinished, user)
    return Reply(200, [], [_entry(one) for one in found])


async def _create(user: User, scope: Scope, body: Body) -> Reply:
    with_bytes = tus_headers.has_body(scope)
    if with_bytes:
        tus_headers.check_type(scope)
    length = tus_headers.read_length(scope)
    raw, metadata = tus_headers.read_metadata(scope)
    options = (await in_thread(read_options, metadata)).as_json()
    title = title_of(metadata.get("filename") or metadata.get("name") or "")
    upload_id = upload_id_of(scope, user)
    if upload_id is not None and await in_thread(resume.is_known, user, upload_id):
        known = await _tell(user, upload_id)
        return Reply(201, [(b"location", f"{BASE}{upload_id}".encode()), *known.headers])
    upload = Upload(owner=user, title=title, length=length, options=options, metadata=raw, resumable=True)
    upload.pk = upload_id or upload.pk
    _check_rest(scope, length)
    writer = await in_thread(store.open_new, upload)
    try:
        if with_bytes:
            upload = await receive_into(writer, body)
    except TooLarge:
        await _discard(upload)
        raise
    finally:
        writer.close()
    return Reply(201, [(b"location", _address(upload).encode()), *tus_headers.facts(upload)])


async def _tell(user: User, key: UUID) -> Reply:
    async with hold(user, key) as (upload, writer):
        if writer is not None:
            upload = await settle(writer)
    headers = tus_headers.facts(upload)
    if upload.metadata:
        headers.append((b"upload-metadata", upload.metadata.encode()))
    return Reply(200, headers)


async def _append(user: User, key: UUID, scope: Scope, body: Body) -> Reply:
    tus_headers.check_type(scope)
    offset = tus_headers.read_offset(scope)
    async with hold(user, key, offset) as (upload, writer):
        if writer is None:
            await _hear_again(upload, offset, body)
        else:
            check_offset(offset, writer.offset)
            _check_rest(scope, (upload.length or 0) - offset)
            upload = await receive_into(writer, body)
    return Reply(204, tus_headers.facts(upload))


async def _hear_again(upload: Upload, offset: int, body: Body) -> None:
    """The last piece once more, because its answer was lost. Read to the end: the client sends before it listens."""
    rest = (upload.length or 0) - offset
    while await body.next() is not None and body.read <= rest:
        pass
    check_offset(offset + body.read, upload.length or 0)


async def _remove(user: User, key: UUID) -> Reply:
    async with hold(user, key) as (upload, writer):
        if writer is None:
            raise Conflict("This upload is complete. Delete the recording on its page.")
        await _discard(upload)
    return Reply(204, [])


async def _discard(upload: Upload) -> None:
    await in_thread(store.discard, upload)


def _check_rest(scope: Scope, rest: int) -> None:
    """Refuses before a byte is read what cannot fit."""
    if (declared_length(scope) or 0) > rest:
        raise TooLarge("The file is longer than was announced. Upload it again.")


def _with_override(scope: Scope) -> Scope:
    """Some networks let only GET and POST pass; tus lets those clients name the method in a header."""
    override = header(scope, b"x-http-method-override")
    if scope["method"] != "POST" or override is None:
        return scope
    return {**scope, "method": override.decode("latin-1").upper()}


def _key(name: str) -> UUID:
    try:
        key = UUID(name)
    except ValueError:
        key = None
    if key is None or str(key) != name:  # UUID() takes other spellings too
        raise NotFound("There is no such upload. Upload the file again.")
    return key


def _methods(name: str) -> list[str]:
    return ["HEAD", "PATCH", "DELETE", "OPTIONS"] if name else ["GET", "POST", "OPTIONS"]


def _refusal(error: JobError, scope: Scope) -> Reply:
    headers: Headers = []
    if isinstance(error, WrongMethod):
        headers = [(b"allow", ", ".join(_methods(scope["path"].removeprefix(BASE))).encode())]
    elif isinstance(error, WrongVersion):
        headers = [(b"tus-version", tus_headers.VERSION)]
    with translation.override(language_of(scope)):
        return Reply(error.status, headers, problem(scope, error))


def _entry(found: resume.Unfinished) -> dict[str, object]:
    upload = found.upload
    return {
        "id": str(upload.pk),
        "url": _address(upload),
        "title": upload.title,
        "length": upload.length,
        "offset": found.offset,
        "expires_at": upload.expires_at.isoformat(),
    }


def _address(upload: Upload) -> str:
    """Without host: the client resolves it against the address it used, whatever stands in between."""
    return f"{BASE}{upload.pk}"
