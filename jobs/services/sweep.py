"""Remove what nobody will come back for: uploads and sessions that expired, files or folders that no row names, samples
of ended runs, renditions that were never finished."""

import fcntl
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.sweep import sweep as sweep_accounts
from jobs.failpoints import Point, reach
from jobs.models import Job, Run, Upload
from jobs.states import OPEN

# A recording is renamed into its folder just before its row is committed: a young folder without a row may be one.
ORPHAN_AGE = timedelta(hours=1)
RENDITION_PARTS = "rendition.mp3.*.part"  # one that is being written grows, so it is young; others were killed
_AT_ONCE = 500


@dataclass(frozen=True)
class Swept:
    """How many of each were removed."""

    uploads: int
    files: int


def sweep(now: datetime | None = None) -> Swept:
    """Safe to repeat and to run beside uploads: one that is being written is left alone."""
    now = now or timezone.now()
    sweep_accounts(now)
    media = Path(settings.MEDIA_ROOT)
    before = (now - ORPHAN_AGE).timestamp()
    uploads = sum(_expire(upload) for upload in Upload.objects.filter(expires_at__lt=now).iterator())
    files = sum(_remove(path) for path in _orphans((media / "uploads").glob("*"), Upload.objects.all(), before))
    folders = sum(_remove(path) for path in _orphans((media / "jobs").glob("*"), Job.objects.all(), before))
    # The end of a run removes them. Left: by a crash just before, or made again by a worker that woke too late.
    samples = (media / "jobs").glob("*/*.*")
    left = sum(_remove(path) for path in _orphans(samples, Run.objects.filter(state__in=OPEN), before))
    parts = (path for path in (media / "jobs").glob(f"*/{RENDITION_PARTS}") if _is_older(path, before))
    left += sum(_remove(path) for path in parts)
    return Swept(uploads=uploads, files=files + folders + left)


def _expire(upload: Upload) -> bool:
    """The row, then the file. Of one that became a job only the row is left, and it goes."""
    path = upload.path  # asked before the deletion takes the id away
    if _is_written(path):
        return False
    upload.delete()
    reach(Point.EXPIRED_LEFT)
    path.unlink(missing_ok=True)
    return True


def _is_written(path: Path) -> bool:
    """Whether a door holds the lock on this file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _orphans[M: models.Model](paths: Iterable[Path], rows: models.QuerySet[M], before: float) -> Iterator[Path]:
    """Those named by an id that no row has, older than `before` (seconds since 1970). Other names are not ours."""
    old = ((key, path) for path in paths if (key := _id_of(path)) and _is_older(path, before))
    for some in batched(old, _AT_ONCE):
        known = set(rows.filter(pk__in=[key for key, _ in some]).values_list("pk", flat=True))
        yield from (path for key, path in some if key not in known)


def _is_older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:  # its owner was faster
        return False


def _id_of(path: Path) -> UUID | None:
    try:
        return UUID(path.name.partition(".")[0])
    except ValueError:
        return None


def _remove(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return True
