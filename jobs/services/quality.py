"""What a reader should listen to again, computed from the segments and windows of a run at its end.

The guards of the engine (`worker.engine.guards`) leave notes, the decoder leaves scores; here they become entries with
their moment. Nothing is judged right: a transcript without entries is one in which nothing stood out.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from math import exp
from typing import Any

from jobs.models import Run, Segment, Window

VERSION = 1  # grows when a field is renamed or removed, not when one is added
MOST = 200  # entries kept, in the order of time; the rest is counted
NEIGHBOURS = 2.0  # seconds between two entries of one kind that are one to a reader
UNSURE = -0.8  # mean logarithm of the probabilities; the engine itself tries again below -1
NO_SPEECH = 0.6  # probability
REPEATING = 2.4  # times the text can be compressed
# A window holds no pause of 5 s (`worker.plan`), so somebody speaks in every gap longer than this.
LONGEST_GAP = 6.0
SHORTEST_SILENT = 3.0  # seconds of a window without any text: in less there may be a cough
SENTENCES_IN_A_ROW, WORDS_IN_A_ROW = 4, 8  # of the same text are odd
WORD = re.compile(r"\w+")

LOOP_CUT, REPEATED, TOO_FAST, LOW_CONFIDENCE = "loop_cut", "repeated", "too_fast", "low_confidence"
NO_SPEECH_HEARD, OTHER_LANGUAGE, REPEATS_ITSELF = "no_speech_heard", "other_language", "repeating"
NO_TEXT, CRASHED, NOT_HEARD = "no_text", "crashed", "not_heard"


@dataclass(frozen=True)
class Entry:
    """Seconds of the recording and what is odd there.

    `measure` by code: loop_cut, no_text, not_heard and other_language: seconds; low_confidence: the lowest mean
    probability (0..1); repeating: compression ratio; no_speech_heard: the decoder's probability that nobody speaks;
    too_fast: characters a second; repeated: times; crashed: engines that died.
    """

    start: float
    end: float
    code: str
    measure: float | None = None
    language: str = ""


def report_of(run: Run) -> dict[str, Any]:
    """`{"version", "counts": {code: number}, "entries": [{"start", "end", "code", "measure", "language"?}], "more"}`,
    in the order of time; `more` entries are left out."""
    found = sorted(_joined([*_of_text(run), *_never_heard(run)]), key=lambda entry: (entry.start, entry.code))
    return {
        "version": VERSION,
        "counts": dict(sorted(Counter(entry.code for entry in found).items())),
        "entries": [_as_json(entry) for entry in found[:MOST]],
        "more": max(0, len(found) - MOST),
    }


def doubts(segment: Segment) -> list[Entry]:
    """What speaks against these words, the gravest first: the notes of the guards, then the scores."""
    found = {entry.code: entry for entry in _by_scores(segment)}
    noted = [_noted(segment, note) for note in segment.notes]
    return [found.pop(entry.code, entry) for entry in noted] + list(found.values())


def _noted(segment: Segment, note: str) -> Entry:
    code, _, language = note.partition(":")
    length = segment.end - segment.start
    measure = len(segment.text.strip()) / length if code == TOO_FAST and length > 0 else None
    return Entry(segment.start, segment.end, code, measure, language)


def _by_scores(segment: Segment) -> Iterator[Entry]:
    ratio, silence, sure = segment.compression_ratio, segment.no_speech_probability, segment.average_log_probability
    if ratio is not None and ratio > REPEATING:
        yield Entry(segment.start, segment.end, REPEATS_ITSELF, ratio)
    if silence is not None and silence > NO_SPEECH:
        yield Entry(segment.start, segment.end, NO_SPEECH_HEARD, silence)
    if sure is not None and sure < UNSURE:
        yield Entry(segment.start, segment.end, LOW_CONFIDENCE, exp(sure))


def _of_text(run: Run) -> Iterator[Entry]:
    segments = list(run.segments.order_by("start", "pk").defer("words"))
    yield from _repeated(segments)
    said: dict[int, list[Segment]] = defaultdict(list)
    for segment in segments:
        said[segment.window_id].append(segment)
    for window in run.windows.exclude(done_at=None).order_by("start"):
        segments = said[window.pk]
        if window.engine_deaths:
            yield Entry(window.start, window.end, CRASHED, window.engine_deaths)
        for segment in segments:
            yield from doubts(segment)
        yield from _wordless(window, segments)


def _repeated(segments: Iterable[Segment]) -> Iterator[Entry]:
    """The same words over and over, from window to window; within one the guards have cut them."""
    for text, group in groupby(segments, key=lambda segment: " ".join(WORD.findall(segment.text.casefold()))):
        same = list(group)
        often = SENTENCES_IN_A_ROW if " " in text else WORDS_IN_A_ROW  # people answer "Yes." many times
        if text and len(same) >= often:
            yield Entry(same[0].start, same[-1].end, REPEATED, len(same))


def _wordless(window: Window, segments: Sequence[Segment]) -> Iterator[Entry]:
    """Speech without text: a whole window, or a gap that is too long for a pause. Behind a cut loop it is the loop."""
    bounds = [(window.start, window.start), *((s.start, s.end) for s in segments), (window.end, window.end)]
    looped = {s.end for s in segments if LOOP_CUT in s.notes}
    limit = LONGEST_GAP if segments else SHORTEST_SILENT
    for (_, before), (after, _) in pairwise(bounds):
        if after - before > limit:
            yield Entry(before, after, LOOP_CUT if before in looped else NO_TEXT)


def _never_heard(run: Run) -> Iterator[Entry]:
    """Of a run that heard a part again: what the transcription it goes on from had not come to, outside that part."""
    parent = run.parent
    if parent is None or run.span_start is None or run.span_end is None:
        return
    holes = [(w.start, w.end) for w in parent.windows.filter(done_at=None)]
    holes += [(e["start"], e["end"]) for e in (parent.report or {}).get("entries", []) if e["code"] == NOT_HEARD]
    for start, end in holes:
        for first, last in ((start, min(end, run.span_start)), (max(start, run.span_end), end)):
            if last > first:
                yield Entry(first, last, NOT_HEARD)


def _joined(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Neighbours of one kind made one."""
    kinds: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.start):
        kind = kinds[entry.code, entry.language]
        if kind and entry.start - kind[-1].end <= NEIGHBOURS:
            kind[-1] = _one(kind[-1], entry)
        else:
            kind.append(entry)
    for kind in kinds.values():
        yield from map(_measured, kind)


def _one(first: Entry, second: Entry) -> Entry:
    measures = [m for m in (first.measure, second.measure) if m is not None]
    worst = min if first.code == LOW_CONFIDENCE else max
    return replace(first, end=max(first.end, second.end), measure=worst(measures, default=None))


def _measured(entry: Entry) -> Entry:
    """Of what has no other measure, the seconds."""
    by_length = entry.code in (LOOP_CUT, NO_TEXT, NOT_HEARD, OTHER_LANGUAGE)
    return replace(entry, measure=entry.end - entry.start) if by_length else entry


def _as_json(entry: Entry) -> dict[str, Any]:
    said = {"start": round(entry.start, 3), "end": round(entry.end, 3), "code": entry.code}
    measure = None if entry.measure is None else round(entry.measure, 2)
    return {**said, "measure": measure} | ({"language": entry.language} if entry.language else {})
