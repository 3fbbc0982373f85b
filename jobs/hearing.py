"""For tests: somebody who does a worker's part through the verbs, in a thread, without any engine."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from jobs.models import Job, Run, Window
from jobs.services.begin import begin
from jobs.services.finish import finish
from jobs.services.windows import HeardSegment, commit_windows
from jobs.states import RunState

LOOK_SECONDS = 0.05
type Work = Callable[[Run], None]


@contextmanager
def worker(work: Work, *, runs: int = 1) -> Iterator[None]:
    """Does `work` with each of the first `runs` runs that are queued, one after the other."""
    stop = threading.Event()

    def look() -> None:
        left = runs
        while left and not stop.wait(LOOK_SECONDS):
            run = Run.objects.filter(state=RunState.QUEUED).order_by("created_at").first()
            if run is not None and begin(run.pk, attempt=1, worker="test"):
                work(run)
                left -= 1
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def hear(run: Run) -> None:
    """Two windows, the later one first, and the end."""
    for index in (0, 1):
        Window.objects.create(run=run, index=index, span=index, batch=0, start=10 * index, end=10 * index + 10)
    Job.objects.filter(pk=run.job_id).update(duration=20.0)
    Run.objects.filter(pk=run.pk).update(language="de")
    words = [(12.0, 13.0, " Vier", 0.9), (13.25, 14.5, " fünf.", 0.8)]
    commit_windows(run.pk, {1: [HeardSegment(12.0, 14.5, " Vier fünf.", -0.2, 0.01, 1.1, 0.0, words)]})
    commit_windows(run.pk, {0: [HeardSegment(0.0, 1.0, " Eins zwei."), HeardSegment(1.0, 2.0, " Drei.")]})
    finish(run.pk, attempt=1, worker="test")
