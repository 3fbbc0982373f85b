"""What is not believed of heard text. Loops are cut, all else is marked: nothing is dropped without a word.

Whisper invents text where nobody speaks clearly, and gets caught in loops (openai/whisper discussion 679). What is
told apart here is the form of text, never its words: lists of known phrases ("Thanks for watching") are per model and
language, people say those phrases too, and a list drops them without a trace.

Pure: no torch, no house code but the port's dataclasses. The codes are those of `jobs.services.quality`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from worker.engine.base import Segment

COMPRESSION_RATIO = 2.4  # openai-whisper's: above, it repeats itself
LOG_PROBABILITY = -1.0  # openai-whisper's: mean over tokens, below, it guesses
LONGEST_PHRASE = 24  # units: words, or characters where words are not parted
# Times in a row that a phrase of so many units is not said by people; longer ones: LAST. "No, no, no, no" and laughter
# in characters are usual, a sentence four times without a word between is not. Chosen, not measured.
WORDS, CHARACTERS = {1: 8, 2: 6, 3: 5}, {1: 15, 2: 8, 3: 6}
LAST = 4
# Speech is 5-8 syllables a second (17 languages: Coupe et al., Science Advances 5, 2019), English and German 2-4 words;
# a record of 370 words a minute is 6 a second, and Whisper writes it rightly (ggml-org/whisper.cpp issue 3256). The
# demo's recordings have 2 words and 14 letters a second.
WORDS_A_SECOND, LETTERS_A_SECOND, CHARACTERS_A_SECOND = 8.0, 30.0, 15.0
ROUGH = 0.4  # seconds by which the two times of a segment may be off together
FEWEST_WORDS, FEWEST_CHARACTERS = 5, 10  # in fewer, times are too rough to tell
SURE_OF_LANGUAGE = 0.8
LANGUAGE_SECONDS = 5.0  # in less sound of a window its language is a guess

LOOP_CUT, TOO_FAST, LOW_CONFIDENCE, OTHER_LANGUAGE = "loop_cut", "too_fast", "low_confidence", "other_language"
NO_SPEECH_HEARD = "no_speech_heard"

UNPARTED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f"
UNIT = re.compile(f"[{UNPARTED}]|[^\\s{UNPARTED}]+")
CHARACTER = re.compile(f"[{UNPARTED}]")


@dataclass(frozen=True)
class Unit:
    """A word or a character as compared (`said`: without case and punctuation), and where it stands in its text."""

    said: str
    text: int
    start: int
    end: int


@dataclass(frozen=True)
class Loop:
    """`times` times the same `length` units, from `first` on."""

    first: int
    length: int
    times: int


def loops(text: str) -> bool:
    """Whether a phrase is said more often in a row than people do: reason to hear the window again."""
    return next(_loops(_units([text])), None) is not None


def guarded(segments: Sequence[Segment], other_language: str = "") -> list[Segment]:
    """The segments of a window in order: of each loop what is said first, and each with its notes.

    `other_language`: the code of the language this window surely is in, where that is not the one it was heard in.
    """
    units = _units([segment.text for segment in segments])
    cuts: dict[int, list[tuple[int, int]]] = {}
    looped: set[int] = set()
    for loop in _loops(units):
        repeats = units[loop.first + loop.length : loop.first + loop.length * loop.times]
        looped.add(units[loop.first + loop.length - 1].text)
        for place in {unit.text for unit in repeats}:
            here = [unit for unit in repeats if unit.text == place]
            cuts.setdefault(place, []).append((here[0].start, here[-1].end))
    kept = [_without(segment, cuts.get(place, [])) for place, segment in enumerate(segments)]
    language = f"{OTHER_LANGUAGE}:{other_language}" if other_language else ""
    return [
        replace(left, notes=tuple(_notes(segment, looped=place in looped, language=language)))
        for place, (segment, left) in enumerate(zip(segments, kept, strict=True))
        if left.text
    ]


def too_fast(text: str, seconds: float) -> bool:
    """Whether nobody can say this text in this time."""
    units, characters = UNIT.findall(text), CHARACTER.findall(text)
    time = seconds + ROUGH
    if 2 * len(characters) > len(units):  # a script without spaces between words
        return len(characters) >= FEWEST_CHARACTERS and len(characters) / time > CHARACTERS_A_SECOND
    letters = sum(map(len, units))
    return len(units) >= FEWEST_WORDS and (len(units) / time > WORDS_A_SECOND or letters / time > LETTERS_A_SECOND)


def _notes(segment: Segment, *, looped: bool, language: str) -> Iterator[str]:
    """`segment` as it was heard, before its loops were cut."""
    yield from segment.notes
    if looped:
        yield LOOP_CUT
    elif too_fast(segment.text, segment.end - segment.start):
        yield TOO_FAST
    # What fails by its scores was heard again at every temperature: this is the last of them.
    if segment.average_log_probability < LOG_PROBABILITY or segment.compression_ratio > COMPRESSION_RATIO:
        yield LOW_CONFIDENCE
    if language:
        yield language


def _units(texts: Sequence[str]) -> list[Unit]:
    found = []
    for place, text in enumerate(texts):
        for match in UNIT.finditer(text):
            said = "".join(character for character in match[0].casefold() if character.isalnum())
            if said:
                found.append(Unit(said, place, match.start(), match.end()))
    return found


def _loops(units: Sequence[Unit]) -> Iterator[Loop]:
    """In order, apart from each other; of two that begin together the one with the shorter phrase."""
    said = [unit.said for unit in units]
    at = 0
    while at < len(said):
        longest = min(LONGEST_PHRASE, len(said) - 1 - at)
        lengths = (length for length in range(1, longest + 1) if said[at + length] == said[at])  # hardly ever any
        tried = (Loop(at, length, _times(said, at, length)) for length in lengths)
        found = next((loop for loop in tried if loop.times >= _too_often(said[at : at + loop.length])), None)
        if found is not None:
            yield found
        at += found.length * found.times if found is not None else 1


def _times(said: Sequence[str], at: int, length: int) -> int:
    """How often the `length` units at `at` follow each other."""
    phrase, times = said[at : at + length], 1
    while said[at + times * length : at + (times + 1) * length] == phrase:
        times += 1
    return times


def _too_often(phrase: Sequence[str]) -> int:
    unparted = all(CHARACTER.fullmatch(unit) for unit in phrase)
    return (CHARACTERS if unparted else WORDS).get(len(phrase), LAST)


def _without(segment: Segment, cuts: Sequence[tuple[int, int]]) -> Segment:
    """The segment without these stretches of its text, and without their words."""
    if not cuts:
        return segment
    text, words, at = segment.text, [], 0
    for word in segment.words:
        start = max(at, text.find(word.text.strip(), at))
        at = start + len(word.text.strip())
        if not any(start < last and at > first for first, last in cuts):
            words.append(word)
    for first, last in reversed(cuts):
        text = text[:first].rstrip() + text[last:]
    return replace(segment, text=text.strip(), words=tuple(words))
