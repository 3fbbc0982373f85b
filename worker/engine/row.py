"""One window while it is heard: how far it was heard, and what was said."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor
from whisper.tokenizer import Tokenizer

from worker.engine.base import Piece, Segment, Word
from worker.engine.decode import Result
from worker.engine.splitting import Part, split

FRAMES_A_POSITION = 2  # a position of a timestamp is 0.02 s, a frame of the spectrogram 0.01 s
FRAME = 0.01
SHORTEST_REST = 20  # frames; windows end in pauses, and in less nobody says a word


@dataclass(frozen=True)
class Taken:
    """The parts that became a row's last segments. The first of `positions` of sound is at `offset` seconds."""

    parts: Sequence[Part] = ()
    positions: int = 0
    offset: float = 0.0


@dataclass
class Row:
    """`length` and `seek` in frames; everything before `seek` was heard."""

    piece: Piece
    mel: Tensor
    length: int
    seek: int = 0
    segments: list[Segment] = field(default_factory=list)
    other_language: str = ""  # what is surely spoken, where that is not the language it is heard in

    @property
    def heard(self) -> bool:
        return self.length - self.seek < SHORTEST_REST

    def take(self, result: Result, tokenizer: Tokenizer) -> Taken:
        """Add what was decoded from `seek` on, and move `seek` past it. It always moves."""
        positions, offset = (self.length - self.seek) // FRAMES_A_POSITION, self._seconds(0)
        found = split(result.tokens, tokenizer.timestamp_begin, positions)
        made = [(part, self._segment(part, result, tokenizer)) for part in found.parts if part.start != part.end]
        made = [(part, segment) for part, segment in made if segment.text]
        self.segments += [segment for _, segment in made]
        if found.heard_to:
            self.seek += found.heard_to * FRAMES_A_POSITION
        else:
            self.skip()
        return Taken([part for part, _ in made], positions, offset)

    def skip(self) -> Taken:
        """Nothing is said in the rest."""
        self.seek = self.length
        return Taken()

    def time(self, words: Sequence[tuple[Word, ...]]) -> None:
        """The words of the segments added last."""
        first = len(self.segments) - len(words)
        timed = zip(self.segments[first:], words, strict=True)
        self.segments[first:] = [replace(segment, words=said) for segment, said in timed]

    def _segment(self, part: Part, result: Result, tokenizer: Tokenizer) -> Segment:
        return Segment(
            start=self._seconds(part.start),
            end=self._seconds(part.end),
            text=clean(tokenizer.decode([token for token in part.tokens if token < tokenizer.eot])),
            average_log_probability=result.average_log_probability,
            no_speech_probability=result.no_speech_probability,
            compression_ratio=result.compression_ratio,
            temperature=result.temperature,
        )

    def _seconds(self, position: int) -> float:
        """In the recording. Never outside the window: a model may point into the silence added after it."""
        at = self.piece.start + (self.seek + position * FRAMES_A_POSITION) * FRAME
        return round(min(max(at, self.piece.start), self.piece.end), 3)


def clean(text: str) -> str:
    """Printable, without outer spaces."""
    return printable(text).strip()


def printable(text: str) -> str:
    """Control characters become spaces: Postgres refuses NUL, a terminal obeys others."""
    return "".join(" " if unicodedata.category(character) in CONTROL else character for character in text)


CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
