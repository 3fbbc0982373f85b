"""The folder of recordings: every web and worker process must see the same one, and write there what uploads write."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from jobs.models import Job
from jobs.services.finish import REFUSALS
from transcribe.preflight.findings import Finding, failed, ok, warning

NEWEST = 5  # recordings whose files are looked for
SHARE = "Mount the same folder at MEDIA_ROOT in every web and worker process."


def media() -> Iterator[Finding]:
    root = Path(settings.MEDIA_ROOT)
    if not root.is_dir():
        if settings.EMBEDDED:
            yield ok(f"The first upload makes {root}.")
        else:
            yield failed(f"There is no folder at {root}.", f"Make it, or correct MEDIA_ROOT. {SHARE}")
        return
    try:
        problem = tried(root)
    except OSError as error:
        fix = f"Give it to account {os.getuid()}, which this process runs on, and mount it writable."
        yield failed(f"Nothing can be written to {root}: {error.strerror}.", fix)
        return
    if problem is not None:
        yield problem
    yield from _the_same(root)


def tried(root: Path) -> Finding | None:
    """What an upload does, done there: write, lock, rename, link. Raises OSError when nothing can be written."""
    with tempfile.TemporaryDirectory(prefix=".preflight-", dir=root) as place:
        file = Path(place) / "written"
        with file.open("wb") as written:
            written.write(b"written")
            written.flush()
            os.fsync(written.fileno())
            if not _locks(file, written.fileno()):
                return failed(
                    f"Locks have no effect in {root}.", "Use a file system with locks: NFS 4, or a local disk."
                )
        file.rename(moved := file.with_name("moved"))
        try:
            file.hardlink_to(moved)
        except OSError:
            fix = "Use a file system with hard links, or live with it: an upload cut off at its very end starts anew."
            return warning(f"{root} has no hard links.", fix)
    return None


def _locks(path: Path, held: int) -> bool:
    """Whether a second one is kept out."""
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("rb") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _the_same(root: Path) -> Iterator[Finding]:
    """The newest recordings of the database must lie here: else this is another folder than the one others write to."""
    jobs = list(Job.objects.exclude(current_run__reason__in=REFUSALS).order_by("-created_at")[:NEWEST])
    missing = [job for job in jobs if not job.path.exists() and Job.objects.filter(pk=job.pk).exists()]
    if not jobs:
        yield ok(f"{root} can be written. There is no recording yet by which to see that others use the same folder.")
    elif len(missing) == len(jobs):
        yield failed(f"None of the newest {len(jobs)} recordings lies in {root}.", SHARE)
    elif missing:
        yield warning(
            f"{len(missing)} of the newest {len(jobs)} recordings are not in {root}.",
            "Run `manage.py check_integrity`.",
        )
    elif unreadable := [job for job in jobs if not os.access(job.path, os.R_OK)]:
        fix = f"Let account {os.getuid()} read them: every process runs on one account."
        yield failed(f"{len(unreadable)} of the newest {len(jobs)} recordings cannot be read.", fix)
    else:
        yield ok(f"{root} can be written, and holds the newest recordings.")
