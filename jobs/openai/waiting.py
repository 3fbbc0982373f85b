"""Waiting for a run: its end, and on the way the text that can no longer change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from channels.db import database_sync_to_async
from django.db.models import Q

from jobs.live import hub, job_group
from jobs.models import Run, Segment
from jobs.states import FINAL

LOOK_AGAIN_SECONDS = 30.0  # also without news: the listening connection may be down


@dataclass(frozen=True)
class Look:
    """A run as it is now; None: the recording was deleted. `fresh`: text after the mark of the look before."""

    run: Run | None
    fresh: tuple[Segment, ...] = ()

    @property
    def ended(self) -> bool:
        return self.run is None or self.run.state in FINAL


async def looks(job_id: UUID, *, with_text: bool) -> AsyncIterator[Look]:
    """The recording's first run whenever something about it changed, last when it has ended."""
    mark: tuple[float, int] | None = None
    with hub().watching(job_group(job_id)) as watch:
        while True:
            look: Look = await database_sync_to_async(_look, thread_sensitive=False)(job_id, mark, with_text)
            if look.fresh:
                mark = look.fresh[-1].start, look.fresh[-1].pk
            yield look
            if look.ended:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await watch.changed()


def _look(job_id: UUID, mark: tuple[float, int] | None, with_text: bool) -> Look:
    run = Run.objects.select_related("job").filter(job=job_id).order_by("number").first()
    if run is None:
        return Look(None)
    return Look(run, tuple(_settled(run, mark)) if with_text else ())


def _settled(run: Run, mark: tuple[float, int] | None) -> list[Segment]:
    """Windows end in any order; what lies before the first that is not done stays as it is."""
    settled = run.segments.order_by("start", "pk")
    undone = run.windows.filter(done_at=None).order_by("index").first()
    if undone is not None and run.state not in FINAL:
        settled = settled.filter(window__index__lt=undone.index)
    if mark is not None:
        settled = settled.filter(Q(start__gt=mark[0]) | Q(start=mark[0], pk__gt=mark[1]))
    return list(settled)
