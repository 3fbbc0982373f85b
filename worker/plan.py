"""From speech probabilities to the windows an engine hears, and to the spans and batches they are worked off in. Pure.

All bounds are whole frames inside, seconds outside; the same probabilities always give the same plan.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAME_SECONDS = 0.032
SURE, MAYBE = 128, 77  # of 255: speech is a run above MAYBE (0.3) that reaches SURE (0.5)
MIN_SPEECH = 3  # frames; shorter is a click
MIN_SURE = 3  # frames of it that reach SURE: where a chord is struck one or two do, and a model writes sentences there
MARGIN = 6  # frames (0.19 s) kept around speech: soft consonants are missed, and engines clip the first word
MIN_PAUSE = 2 * MARGIN  # a shorter one lies between two words; both margins fit into this
LONGEST = 937  # frames (29.98 s): what the model hears at once is 30 s
LONGEST_PAUSE = 156 - 2 * MARGIN  # frames within a window: pauses of 5 s and more invite invented text
LATTER_PART = LONGEST // 2  # a long speech is cut after this
SPAN_SECONDS = (300.0, 600.0)  # at least, unless a long pause comes between or the end is near; at most
# Of what is left of the recording, at least as much as a span holds: towards the end spans get short, so that no slot
# still has minutes to hear when the others are done. Two slots were 1.6 times as fast as one for 20 minutes without.
SHARE_OF_REST = 1 / 4
WINDOW_SECONDS, BATCH_SECONDS, LARGEST_BATCH = 30.0, 15.0, 8
VOTING_WINDOWS = 6  # spread over the recording: its first minute may be music, silence or the other language

Run = tuple[int, int]  # from this frame up to, not including, that one


@dataclass(frozen=True)
class Window:
    """At most 30 s to hear at once, `start` to `end` in seconds; `span` and `batch` count from 0 in the recording."""

    start: float
    end: float
    span: int
    batch: int


def plan(
    probabilities: NDArray[np.uint8],
    duration: float,
    windows_per_batch: int,
    within: tuple[float, float] | None = None,
) -> list[Window]:
    """Windows that cover all speech and never overlap, in order; none for a recording without speech.

    A window starts and ends with speech, except where speech goes on for more than 30 s: there it is cut at its
    quietest place. `duration` in seconds ends the last window, since the last frame may reach beyond it. `within`, also
    in seconds, is the part to hear: no window reaches out of it.
    """
    first, last = (0.0, duration) if within is None else (within[0], min(within[1], duration))
    heard = probabilities if within is None else _only(probabilities, within)
    pieces = [part for run in find_speech(heard) for part in _cut(heard, run)]
    bounds = [(max(first, _seconds(start)), min(_seconds(end), last)) for start, end in _merge(pieces)]
    return _group([(start, end) for start, end in bounds if start < end], windows_per_batch)


def windows_per_batch(speed: float) -> int:
    """How many full windows an engine of this speed (audio seconds a second) hears in 15 s: 1, 2, 4 or 8."""
    size = 1
    while size < LARGEST_BATCH and 2 * size * WINDOW_SECONDS <= BATCH_SECONDS * speed:
        size *= 2
    return size


def spread[T](windows: Sequence[T], count: int = VOTING_WINDOWS) -> Sequence[T]:
    """At most `count` of them, evenly over the whole list: those that vote on the language."""
    if len(windows) <= count:
        return windows
    return [windows[round(index * (len(windows) - 1) / (count - 1))] for index in range(count)]


def find_speech(probabilities: NDArray[np.uint8]) -> list[Run]:
    """Everything said, with a margin of 0.2 s; from one byte for each frame."""
    reached = np.concatenate([[0], np.cumsum(probabilities >= SURE)])
    said = [run for run in _runs(probabilities >= MAYBE) if reached[run[1]] - reached[run[0]] >= MIN_SURE]
    joined = [run for run in _join(said) if run[1] - run[0] >= MIN_SPEECH]
    return [(max(0, start - MARGIN), min(end + MARGIN, len(probabilities))) for start, end in joined]


def _runs(flags: NDArray[np.bool_]) -> list[Run]:
    steps = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return list(zip(steps[::2].tolist(), steps[1::2].tolist(), strict=True))


def _join(runs: list[Run]) -> list[Run]:
    joined: list[Run] = []
    for start, end in runs:
        if joined and start - joined[-1][1] < MIN_PAUSE:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _cut(probabilities: NDArray[np.uint8], run: Run) -> list[Run]:
    """Pieces no longer than a window, cut where speech is least likely; the last such place, for long windows."""
    start, end = run
    pieces = []
    while end - start > LONGEST:
        low, high = start + LATTER_PART, min(start + LONGEST, end - MIN_PAUSE)
        around = np.convolve(probabilities[low - 2 : high + 2].astype(np.int32), np.ones(5, np.int32), "valid")
        cut = low + len(around) - 1 - int(around[::-1].argmin())
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _merge(pieces: list[Run]) -> list[Run]:
    """Windows as full as they get without bridging a long pause."""
    windows: list[Run] = []
    for start, end in pieces:
        if windows and end - windows[-1][0] <= LONGEST and start - windows[-1][1] <= LONGEST_PAUSE:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def _group(bounds: list[tuple[float, float]], size: int) -> list[Window]:
    windows: list[Window] = []
    span = batch = held = 0
    opened = bounds[0][0] if bounds else 0.0
    for start, end in bounds:
        full, too_far = held == size, end - opened > SPAN_SECONDS[1]
        least = min(SPAN_SECONDS[0], SHARE_OF_REST * (bounds[-1][1] - opened))
        if too_far or (full and windows[-1].end - opened >= least):
            span, opened = span + 1, start
        if too_far or full:
            batch, held = batch + 1, 0
        windows.append(Window(start, end, span, batch))
        held += 1
    return windows


def _only(probabilities: NDArray[np.uint8], within: tuple[float, float]) -> NDArray[np.uint8]:
    """Silence but for the frames that touch the part."""
    first, last = int(within[0] // FRAME_SECONDS), math.ceil(within[1] / FRAME_SECONDS)
    kept = np.zeros_like(probabilities)
    kept[first:last] = probabilities[first:last]
    return kept


def _seconds(frame: int) -> float:
    return round(frame * FRAME_SECONDS, 3)
