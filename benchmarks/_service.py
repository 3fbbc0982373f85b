"""A recording's way through the service, without rows and without Temporal: the functions that the activities call.

Decode child with speech detection, plan, vote on the language, engine slot batch by batch.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks._race import family_seconds
from worker import media
from worker.engine.base import FAST, WINDOW_SECONDS, Options, Piece, Segment, Vote
from worker.engine.slots import EngineSettings, Slot, SlotPool
from worker.plan import Window, plan, spread, windows_per_batch

LIMIT_SECONDS = 24 * 3600.0


@dataclass
class Heard:
    """What was said, the vote where there was one, and processor seconds of each stage."""

    segments: list[Segment]
    windows: int
    vote: Vote | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


class Service:
    """One slot with a model in memory."""

    def __init__(self, pool: SlotPool) -> None:
        self._pool = pool

    def transcribe(self, recording: Path, options: Options | None = None, *, detector: bool = True) -> Heard:
        """Everything that is said in a file. Without options: in the language it is voted to be in. Without the speech
        detector: all of it is handed to the engine."""
        with tempfile.TemporaryDirectory() as folder:
            samples, speech = Path(folder) / "samples", Path(folder) / "speech"
            began = family_seconds()
            found = media.decode(recording, samples, speech, limit_seconds=LIMIT_SECONDS, require_sandbox=False)
            decoded = family_seconds()
            probabilities = np.fromfile(speech, dtype=np.uint8)
            together = windows_per_batch(self._pool.speed())
            windows = (
                plan(probabilities, found.duration, together) if detector else everything(found.duration, together)
            )
            with self._pool.slot() as slot:
                heard = _hear(slot, samples, windows, options)
            heard.seconds = {"decode and speech detection": decoded - began, "engine": family_seconds() - decoded}
            return heard


def _hear(slot: Slot, samples: Path, windows: list[Window], options: Options | None) -> Heard:
    pieces = [Piece(index, window.start, window.end) for index, window in enumerate(windows)]
    heard = Heard([], len(windows))
    if not pieces:
        return heard
    if options is None:
        heard.vote = slot.vote_language(samples, spread(pieces), poll=_nothing)
        options = Options(heard.vote.language)
    for _, batch in groupby(pieces, key=lambda piece: windows[piece.index].batch):
        found = slot.hear(samples, list(batch), options, poll=_nothing)
        heard.segments += [segment for index in sorted(found) for segment in found[index]]
    return heard


def everything(duration: float, together: int) -> list[Window]:
    """Windows of 30 s, whatever is in them."""
    starts = [WINDOW_SECONDS * index for index in range(int(duration / WINDOW_SECONDS))]
    return [Window(start, start + WINDOW_SECONDS, 0, index // together) for index, start in enumerate(starts)]


def _nothing() -> None:
    pass


@contextmanager
def service(checkpoint: Path, mode: str = FAST) -> Iterator[Service]:
    """One slot with one thread: this process and its children keep to one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pool = SlotPool(EngineSettings(checkpoint, checkpoint.stem, 1, 10, window_cap_seconds=600, mode=mode))
    pool.start()
    try:
        yield Service(pool)
    finally:
        pool.close()
