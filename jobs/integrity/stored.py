"""The oracle: everything that rows and files say of each other. Temporal's side is `worker.integrity`."""

from collections.abc import Sequence

from jobs.integrity import disk, recordings, runs, text, uploads
from jobs.integrity.checks import Room, keys_of
from jobs.models import Job, Run

GRACE_SECONDS = 9000.0  # the sweep leaves files an hour and comes once an hour; and half an hour more


def rooms(*, deep: bool = False, grace: float = GRACE_SECONDS) -> Sequence[Room]:
    """`deep` reads every file. `grace`: seconds after which what nobody needs must be gone."""
    files = (*recordings.CHECKS, recordings.DEEP) if deep else recordings.CHECKS
    return [
        Room("recordings", lambda: keys_of(Job.objects.all()), [*files, *disk.left_beside(grace), *runs.OF_RECORDINGS]),
        Room("transcriptions", lambda: keys_of(Run.objects.all()), [*runs.OF_RUNS, *text.CHECKS]),
        uploads.room(grace),
        *disk.rooms(grace),
    ]
