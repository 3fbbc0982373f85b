"""Delete: the recording, its transcripts and its history are gone; a worker that still holds it stops at its next commit."""

from django.db import transaction

from jobs.models import Job
from jobs.services.files import remove_recording
from jobs.services.cancel import cancel
from jobs.errors import Conflict


def delete(job: Job) -> None:
    """Remove the rows, then the files. A crash between the two leaves a folder without a row: the sweep removes it."""
    try:
        cancel(job)
    except Conflict:
        pass  # it had ended
    with transaction.atomic():
        Job.objects.filter(pk=job.pk).update(current_run=None)
        Job.objects.filter(pk=job.pk).delete()
    remove_recording(job)
