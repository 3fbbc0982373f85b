"""One form on its way in: its fields in memory, its one file to disk, and nothing left behind unless it is whole."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from channels.db import database_sync_to_async

from accounts.models import User
from jobs.errors import BadUpload
from jobs.models import Job
from jobs.services.options import Options, read_options
from jobs.uploads import store
from jobs.uploads.form import Event, FormReader, PartData, PartEnd, PartStart
from jobs.uploads.titles import title_of
from jobs.uploads.wire import Body

FILE_FIELD = "file"
MAX_FIELD_BYTES = 8 << 10
FORM_BYTES = 1 << 20  # what the form around a file of the largest size may add
WRITE_BYTES = 1 << 20  # collected before a thread is asked to write


@dataclass(frozen=True)
class Admission:
    """Who uploads; `check_form` raises when the fields before the file do not prove that the form is ours."""

    user: User
    length: int | None  # of the whole body, bytes
    check_form: Callable[[str | None], None]
    read: Callable[[Mapping[str, str]], Options] = read_options  # the run's options from the form's fields; may block


async def receive_form(body: Body, reader: FormReader, intake: "Intake") -> Job:
    """Read the body into the store and make the job of it. Raises JobError and ClientGone; then nothing is kept."""
    try:
        while (piece := await body.next()) is not None:
            store.check_size(body.read - FORM_BYTES)  # whatever the bytes are: fields, file, or after the end
            for event in reader.feed(piece):
                await intake.take(event)
        if not reader.finished:
            raise BadUpload("The upload ended before the file was complete. Send it again.")
        return await intake.complete()
    finally:
        await intake.abandon()


class Intake:
    """Takes the events of a form. After `complete` or `abandon` it holds nothing."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.fields: dict[str, str] = {}
        self._part = PartStart("", "")
        self._pending = bytearray()
        self._writer: store.Writer | None = None
        self._options: tuple[dict[str, str], Options] = {}, Options()  # as asked for, and as read from that

    async def take(self, event: Event) -> None:
        """Raises JobError for what cannot be used."""
        match event:
            case PartStart():
                await self._start(event)
            case PartData(data):
                await self._data(data)
            case PartEnd():
                await self._end()

    async def complete(self) -> Job:
        """The form is whole: flush the file and make the job. Raises BadUpload without a file in it."""
        if self._writer is None:
            raise BadUpload("There is no file in the form. Choose a recording first.", code="no_file")
        options = await self._read_options()
        job: Job = await database_sync_to_async(store.complete, thread_sensitive=False)(self._writer, options)
        self._writer.close()
        self._writer = None
        return job

    async def abandon(self) -> None:
        """Remove what was kept so far. Does nothing after `complete`."""
        self._pending.clear()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            await database_sync_to_async(store.discard, thread_sensitive=False)(writer.upload)

    @property
    def _in_file(self) -> bool:
        return self._part.name == FILE_FIELD and self._part.file_name != ""  # empty: no file was chosen

    async def _start(self, part: PartStart) -> None:
        self._part = part
        if not self._in_file:
            return
        if self._writer is not None:
            raise BadUpload("There is more than one file in the form. Send one at a time.", code="two_files")
        self._admission.check_form(self.fields.get("csrfmiddlewaretoken"))
        await self._read_options()
        begin = database_sync_to_async(store.begin, thread_sensitive=False)
        self._writer = await begin(self._admission.user, title_of(part.file_name), self._admission.length)

    async def _read_options(self) -> Options:
        """Read once, before the file: a model that went away while it travelled is no reason to lose it. Fields after
        the file count too."""
        if self.fields != self._options[0]:
            read = database_sync_to_async(self._admission.read, thread_sensitive=False)
            self._options = self.fields.copy(), await read(self.fields)
        return self._options[1]

    async def _data(self, data: bytes) -> None:
        self._pending += data
        if self._in_file:
            if len(self._pending) >= WRITE_BYTES:
                await self._write()
        elif len(self._pending) > MAX_FIELD_BYTES:
            raise BadUpload("A field of the form is too long.")

    async def _end(self) -> None:
        if self._in_file:
            await self._write()
        else:
            self.fields[self._part.name] = self._pending.decode(errors="replace")
            self._pending.clear()

    async def _write(self) -> None:
        if self._writer is not None and self._pending:
            data, self._pending = bytes(self._pending), bytearray()
            await asyncio.to_thread(self._writer.append, data)
