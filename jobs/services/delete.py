"""Delete: the recording, its transcripts and its history are gone; a worker still on it stops at its next commit.

The rows first, then the files. A crash between the two leaves a folder without a row: the sweep removes it.
"""

from contextlib import suppress

from django.db import transaction
from django.db.models import QuerySet

from accounts import audit
from accounts.models import User
from jobs.errors import Conflict
from jobs.failpoints import Point, reach
from jobs.live import announce
from jobs.models import Job
from jobs.services.cancel import cancel
from jobs.services.files import remove_recording
from jobs.services.locks import lock_runs
from jobs.states import FINAL


def delete(job: Job, by: User | None = None) -> None:
    """Whatever it is at. `by` answers for it; None: a command on the server."""
    with suppress(Conflict):  # it had ended
        cancel(job)
    with transaction.atomic():
        lock_runs(job.pk)
        _remove_rows(job, by)
    _remove_files(job)


def delete_by_itself(job: Job, due: QuerySet[Job], why: str) -> bool:
    """Only while it is among the `due` ones and no run of it is open; True if it went. `why`: a code for the audit log.

    What a person does at the same moment (keep it, run it again) comes before or after it, and is never undone.
    """
    with transaction.atomic():
        lock_runs(job.pk)
        if due.select_for_update(of=("self",)).filter(pk=job.pk).first() is None:
            return False
        if job.runs.exclude(state__in=FINAL).exists():  # asked behind the lock, which a new run waits for
            return False
        _remove_rows(job, None, why)
    _remove_files(job)
    return True


def _remove_rows(job: Job, by: User | None, why: str = "") -> None:
    announce(job.pk)  # open pages look again, and find nothing
    Job.objects.filter(pk=job.pk).update(current_run=None)
    if Job.objects.filter(pk=job.pk).delete()[0]:
        audit.note(audit.Kind.DELETED, by, job.pk, why)


def _remove_files(job: Job) -> None:
    reach(Point.DELETED_LEFT)
    remove_recording(job)
