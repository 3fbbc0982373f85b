"""Subtitles out of segments: cues people can read in the time they stand there, in order, never two at once."""

from bisect import bisect_left, bisect_right
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
    said = (segment for segment in segments_of(run, words=True) if segment.text.strip())
    for segment, following in pairwise(chain(said, [None])):
        assert segment is not None
        texts = _cut(" ".join(segment.text.split()))
        start = max(free, _milliseconds(segment.start))
        end = _end(segment, following, earliest=start + SHORTEST * len(texts))
        yield from _spread(texts, _begins(texts, segment), start, end)
        free = end


def times(cue: Cue, mark: str) -> str:
    """The line of times of SubRip and WebVTT, which differ in the decimal mark."""
    return f"{_clock(cue.start, mark)} --> {_clock(cue.end, mark)}"


def _end(segment: Segment, following: Segment | None, earliest: int) -> int:
    latest = _milliseconds(segment.end)
    return max(earliest, latest if following is None else min(latest, _milliseconds(following.start)))


def _begins(texts: list[tuple[str, ...]], segment: Segment) -> list[int]:
    """When the first word of each text but the first is said; of a text that a long word is cut for, when that began.
    Empty where the times of words are not known."""
    letters = list(accumulate(len("".join(text.split())) for _, _, text, _ in segment.words))
    before = list(accumulate(len("".join("".join(lines).split())) for lines in texts))
    if not letters or letters[-1] != before[-1]:
        return []
    return [_milliseconds(segment.words[bisect_right(letters, count)][0]) for count in before[:-1]]


def _spread(texts: list[tuple[str, ...]], begins: list[int], start: int, end: int) -> Iterator[Cue]:
    """Each part begins with its first word, or gets time by its characters; none has less than the shortest."""
    spare = end - start - SHORTEST * len(texts)
    weights = list(accumulate(sum(map(len, lines)) for lines in texts))
    even = [start + SHORTEST * count + spare * weight // weights[-1] for count, weight in enumerate(weights, 1)]
    edges = [start]
    for left, wanted in zip(range(len(texts) - 1, 0, -1), begins or even, strict=False):
        edges.append(min(max(wanted, edges[-1] + SHORTEST), end - SHORTEST * left))
    for lines, (first, last) in zip(texts, pairwise([*edges, end]), strict=True):
        yield Cue(first, last, lines)


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
