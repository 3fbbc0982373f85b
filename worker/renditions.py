"""The rendition of a run's recording, beside it: made for listening, so that nothing about it may end the run."""

import logging
import shutil

from django.conf import settings

from jobs.models import Job, Run
from jobs.services.renditions import store_rendition
from jobs.states import Rendition, RunState
from worker import media
from worker.watch import Stopped, Watch

logger = logging.getLogger(__name__)

# The text may be there, or have failed: people listen all the same. A cancel stops this too; another run makes it.
LISTENED = frozenset({RunState.RUNNING, RunState.SUCCEEDED, RunState.FAILED})


def make_rendition(run: Run, watch: Watch) -> None:
    """See that the wanted rendition is on disk and known; safe to repeat. Stopped when nobody wants it any more."""
    job = run.job
    if job.rendition != Rendition.WANTED:
        return
    if shutil.disk_usage(settings.MEDIA_ROOT).free < settings.DISK_RESERVE_BYTES:
        logger.warning("no rendition for job %s: the disk is nearly full", job.pk)
        return store_rendition(job.pk, Rendition.FAILED)
    try:
        _render(job, watch)
    except media.MediaRefused as refusal:  # it was read once, but damage may lie where the reader stopped then
        logger.warning("no rendition for job %s: %s", job.pk, refusal.code)
        return store_rendition(job.pk, Rendition.FAILED)
    store_rendition(job.pk, Rendition.READY)


def _render(job: Job, watch: Watch) -> None:
    def should_stop() -> bool:
        watch.leave_at_shutdown()
        return watch.should_stop()

    try:
        media.render(
            job.path,
            job.rendition_path,
            limit_seconds=settings.DURATION_LIMIT_SECONDS,
            should_stop=should_stop,
            require_sandbox=not settings.EMBEDDED,
        )
    except (media.DecodeStopped, FileNotFoundError):  # its folder went with the job
        raise Stopped from None
