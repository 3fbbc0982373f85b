"""Subtitles out of segments: cues people can read in the time they stand there, in order, never two at once."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from textwrap import wrap

from jobs.exports.segments import segments_of
from jobs.models import Run, Segment

WIDTH, LINES = 42, 2  # what broadcasters agree on: more is not read in time
SHORTEST = 100  # milliseconds of a cue; engines give stretches that last no time at all


@dataclass(frozen=True)
class Cue:
    """One or two lines of text, shown from `start` until before `end`: milliseconds of the recording."""

    start: int
    end: int
    lines: tuple[str, ...]


def cues(run: Run) -> Iterator[Cue]:
    """Every word of the run, as far as it is written. Each cue ends after it starts, and before the next one starts."""
    free = 0
    said = (segment for segment in segments_of(run) if segment.text.strip())
    for segment, following in pairwise(chain(said, [None])):
        assert segment is not None
        texts = _cut(" ".join(segment.text.split()))
        start = max(free, _milliseconds(segment.start))
        end = _end(segment, following, earliest=start + SHORTEST * len(texts))
        yield from _spread(texts, start, end)
        free = end


def times(cue: Cue, mark: str) -> str:
    """The line of times of SubRip and WebVTT, which differ in the decimal mark."""
    return f"{_clock(cue.start, mark)} --> {_clock(cue.end, mark)}"


def _end(segment: Segment, following: Segment | None, earliest: int) -> int:
    latest = _milliseconds(segment.end)
    return max(earliest, latest if following is None else min(latest, _milliseconds(following.start)))


def _spread(texts: list[tuple[str, ...]], start: int, end: int) -> Iterator[Cue]:
    """There are no times of words, so each part gets time by its characters, and none less than the shortest."""
    spare = end - start - SHORTEST * len(texts)
    weights = list(accumulate(sum(map(len, lines)) for lines in texts))
    ends = [start + SHORTEST * count + spare * weight // weights[-1] for count, weight in enumerate(weights, 1)]
    for lines, (begins, stops) in zip(texts, pairwise([start, *ends]), strict=True):
        yield Cue(begins, stops, lines)


def _cut(text: str) -> list[tuple[str, ...]]:
    """As few cues as hold the text, in lines of about equal length."""
    needed = len(wrap(text, WIDTH))
    if needed > LINES:
        needed += -needed % LINES  # whole cues: a last one of one word would flash by
    lines = _even(text, needed)
    return [tuple(lines[place : place + LINES]) for place in range(0, len(lines), LINES)]


def _even(text: str, count: int) -> list[str]:
    """At most `count` lines, as narrow as they can be without cutting a word that fits."""
    narrowest = min(WIDTH, max(map(len, text.split())))
    width = bisect_left(range(WIDTH), True, lo=narrowest, key=lambda width: len(wrap(text, width)) <= count)
    return wrap(text, width)


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{rest:03}"


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))
