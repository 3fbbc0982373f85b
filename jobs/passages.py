"""Stretches of speech merged into passages to read: a new one begins at a pause, and at the end of a sentence.

The rule looks at two neighbours alone and at nothing before them, so text that arrives late, between others, can be
put into place without reading the rest again. `static/js/transcript.js` has the same rule; a test compares them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobs.models import Segment

PAUSE = 2.0  # seconds of silence that begin a passage even in mid-sentence
BREATH = 1.5  # the same, where a sentence has ended
USUAL, LONGEST = 30, 120  # seconds: a passage ends with the first sentence beyond one, without any beyond the other
ENDED = re.compile("[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019\u00bb)\\]]*$")  # escaped: they look like others
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]$")


@dataclass(frozen=True)
class Passage:
    """What is read as one paragraph; `start` in seconds."""

    start: float
    segments: list[Segment] = field(default_factory=list)


def passages(segments: Iterable[Segment]) -> list[Passage]:
    """Segments in time order, as passages. In any other order (text as it was stored) neighbours simply stay apart."""
    found: list[Passage] = []
    before: Segment | None = None
    for segment in segments:
        if before is None or not continues(before, segment):
            found.append(Passage(segment.start))
        found[-1].segments.append(segment)
        before = segment
    return found


def continues(before: Segment, after: Segment) -> bool:
    """Whether `after` belongs to the passage of `before`, the segment next to it in time."""
    ended = ENDED.search(before.text.strip()) is not None
    first, last, second = round(before.start, 3), round(before.end, 3), round(after.start, 3)  # as the page tells them
    pause, cell = (BREATH, USUAL) if ended else (PAUSE, LONGEST)
    return first <= second and second - last < pause and first // cell == second // cell


def space_after(text: str) -> str:
    """What separates these words from the next: nothing in scripts that are written without spaces."""
    return "" if UNSPACED.search(text.strip()) else " "


def word_marks(segment: Segment) -> str:
    """For the player: when each word begins, in hundredths of a second from the segment's start, and how many UTF-16
    units of the text it takes ("0:3 21:9"); empty where the times of words are not known."""
    texts = [str(text) for _, _, text, _ in segment.words]
    if not texts or "".join(texts).strip() != segment.text:
        return ""
    texts[0], texts[-1] = texts[0].lstrip(), texts[-1].rstrip() if len(texts) > 1 else texts[0].strip()
    starts = (round(100 * (start - segment.start)) for start, _, _, _ in segment.words)
    return " ".join(f"{start}:{_units(text)}" for start, text in zip(starts, texts, strict=True))


def _units(text: str) -> int:
    """As scripts in browsers count them."""
    return len(text.encode("utf-16-le")) // 2
