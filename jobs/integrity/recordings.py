"""The files of recordings: there, whole, and none that should be gone."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from jobs.integrity.checks import MOUNTED, Check, Keys
from jobs.integrity.disk import size_of
from jobs.models import Job, Run
from jobs.services.finish import REFUSALS
from jobs.states import Rendition

RESTORE = "Restore the file from a backup, or delete the recording."


def missing(keys: Keys) -> Iterator[UUID]:
    yield from (job.pk for job in kept(keys) if not _is_there(job.path))


def changed_size(keys: Keys) -> Iterator[UUID]:
    yield from (job.pk for job in kept(keys) if size_of(job.path) not in (None, job.size))


def changed(keys: Keys) -> Iterator[UUID]:
    """Reads every file. One that is not there or of another size is told by that alone."""
    yield from (job.pk for job in kept(keys) if size_of(job.path) == job.size and _sha256(job.path) != job.sha256)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # a disk that cannot read it any more
        return ""


def refused_kept(keys: Keys) -> Iterator[UUID]:
    refused = Job.objects.filter(_refused(), pk__in=keys)
    yield from (job.pk for job in refused if _is_there(job.path))


def rendition_missing(keys: Keys) -> Iterator[UUID]:
    ready = kept(keys).filter(rendition=Rendition.READY)
    yield from (job.pk for job in ready if not _is_there(job.rendition_path))


def rendition_left(keys: Keys) -> Iterator[UUID]:
    unwanted = Job.objects.filter(pk__in=keys, rendition__in=["", Rendition.FAILED])
    yield from (job.pk for job in unwanted if _is_there(job.rendition_path))


def kept(keys: Keys) -> QuerySet[Job]:
    """Those whose file must be there: refused media is not kept."""
    return Job.objects.filter(~_refused(), pk__in=keys)


def _refused() -> Exists:
    return Exists(Run.objects.filter(job=OuterRef("pk"), reason__in=REFUSALS))


def _is_there(path: Path) -> bool:
    return size_of(path) is not None


CHECKS = (
    Check("file_missing", "The file of a recording is not there, or cannot be read.", f"{MOUNTED} {RESTORE}", missing),
    Check("file_size", "The file of a recording has another size than when it was uploaded.", RESTORE, changed_size),
    Check(
        "refused_kept",
        "A file that was refused is still there.",
        "Remove its folder under the media root; the recording's page goes on saying why it was refused.",
        refused_kept,
    ),
    Check(
        "rendition_missing",
        "The playable form of a recording is not there.",
        "Restore the media from a backup, or transcribe the recording again: that makes the playable form, too.",
        rendition_missing,
    ),
    Check(
        "rendition_left",
        "A playable form is stored that no row knows.",
        "Remove rendition.mp3 from the recording's folder under the media root.",
        rendition_left,
    ),
)
DEEP = Check("file_changed", "The file of a recording is not what was uploaded, or cannot be read.", RESTORE, changed)
