"""When each word of the sample recordings is said, by espeak-ng's own word events, kept in `samples/*.tsv`.

`python -m worker.demo.moments` writes the files; times of words are compared with them.
"""

import ctypes
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_short, c_size_t, c_uint, c_void_p
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from worker.demo.samples import NAMES, SAMPLES, SEED, sample
from worker.demo.speech import HEARD, RATE, Line, lines, resample

RETRIEVAL, WORD, NO_MORE = 1, 1, 0  # speak_lib.h: sound comes by callback; kinds of events
SPEED, PITCH = 1, 3
AS_PROGRAM = 0x1100  # phonemes in brackets, and the pause at the end


@dataclass(frozen=True)
class Moment:
    """A word as written, and its bounds in seconds of the recording; two where espeak-ng joins them ("in the")."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Said:
    """A line as spoken: how many samples at `RATE`, and (sample, place in the text) of each word."""

    length: int
    words: list[tuple[int, int]]


class Event(ctypes.Structure):
    """`espeak_EVENT`: `place` counts characters of the text from 1, `sample` is at the library's own rate."""

    _fields_ = (
        ("kind", c_int),
        ("number", c_uint),
        ("place", c_int),
        ("length", c_int),
        ("milliseconds", c_int),
        ("sample", c_int),
        ("user", c_void_p),
        ("name", ctypes.c_char * 8),
    )


def moments(language: str) -> list[Moment]:
    """Of the words `read_moments` gives, from espeak-ng itself."""
    spoken = lines(150, SEED, unseen=True, languages=(language,))
    # A process for each line: what the library says depends a little on what it said before.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        said = {(line.text, one.length): one for line, one in zip(spoken, pool.map(say, spoken), strict=True)}
    return [
        moment
        for place in sample(language).placed
        for moment in _moments(place.text, place.start, said[place.text, place.end - place.start])
    ]


def read_moments(language: str) -> list[Moment]:
    """Of the sample of this language, in order."""
    rows = (SAMPLES / f"{NAMES[language]}.tsv").read_text().splitlines()
    return [Moment(float(start), float(end), text) for start, end, text in (row.split("\t") for row in rows)]


def write_moments() -> None:
    """Write the files of both samples."""
    for language, name in NAMES.items():
        rows = [f"{one.start:.3f}\t{one.end:.3f}\t{one.text}\n" for one in moments(language)]
        (SAMPLES / f"{name}.tsv").write_text("".join(rows))


def say(line: Line) -> Said:
    """Speak a line with libespeak-ng, as the program of that name does; only the first in a process is the same."""
    library = ctypes.CDLL("libespeak-ng.so.1")
    rate = library.espeak_Initialize(RETRIEVAL, 0, None, 0)
    pieces: list[bytes] = []
    words: list[tuple[int, int]] = []

    def hear(sound: Any, count: int, events: Any) -> int:
        pieces.append(ctypes.string_at(sound, 2 * count) if count > 0 else b"")
        words.extend((event.sample, event.place - 1) for event in _until_end(events) if event.kind == WORD)
        return 0

    called = CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(Event))(hear)
    library.espeak_SetSynthCallback(called)
    library.espeak_SetVoiceByName(line.voice.encode())
    library.espeak_SetParameter(SPEED, line.speed, 0)
    library.espeak_SetParameter(PITCH, line.pitch, 0)
    library.espeak_Synth.argtypes = [c_char_p, c_size_t, c_uint, c_int, c_uint, c_uint, c_void_p, c_void_p]
    text = line.text.encode()
    library.espeak_Synth(text, len(text) + 1, 0, 0, 0, AS_PROGRAM, None, None)
    library.espeak_Synchronize()
    return _cut(np.frombuffer(b"".join(pieces), "<i2"), words, rate)


def _until_end(events: Any) -> Iterator[Any]:
    index = 0
    while events[index].kind != NO_MORE:
        yield events[index]
        index += 1


def _cut(sound: np.ndarray[Any, np.dtype[np.int16]], words: list[tuple[int, int]], rate: int) -> Said:
    """As `worker.demo.speech.speak` cuts the silence away."""
    samples = resample(sound.astype(np.float32) / np.float32(32768), rate)
    loud = np.flatnonzero(np.abs(samples) > HEARD)
    first, length = int(loud[0]), int(loud[-1] + 1 - loud[0])
    return Said(length, [(min(max(round(at * RATE / rate) - first, 0), length), place) for at, place in words])


def _moments(text: str, start: int, said: Said) -> Iterator[Moment]:
    words = [(at, place) for at, place in said.words if place < len(text) - 1]
    for (at, place), (until, next_place) in pairwise([*words, (said.length, len(text))]):
        yield Moment((start + at) / RATE, (start + until) / RATE, text[place:next_place].strip())


if __name__ == "__main__":
    write_moments()
