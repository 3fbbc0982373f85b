"""Delete: the recording, its transcripts and its history are gone; a worker still on it stops at its next commit."""

from contextlib import suppress

from django.db import transaction

from accounts import audit
from accounts.models import User
from jobs.errors import Conflict
from jobs.failpoints import Point, reach
from jobs.live import announce
from jobs.models import Job
from jobs.services.cancel import cancel
from jobs.services.files import remove_recording


def delete(job: Job, by: User | None = None) -> None:
    """Remove the rows, then the files. A crash between the two leaves a folder without a row: the sweep removes it.

    `by` answers for it; None: a command on the server.
    """
    with suppress(Conflict):  # it had ended
        cancel(job)
    with transaction.atomic():
        # Runs before the job, as every commit of windows does: the other order could deadlock with one.
        list(job.runs.select_for_update().values_list("pk"))
        announce(job.pk)  # open pages look again, and find nothing
        Job.objects.filter(pk=job.pk).update(current_run=None)
        if Job.objects.filter(pk=job.pk).delete()[0]:
            audit.note(audit.Kind.DELETED, by, job.pk)
    reach(Point.DELETED_LEFT)
    remove_recording(job)
