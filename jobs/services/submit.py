"""A complete upload becomes a recording with its first run: one transaction, one verb for every door."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import audit
from jobs.errors import Conflict
from jobs.failpoints import Point, reach
from jobs.live import announce
from jobs.models import Job, Run, RunEvent, Upload
from jobs.services.offers import default_model
from jobs.services.options import Options
from jobs.states import RunState

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})


def submit(upload_id: UUID, *, sha256: str, options: Options) -> Job:
    """Make the job of an upload whose bytes are on disk (flushed); the same job if it was made before.

    The job has the upload's id. Until it is committed the file is where it was, so whenever this dies, it is safe to
    repeat. Raises Conflict when the upload is gone (expired or aborted meanwhile).
    """
    job = _make(upload_id, sha256, options)
    reach(Point.RECORDING_COMMITTED)
    with suppress(OSError):  # one name is left: a recording; the other goes with the upload's row
        Upload(pk=upload_id).path.unlink(missing_ok=True)
    return job


def _make(upload_id: UUID, sha256: str, options: Options) -> Job:
    with transaction.atomic():
        upload = Upload.objects.select_for_update().filter(pk=upload_id).first()
        if upload is None:
            raise Conflict("This upload is no longer there. Upload the file again.")
        if upload.job is not None:
            return upload.job
        job = Job.objects.create(
            pk=upload.pk, owner_id=upload.owner_id, title=upload.title, size=upload.offset, sha256=sha256
        )
        add_run(job, options)
        audit.note(audit.Kind.UPLOADED, upload.owner, job.pk)
        upload.job = job
        upload.save(update_fields=["job"])
        # Before the commit: the other order would leave a job that points to nothing after a crash between the two.
        put_in(upload.path, job.path)
    return job


def add_run(job: Job, options: Options, run_id: UUID | None = None, **fields: Any) -> Run:
    """A queued run, which *is* the request to start: the scheduler finds it. Call inside a transaction.

    `fields` are further columns of Run.
    """
    number = job.runs.count() + 1
    model = options.model or default_model()
    run = Run(job=job, number=number, options=options.as_json(), model=model, **fields)
    run.pk = run_id or run.pk
    run.save(force_insert=True)
    Job.objects.filter(pk=job.pk).update(current_run=run, idle_since=None)
    job.current_run, job.idle_since = run, None
    RunEvent.objects.create(run=run, state=RunState.QUEUED)
    announce(job.pk, wake=True)
    return run


def put_in(source: Path, target: Path) -> None:
    """Give the file a second name, for good, in a folder of its own; media is one file system: nothing is copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # left by a try that died before its commit
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        source.rename(target)  # a file system without links: a kill before the commit costs the client a new start
    for folder in (target.parent, target.parent.parent):  # a power cut must not take the rename back
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
