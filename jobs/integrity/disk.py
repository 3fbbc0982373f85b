"""Files and folders that no row names. Young ones may be on their way: the hourly sweep leaves them an hour, too."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

from django.conf import settings

from jobs.integrity.checks import Check, Keys, Room
from jobs.models import Job, Run, Upload
from jobs.services.sweep import RENDITION_PARTS
from jobs.states import OPEN

SWEEP = "The hourly sweep of a running worker removes it: start one, and look at its log."
type Find = Callable[[Keys], Iterator[UUID]]


def rooms(grace: float) -> list[Room]:
    """`grace`: how many seconds old a file must be to be called left."""
    folders: Find = partial(_folders_without_row, grace)
    files: Find = partial(_files_without_row, grace)
    return [
        Room(
            "folders",
            partial(_names, "jobs"),
            [Check("folder_without_row", "A recording's folder belongs to no recording.", SWEEP, folders)],
        ),
        Room(
            "files of uploads",
            partial(_names, "uploads"),
            [Check("file_without_row", "An upload's file belongs to no upload.", SWEEP, files)],
        ),
    ]


def left_beside(grace: float) -> list[Check]:
    """Checks of recordings: what lies in their folders longer than anybody needs it."""
    samples: Find = partial(_samples_left, grace)
    parts: Find = partial(_parts_left, grace)
    return [
        Check("samples_left", "Decoded sound of a transcription that ended is still there.", SWEEP, samples),
        Check("part_left", "A playable form that was never finished is still there.", SWEEP, parts),
    ]


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where it is not there or cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _names(folder: str) -> Iterator[UUID]:
    """The ids among the names; other names are not ours."""
    try:
        with os.scandir(_root(folder)) as entries:
            yield from (key for entry in entries if (key := _id_of(entry.name)))
    except FileNotFoundError:  # nothing was ever uploaded
        return


def _folders_without_row(grace: float, keys: Keys) -> Iterator[UUID]:
    known = set(Job.objects.filter(pk__in=keys).values_list("pk", flat=True))
    yield from (key for key in keys if key not in known and _is_old(_root("jobs") / str(key), grace))


def _files_without_row(grace: float, keys: Keys) -> Iterator[UUID]:
    known = set(Upload.objects.filter(pk__in=keys).values_list("pk", flat=True))
    yield from (key for key in keys if key not in known and _is_old(_root("uploads") / str(key), grace))


def _samples_left(grace: float, keys: Keys) -> Iterator[UUID]:
    """Recordings whose folder holds files named by a run that is not under way, or that is not there any more."""
    going = set(Run.objects.filter(job__in=keys, state__in=OPEN).values_list("pk", flat=True))
    for key in keys:
        files = _beside(key, "*.*")
        if any((run := _id_of(f.name.partition(".")[0])) and run not in going and _is_old(f, grace) for f in files):
            yield key


def _parts_left(grace: float, keys: Keys) -> Iterator[UUID]:
    """One that is being written is young: it grows."""
    yield from (key for key in keys if any(_is_old(part, grace) for part in _beside(key, RENDITION_PARTS)))


def _beside(key: UUID, pattern: str) -> list[Path]:
    try:
        return list((_root("jobs") / str(key)).glob(pattern))
    except OSError:  # that it cannot be read is told by its file
        return []


def _root(folder: str) -> Path:
    return Path(settings.MEDIA_ROOT) / folder


def _id_of(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _is_old(path: Path, grace: float) -> bool:
    try:
        return path.stat().st_mtime <= time.time() - grace
    except OSError:  # its owner was faster, or the folder cannot be read, which is told on its own
        return False
