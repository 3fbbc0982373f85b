"""A file on the server's own disk becomes a recording: samples, and imports by operators. The same verb ends it."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from jobs.errors import BadUpload, TooLarge
from jobs.models import Job, Upload
from jobs.services.options import Options
from jobs.services.submit import submit

CHUNK_BYTES = 1 << 20


def take_in(source: Path, *, owner_id: int, title: str, options: Options) -> Job:
    """Copy `source` into the store, flushed and hashed, and submit it; the original stays as it is.

    Raises BadUpload (code `empty`) and TooLarge; OSError when it cannot be read. Nothing is left behind then.
    """
    size = source.stat().st_size
    if size == 0:
        raise BadUpload("This file is empty. Choose the recording itself.", code="empty")
    if size > settings.UPLOAD_LIMIT_BYTES:
        limit = settings.UPLOAD_LIMIT_BYTES
        raise TooLarge("This file has %(size)s bytes; at most %(limit)s are allowed.", size=size, limit=limit)
    expires_at = timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRY_SECONDS)
    upload = Upload.objects.create(owner_id=owner_id, title=title, length=size, offset=size, expires_at=expires_at)
    try:
        return submit(upload.pk, sha256=_copy(source, upload.path), options=options)
    except BaseException:
        upload.path.unlink(missing_ok=True)
        upload.delete()
        raise


def _copy(source: Path, target: Path) -> str:
    """The SHA-256 of what was written and flushed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()
