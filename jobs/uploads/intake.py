"""One form on its way in: its fields in memory, its one file to disk, and nothing left behind unless it is whole."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from jobs.errors import BadUpload, StorageFull
from jobs.models import Job
from jobs.services.options import Options, read_options
from jobs.uploads import store
from jobs.uploads.form import Event, FormReader, PartData, PartEnd, PartStart
from jobs.uploads.stream import Stream
from jobs.uploads.threads import in_thread
from jobs.uploads.titles import title_of
from jobs.uploads.wire import Body

FILE_FIELD = "file"
MAX_FIELD_BYTES = 8 << 10
FORM_BYTES = 1 << 20  # what the form around a file of the largest size may add


@dataclass(frozen=True)
class Admission:
    """Who uploads; `check_form` raises when the fields before the file do not prove that the form is ours."""

    user: User
    length: int | None  # of the whole body, bytes
    check_form: Callable[[str | None], None]
    read: Callable[[Mapping[str, str]], Options] = read_options  # the run's options from the form's fields; may block
    upload_id: UUID | None = None  # where the request names what it makes, see `jobs.services.repeats`


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
        self._field = bytearray()
        self._writer: store.Writer | None = None
        self._stream: Stream | None = None
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
        job = await in_thread(store.complete, self._writer, options)
        self._writer.close()
        self._writer = None
        return job

    async def abandon(self) -> None:
        """Remove what was kept so far. Does nothing after `complete`."""
        writer, self._writer = self._writer, None
        if writer is not None and self._stream is not None:
            with suppress(StorageFull):
                await self._stream.drop()
            writer.close()
            await in_thread(store.discard, writer.upload)

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
        to, title = self._admission, title_of(part.file_name)
        self._writer = await in_thread(store.begin, to.user, title, to.length, to.upload_id)
        self._stream = Stream(self._writer)

    async def _read_options(self) -> Options:
        """Read once, before the file: a model that went away while it travelled is no reason to lose it. Fields after
        the file count too."""
        if self.fields != self._options[0]:
            self._options = self.fields.copy(), await in_thread(self._admission.read, self.fields)
        return self._options[1]

    async def _data(self, data: bytes) -> None:
        if self._in_file and self._stream is not None:
            return await self._stream.add(data)
        self._field += data
        if len(self._field) > MAX_FIELD_BYTES:
            raise BadUpload("A field of the form is too long.")

    async def _end(self) -> None:
        if self._in_file and self._stream is not None:
            return await self._stream.end()
        name, value = self._part.name, self._field.decode(errors="replace")
        known = self.fields.get(name) if name.endswith("[]") else None  # a list: one part for each of it
        self.fields[name] = value if known is None else f"{known},{value}"
        self._field.clear()
