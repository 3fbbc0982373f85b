"""Text where the speech detector heard nobody: its probabilities lie beside the samples as long as those do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from worker.engine.base import Segment
from worker.engine.guards import NO_SPEECH_HEARD
from worker.plan import FRAME_SECONDS, MAYBE

ROUGH = 0.3  # seconds around a segment that count too: its times are rough


def mark_silence(segments: Sequence[Segment], speech: Path) -> list[Segment]:
    """The segments, with a note on those during which, and shortly around which, no frame was even maybe speech.

    `speech`: one byte for each frame. Windows begin and end with speech, so these lie in a pause within one.
    """
    try:
        return [
            replace(each, notes=(*each.notes, NO_SPEECH_HEARD)) if _is_silent(each.start, each.end, speech) else each
            for each in segments
        ]
    except FileNotFoundError:  # the run has ended, and its files with it: what is heard now is not stored
        return list(segments)


def _is_silent(start: float, end: float, speech: Path) -> bool:
    first = max(0, int((start - ROUGH) / FRAME_SECONDS))
    count = int((end + ROUGH) / FRAME_SECONDS) + 1 - first
    heard = np.fromfile(speech, np.uint8, count=count, offset=first)
    return not bool((heard >= MAYBE).any())
