"""One window while it is heard: how far it was heard, and what was said."""

import unicodedata
from dataclasses import dataclass, field

from torch import Tensor
from whisper.tokenizer import Tokenizer

from worker.engine.base import Piece, Segment
from worker.engine.decode import Result
from worker.engine.splitting import Part, split

FRAMES_A_POSITION = 2  # a position of a timestamp is 0.02 s, a frame of the spectrogram 0.01 s
FRAME = 0.01
SHORTEST_REST = 20  # frames; windows end in pauses, and in less nobody says a word


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

    def take(self, result: Result, tokenizer: Tokenizer) -> None:
        """Add what was decoded from `seek` on, and move `seek` past it. It always moves."""
        found = split(result.tokens, tokenizer.timestamp_begin, (self.length - self.seek) // FRAMES_A_POSITION)
        segments = [self._segment(part, result, tokenizer) for part in found.parts if part.start != part.end]
        self.segments += [segment for segment in segments if segment.text]
        if found.heard_to:
            self.seek += found.heard_to * FRAMES_A_POSITION
        else:
            self.skip()

    def skip(self) -> None:
        """Nothing is said in the rest."""
        self.seek = self.length

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
    """Control characters become spaces (Postgres refuses NUL, a terminal obeys others); outer spaces go."""
    return "".join(" " if unicodedata.category(character) in CONTROL else character for character in text).strip()


CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
