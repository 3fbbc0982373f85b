"""What an activity does while it waits: heartbeat, and hear that it should stop, from Temporal or from the row."""

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import close_old_connections
from temporalio import activity
from temporalio.exceptions import CancelledError

from jobs.models import Run
from jobs.states import RunState
from worker.endings import leaving

ROW_SECONDS = 2.0


class Stopped(Exception):
    """The run was cancelled, deleted or has ended: drop the work and report nothing."""


class Watch:
    """Call `poll` about each second while something else works."""

    def __init__(self, run_id: UUID, wanted_in: Collection[RunState] = (RunState.RUNNING,)) -> None:
        self._run_id, self._wanted_in = run_id, wanted_in
        self._looked_at = time.monotonic()

    def poll(self) -> None:
        """Heartbeat. Raises Stopped when the run is not wanted any more, CancelledError when Temporal says so."""
        activity.heartbeat()
        if activity.is_cancelled():
            raise CancelledError("cancelled")
        # The SDK sends heartbeats, and so hears of a cancel, only each 0.8 x heartbeat timeout, and not at all while
        # Temporal is down. The row knows at once.
        if time.monotonic() - self._looked_at >= ROW_SECONDS:
            self._looked_at = time.monotonic()
            if not self._wanted():
                raise Stopped

    def should_stop(self) -> bool:
        """`poll` for callers that ask whether the run is still wanted.

        A cancel of the activity alone is raised: it comes from a worker that shuts down too, and another one goes on.
        """
        try:
            self.poll()
        except Stopped:
            return True
        return False

    def leave_at_shutdown(self) -> None:
        """Between batches: hand the span to another worker when this one is stopping. Nothing done is repeated."""
        if activity.is_worker_shutdown():
            raise leaving()

    def wait(self) -> None:
        """A second of waiting for somebody else."""
        self.poll()
        time.sleep(1)

    @contextmanager
    def waiting_for(self, lock: threading.Lock) -> Iterator[None]:
        """Hold `lock`, polling until it is free."""
        while not lock.acquire(timeout=1):
            self.poll()
        try:
            yield
        finally:
            lock.release()

    def _wanted(self) -> bool:
        try:
            return Run.objects.filter(pk=self._run_id, state__in=self._wanted_in).exists()
        except DatabaseError:  # away, which says nothing about the run
            close_old_connections()  # Django keeps a broken one, and would never see the database come back
            return True
