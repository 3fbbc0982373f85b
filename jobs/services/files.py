"""Removal of a job's files: missing ones are fine, so every step may be repeated."""

import shutil

from jobs.models import Job, Run, Upload


def remove_samples(run: Run) -> None:
    """The decoded samples of a run that ended, and what lies beside them while they are made."""
    for path in run.samples_path.parent.glob(f"{run.pk}.*"):
        path.unlink(missing_ok=True)


def remove_recording(job: Job) -> None:
    """The recording and everything made from it; the row stays as the record of what happened."""
    shutil.rmtree(job.folder, ignore_errors=True)
    Upload(pk=job.pk).path.unlink(missing_ok=True)  # a second name, left where `submit` died behind its commit
