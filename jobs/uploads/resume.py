"""Uploads that a client can go on with, whatever the protocol: found, reopened, written down, listed.

Everything here blocks. The size of the file under its lock is the truth; the row follows it.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import models
from django.utils import timezone

from accounts.models import User
from jobs.errors import Conflict, NotFound
from jobs.models import Upload
from jobs.services.options import stored_options
from jobs.services.repeats import made_before
from jobs.uploads import store
from jobs.uploads.refusals import Expired


@dataclass(frozen=True)
class Unfinished:
    """`offset`: bytes on disk right now."""

    upload: Upload
    offset: int


def find(owner: User, key: UUID) -> Upload:
    """Raises NotFound for what is not there or not this person's, Expired for what waited too long."""
    upload = _resumable(owner).filter(pk=key).first()
    if upload is None:
        raise NotFound("There is no such upload. Upload the file again.")
    if upload.job_id is None and upload.expires_at <= timezone.now():
        raise Expired("This upload was left unfinished for too long. Upload the file again.")
    return upload


def is_known(owner: User, key: UUID) -> bool:
    """Whether an upload has this id that its client chose. One that waited too long makes room for another.

    Raises Conflict where it became a recording so long ago that the upload is forgotten.
    """
    found = Upload.objects.filter(pk=key).first()
    if found is not None and found.job_id is None and found.expires_at <= timezone.now():
        store.discard(found)
        return False
    if found is None and made_before(owner.pk, key) is not None:
        raise Conflict("A recording was made under this key before. Choose another key.", code="key_used")
    return found is not None


def reopen(owner: User, key: UUID) -> tuple[Upload, store.Writer | None]:
    """The upload and its one writer; no writer when it has become a job. Raises Locked, and what `find` raises."""
    upload = find(owner, key)
    if upload.job_id is None:
        try:
            return upload, store.Writer(upload)
        except FileNotFoundError:  # it became a job between the two looks, or its file is lost
            upload = find(owner, key)
            if upload.job_id is None:
                raise NotFound("This upload is no longer there. Upload the file again.") from None
    return upload, None


def settle(writer: store.Writer) -> Upload:
    """Write down what the file holds. Whole, it becomes a job, also when an earlier request died on the way there."""
    upload = writer.upload
    if writer.offset == upload.length:
        upload.job = store.complete(writer, stored_options(upload.options))
    elif writer.offset != upload.offset:
        upload.expires_at = store.next_expiry()  # counted from the last bytes
        if not Upload.objects.filter(pk=upload.pk).update(offset=writer.offset, expires_at=upload.expires_at):
            raise NotFound("This upload is no longer there. Upload the file again.")
    upload.offset = writer.offset
    return upload


def unfinished(owner: User) -> list[Unfinished]:
    """What this person could go on with, newest first."""
    rows = store.unfinished().filter(owner=owner, resumable=True).order_by("-created_at")
    return [Unfinished(row, size) for row in rows if (size := store.size_of(row)) is not None]


def _resumable(owner: User) -> models.QuerySet[Upload]:
    return Upload.objects.filter(owner=owner, resumable=True)
