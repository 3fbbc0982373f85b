"""Bytes on their way in, apart from any protocol: a row, a file, one writer, and the step to a job.

Everything here blocks (disk, database), so doors call it in threads.
"""

import errno
import hashlib
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from accounts.models import User
from jobs.errors import BadUpload, StorageFull, TooLarge
from jobs.models import Job, Upload
from jobs.services.options import Options
from jobs.services.submit import submit
from jobs.uploads import locks
from jobs.uploads.refusals import Locked, TooManyUploads

_ADMISSION = 0x75706C6F6164  # the advisory lock under which room is given away
MAX_DIGESTS = 256
type _Hash = "hashlib._Hash"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class _Digests:
    """Running SHA-256 of uploads that wait for their next piece. A process that has none reads the file at the end.

    What lies below an offset never changes, so one that fits the size of the file is that of the file.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, tuple[int, _Hash]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, key: UUID, offset: int, digest: _Hash) -> None:
        with self._lock:
            self._kept[key] = (offset, digest)
            while len(self._kept) > MAX_DIGESTS:
                self._kept.popitem(last=False)

    def take(self, key: UUID, offset: int) -> _Hash | None:
        with self._lock:
            at, digest = self._kept.pop(key, (0, None))
        return hashlib.sha256() if offset == 0 else digest if at == offset else None


_digests = _Digests()


class Writer:
    """The one writer of an upload: it holds the lock on the file, the offset and a running digest."""

    def __init__(self, upload: Upload, *, new: bool = False) -> None:
        """Go on at the end of what is there.

        Raises Locked while another process or connection writes, and FileNotFoundError when there is no file (any
        more): it became a job or was removed. Only `new` makes one, or a late request would leave an empty file.
        """
        self.upload = upload
        with _room():
            upload.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(upload.path, os.O_WRONLY | os.O_APPEND | (os.O_CREAT if new else 0), 0o640)
        try:
            if not locks.take(self._file):
                raise _busy()
            locks.check_place(self._file, upload.path)
        except BaseException:
            os.close(self._file)
            raise
        self._busy = threading.Lock()  # a cancelled request closes while a thread may still write
        self.offset = os.fstat(self._file).st_size
        self._digest = _digests.take(upload.pk, self.offset)

    def append(self, data: bytes | bytearray) -> None:
        """Write all of it. Raises TooLarge before the limit is passed and StorageFull when there is no room."""
        check_size(self.offset + len(data))
        rest = memoryview(data)
        with self._busy:
            while rest:
                with _room():
                    written = os.write(self._file, rest)
                if self._digest is not None:
                    self._digest.update(rest[:written])
                self.offset += written
                rest = rest[written:]

    def cut_back(self, offset: int) -> None:
        """Keep the first `offset` bytes alone."""
        os.ftruncate(self._file, offset)
        self.offset, self._digest = offset, None

    def is_wanted(self) -> bool:
        """Whether another connection waits for this upload (`locks.asking`)."""
        return self._file >= 0 and locks.is_asked_for(self._file)

    def sync(self) -> None:
        """Return once the bytes would survive a power cut."""
        with _room():
            os.fsync(self._file)

    def sha256(self) -> str:
        """Of the whole file; read again only when an earlier writer began it."""
        if self._digest is None:
            with self.upload.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Let go of the lock; twice is fine."""
        with self._busy:
            file, self._file = self._file, -1
            if file >= 0:
                if self._digest is not None:
                    _digests.keep(self.upload.pk, self.offset, self._digest)
                os.close(file)


def _busy() -> Locked:
    return Locked("This upload is being written by another connection. Try again in a moment.")


def check_size(size: int) -> None:
    """Raises TooLarge above the operator's limit, which is inclusive."""
    limit = settings.UPLOAD_LIMIT_BYTES
    if size > limit:
        raise TooLarge(
            "The file is larger than %(limit)s bytes, the most that can be uploaded here.", limit=f"{limit:,}"
        )


def begin(owner: User, title: str, length: int | None = None, upload_id: UUID | None = None) -> Writer:
    """A new upload, open for writing. `length` in bytes where the client told it: refused now if there is no room.

    With an id of the client's choice (`jobs.services.repeats`) one that nobody writes any more begins anew; Locked
    while somebody does.
    """
    if upload_id is None:
        return open_new(Upload(owner=owner, title=title, length=length))
    _clear(upload_id)
    try:
        return open_new(Upload(pk=upload_id, owner=owner, title=title, length=length))
    except IntegrityError:  # another request with the key was faster
        raise _busy() from None


def _clear(upload_id: UUID) -> None:
    """Raises Locked while somebody writes it, or is about to remove it."""
    found = Upload.objects.filter(pk=upload_id, job=None).first()
    if found is None:
        return
    try:
        writer = Writer(found)
    except FileNotFoundError:
        discard(found)
        return
    try:
        discard(found)  # while its file is locked: whoever begins anew meanwhile would lose the new one
    finally:
        writer.close()


def open_new(upload: Upload) -> Writer:
    """Store the row of a new upload and open its file. Raises StorageFull and TooManyUploads, see `_admit`."""
    upload.expires_at = next_expiry()
    writer: Writer | None = None
    try:
        # Nobody sees the row before its file is locked: a row without a file is given up by who comes next (`_clear`).
        with transaction.atomic():
            _admit(upload)
            upload.save(force_insert=True)
            writer = Writer(upload, new=True)
    except FileNotFoundError:  # who gave up the one before took the file away while we opened it
        raise _busy() from None
    except BaseException:
        if writer is not None:
            upload.path.unlink(missing_ok=True)
            writer.close()
        raise
    return writer


def next_expiry() -> datetime:
    """When an upload is given up that nobody goes on with from now on."""
    return timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRY_SECONDS)


def complete(writer: Writer, options: Options) -> Job:
    """Flush and make the job. Raises BadUpload for an empty file; the caller discards what was refused."""
    if writer.offset == 0:
        raise BadUpload("The file is empty. Choose another one.", code="empty")
    writer.sync()
    Upload.objects.filter(pk=writer.upload.pk).update(offset=writer.offset, length=writer.offset)
    return submit(writer.upload.pk, sha256=writer.sha256(), options=options)


def discard(upload: Upload) -> None:
    """Remove an unfinished upload: row and file. One that became a job meanwhile keeps its recording."""
    try:
        Upload.objects.filter(pk=upload.pk, job=None).delete()
    finally:
        with suppress(OSError):
            upload.path.unlink(missing_ok=True)


def size_of(upload: Upload) -> int | None:
    """Bytes on disk right now; None when the file became a job or was removed a moment ago."""
    try:
        return upload.path.stat().st_size
    except FileNotFoundError:
        return None


def unfinished() -> models.QuerySet[Upload]:
    """The uploads that somebody may still go on with."""
    return Upload.objects.filter(job=None, expires_at__gt=timezone.now())


def _admit(upload: Upload) -> None:
    """One at a time: uploads that each fit, but not together, must not all be let in.

    Raises TooManyUploads, and StorageFull when its length does not fit beside what the unfinished ones were promised.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ADMISSION])
    limit = settings.UPLOADS_UNFINISHED_LIMIT
    if unfinished().filter(owner=upload.owner).count() >= limit:
        raise TooManyUploads(
            "You have %(count)s unfinished uploads, no more are kept. Finish or cancel one first.", count=limit
        )
    root = Path(settings.MEDIA_ROOT)
    with _room():
        root.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(root).free < (upload.length or 0) + _promised():
        raise _no_room()


def _promised() -> int:
    """Bytes that unfinished uploads have still to bring."""
    return sum(max(0, (row.length or 0) - (size_of(row) or 0)) for row in unfinished().exclude(length=None))


def _no_room() -> StorageFull:
    return StorageFull("The server has no room for this file, so nothing was kept. Try again later.")


@contextmanager
def _room() -> Iterator[None]:
    """A full disk, a quota and a file size limit are one and the same to the person who uploads."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _no_room() from error
        raise
