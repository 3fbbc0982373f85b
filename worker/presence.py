"""This worker as the database knows it: what it offers, what it works on, when it was last seen."""

import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models import Min, QuerySet
from django.utils import timezone

from jobs.live import wake_scheduler
from jobs.models import Worker
from worker.engine.base import Loaded

logger = logging.getLogger(__name__)


def live_workers() -> QuerySet[Worker]:
    """Workers seen within three beats that have not said goodbye."""
    since = timezone.now() - timedelta(seconds=3 * settings.WORKER_BEAT_SECONDS)
    return Worker.objects.filter(seen_at__gte=since, ended_at=None)


def offered_speed(model: str) -> float:
    """Seconds of sound that the slowest live worker with this model hears in a second, each slot; 0: not known."""
    speed: float | None = live_workers().filter(model=model).aggregate(slowest=Min("speed"))["slowest"]
    return speed or 0.0


class Offered(Protocol):
    """A model that this worker offers, see `worker.engine.slots.SlotPool`."""

    loaded: Loaded
    slots: int

    def speed(self) -> float: ...


class Presence:
    """The worker's rows, one for each model, beaten on a thread of its own so that no activity can hold it up."""

    def __init__(self, models: Sequence[Offered]) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._working: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._rows = [(_row(model), model) for model in models]
        self._thread = threading.Thread(target=self._beat_until_ended, name="presence", daemon=True)
        self._thread.start()

    @contextmanager
    def working(self, run_id: UUID) -> Iterator[None]:
        """Name the run in this worker's rows *before* its state is read.

        A cancel is finished once no live worker names the run: whoever registers later finds it cancelled. Work that
        did not come to its end may have been cancelled, and then the scheduler has waited for this.
        """
        self._working_change(run_id, 1)
        ended_well = False
        try:
            with self._lock:
                self._write()
            yield
            ended_well = True
        finally:
            self._working_change(run_id, -1)
            with suppress(DatabaseError):  # else the next beat tells it: to end late is safe, to start late is not
                with self._lock:
                    self._write()
                if not ended_well:
                    wake_scheduler()

    def end(self) -> None:
        """Say goodbye: this worker is gone on purpose. Its rows tell what can be chosen while none lives."""
        self._ended.set()
        self._thread.join(timeout=10)
        keys = [row.pk for row, _ in self._rows]
        Worker.objects.filter(pk__in=keys).update(ended_at=timezone.now(), runs=[])

    def _working_change(self, run_id: UUID, step: int) -> None:
        with self._lock:
            self._working[str(run_id)] += step
            self._working += Counter()  # drops the zeros

    def _write(self) -> None:
        for row, model in self._rows:
            changed = {"seen_at": timezone.now(), "runs": sorted(self._working), "speed": model.speed()}
            if not Worker.objects.filter(pk=row.pk).update(**changed):
                for field, value in changed.items():  # swept as dead while this process was frozen
                    setattr(row, field, value)
                row.save(force_insert=True)

    def _beat_until_ended(self) -> None:
        while not self._ended.wait(settings.WORKER_BEAT_SECONDS):
            close_old_connections()
            try:
                with self._lock:
                    self._write()
            except Exception as error:  # the database is away: the next beat tries again
                logger.warning("cannot say that this worker is alive: %s", type(error).__name__)
        close_old_connections()


def _row(model: Offered) -> Worker:
    return Worker.objects.create(
        host=socket.gethostname()[:100],
        pid=os.getpid(),
        model=model.loaded.model,
        model_sha256=model.loaded.sha256,
        mode=model.loaded.mode,
        english_only=model.loaded.english_only,
        translates=model.loaded.translates,
        device=model.loaded.device,
        slots=model.slots,
        seen_at=timezone.now(),
    )
