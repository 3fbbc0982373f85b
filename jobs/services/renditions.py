"""What was found in a recording, and how far the form of it is that browsers play."""

from uuid import UUID

from django.db import transaction

from jobs.live import announce
from jobs.models import Job
from jobs.playable import media_type
from jobs.services.locks import lock_runs
from jobs.states import Rendition


def store_facts(job_id: UUID, *, container: str, codec: str, picture: str) -> None:
    """FFmpeg's names of what the decode child found; a recording that browsers cannot play wants a rendition.

    One that is there already stays; one that failed is tried again, since this is said once in each run.
    """
    with transaction.atomic():
        lock_runs(job_id)
        job = Job.objects.select_for_update(of=("self",)).filter(pk=job_id).first()
        if job is None:
            return
        job.container, job.codec, job.picture = container, codec, picture
        made = job.rendition == Rendition.READY and job.rendition_path.exists()
        wanted = Rendition.READY if made else Rendition.WANTED
        job.rendition = "" if media_type(container, codec, picture) else wanted
        job.save(update_fields=["container", "codec", "picture", "rendition"])
        announce(job_id)


def store_rendition(job_id: UUID, state: Rendition) -> None:
    """The rendition is on disk, or will never be."""
    with transaction.atomic():
        lock_runs(job_id)
        if Job.objects.filter(pk=job_id, rendition=Rendition.WANTED).update(rendition=state):
            announce(job_id)
