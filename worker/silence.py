"""Text where the speech detector heard nobody: its probabilities lie beside the samples as long as those do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from worker.engine.base import Segment
from worker.engine.guards import NO_SPEECH_HEARD, too_fast
from worker.plan import FRAME_SECONDS, MAYBE

ROUGH = 0.3  # seconds around a segment that count too: its times are rough


def mark_silence(segments: Sequence[Segment], speech: Path) -> list[Segment]:
    """The segments, with a note on those that nobody can have said: during them, and shortly around them, no frame was
    even maybe speech, or too few for so many words.

    `speech`: one byte for each frame.
    """
    try:
        return [
            replace(each, notes=(*each.notes, NO_SPEECH_HEARD)) if _is_silent(each, speech) else each
            for each in segments
        ]
    except FileNotFoundError:  # the run has ended, and its files with it: what is heard now is not stored
        return list(segments)


def _is_silent(segment: Segment, speech: Path) -> bool:
    first = max(0, int((segment.start - ROUGH) / FRAME_SECONDS))
    count = int((segment.end + ROUGH) / FRAME_SECONDS) + 1 - first
    heard = np.fromfile(speech, np.uint8, count=count, offset=first)
    seconds = float((heard >= MAYBE).sum()) * FRAME_SECONDS
    return not seconds or too_fast(segment.text, seconds)
