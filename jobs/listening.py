"""What a page needs to play a recording: which file, of which type, and where in it somebody speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal

from django.urls import reverse
from django.utils import timezone

from jobs.models import Job, Run
from jobs.playable import HEAD_BYTES, RENDITION, UNKNOWN, media_type, type_by_head
from jobs.states import FINAL, Rendition, RunState

SPANS = 400  # more are finer than a screen shows
PATIENCE = timedelta(hours=6)  # after the text is there; a recording of a day takes minutes


@dataclass(frozen=True)
class Source:
    """A file that is sent to browsers, the type it is sent as (decided by us), and whether every browser plays it."""

    path: Path
    type: str
    plays: bool


@dataclass(frozen=True)
class Player:
    """`ready`: an element of `kind` plays `url`, which is of media type `type`; `making`: look again when the page is
    told news; `none`: this recording cannot be listened to here. `kind`, `url` and `type` are those of `ready` alone.
    """

    state: Literal["ready", "making", "none"]
    kind: Literal["audio", "video"] = "audio"
    url: str = ""
    type: str = ""


def player_of(job: Job) -> Player:
    """How this recording is listened to right now; asks the disk for the file, and the database for nothing."""
    source = source_of(job)
    if source.plays and source.path.exists():
        kind: Literal["audio", "video"] = "video" if source.type.startswith("video/") else "audio"
        return Player("ready", kind, reverse("media", args=[job.pk]), source.type)
    return Player("making" if _is_awaited(job) and job.path.exists() else "none")


def source_of(job: Job) -> Source:
    """The rendition where there is one, else the recording itself; the file may be gone."""
    if job.rendition == Rendition.READY:
        return Source(job.rendition_path, RENDITION, plays=True)
    if job.container:
        kind = media_type(job.container, job.codec, job.picture)
    else:  # not looked into yet, or kept by a version that noted nothing
        kind = None if _is_open(job.current_run) else _type_by_head(job.path)
    return Source(job.path, kind or UNKNOWN, plays=kind is not None)


def speech_strip(run: Run | None) -> list[tuple[float, float]]:
    """Where somebody speaks: (start, end) in seconds, in order, at most 400; the shortest pauses are left out.

    Empty before the recording was looked into, and where nothing is said. Made of the windows: pauses of less than
    five seconds do not show.
    """
    if run is None:
        return []
    return _joined(list(run.windows.order_by("start").values_list("start", "end")))


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that touch made one, and then the nearest, until there are few enough."""
    gaps = [(later[0] - earlier[1], place) for place, (earlier, later) in enumerate(pairwise(spans), 1)]
    widest = sorted((gap for gap in gaps if gap[0] > 0), reverse=True)[: SPANS - 1]
    cuts = [0, *sorted(place for _, place in widest), len(spans)]
    return [(spans[first][0], spans[end - 1][1]) for first, end in pairwise(cuts) if first < end]


def _is_awaited(job: Job) -> bool:
    run = job.current_run
    if run is None or run.state in (RunState.CANCELLING, RunState.CANCELLED):  # that stopped the making too
        return False
    if job.rendition == Rendition.WANTED:  # whoever should make it may have been lost
        return run.finished_at is None or timezone.now() - run.finished_at < PATIENCE
    return not job.container and _is_open(run)


def _is_open(run: Run | None) -> bool:
    return run is not None and run.state not in FINAL


def _type_by_head(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return type_by_head(file.read(HEAD_BYTES))
    except FileNotFoundError:
        return None
