"""The words of segments that were just heard, from the same encoded sound: one more pass of the decoder over the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, batched, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from whisper.tokenizer import Tokenizer

from worker.engine.alignment import Focus, agreement, entries, focus
from worker.engine.base import Word
from worker.engine.decoder import Decoder
from worker.engine.heads import Heads
from worker.engine.memory import Memory
from worker.engine.wording import Draft, Timed, words_of

POSITION = 0.02  # seconds
Numbers = NDArray[np.floating]
TRUSTED = 0.7  # of a segment's tokens; measured: from there on the median error of word starts is 0.1 s
TOGETHER = {"cpu": 1, "cuda": 4}  # rows in one pass: their attention to 1500 positions is held for all heads at once


@dataclass(frozen=True)
class Heard:
    """A segment: its text tokens, and its bounds in positions of the row's sound."""

    tokens: Sequence[int]
    start: int
    end: int


@dataclass(frozen=True)
class Sound:
    """What was heard of one row of a memory: `positions` of it hold sound, the first is at `offset` seconds."""

    row: int
    positions: int
    offset: float
    segments: Sequence[Heard]


class Aligner:
    """`sure`: openai chose `heads` for these weights. Others are believed where they agree with themselves, and
    elsewhere the words of a segment share its time by their letters."""

    def __init__(self, decoder: Decoder, heads: Heads, *, sure: bool) -> None:
        self._decoder, self._heads, self._sure = decoder, heads, sure

    def words(self, memory: Memory, sounds: Sequence[Sound], tokenizer: Tokenizer) -> list[list[tuple[Word, ...]]]:
        """For each sound the words of each segment: in order, within their segment, never over each other."""
        found: list[list[tuple[Word, ...]]] = []
        size = TOGETHER[self._decoder.device.type]
        for some in batched([sound for sound in sounds if sound.segments], size):
            found += self._some(memory.select([sound.row for sound in some]), some, tokenizer)
        words = iter(found)
        return [next(words) if sound.segments else [] for sound in sounds]

    def _some(self, memory: Memory, sounds: Sequence[Sound], tokenizer: Tokenizer) -> list[list[tuple[Word, ...]]]:
        texts = [[token for segment in sound.segments for token in segment.tokens] for sound in sounds]
        before, longest = [*tokenizer.sot_sequence, tokenizer.no_timestamps], max(map(len, texts))
        shown = [[*before, *text, *[tokenizer.eot] * (1 + longest - len(text))] for text in texts]
        tokens = torch.tensor(shown, device=self._decoder.device)
        forced = self._decoder.forced(memory, tokens, self._heads, end=tokenizer.eot)
        first = len(before) - 1  # what a token looks at tells where the next one is
        chances = forced.log_probabilities[:, first:].exp().cpu().numpy()
        found = []
        for row, (sound, text) in enumerate(zip(sounds, texts, strict=True)):
            looks = focus(forced.attention[row, :, : len(before) + len(text) + 1], sound.positions)
            timed = self._timed(sound, looks[first:-1], chances[row], tokenizer)
            found.append(
                [_words(sound, *pair) for pair in zip(sound.segments, words_of(timed, tokenizer), strict=True)]
            )
        return found

    def _timed(self, sound: Sound, looks: Focus, chances: Numbers, tokenizer: Tokenizer) -> list[Timed]:
        """Each segment with times in seconds of the sound, counted from its first position."""
        path = entries(looks)
        agree = agreement(looks[:-1], path)
        edges = pairwise(accumulate((len(segment.tokens) for segment in sound.segments), initial=0))
        timed = []
        for segment, (first, last) in zip(sound.segments, edges, strict=True):
            believed = self._sure or agree[first:last].mean() >= TRUSTED
            bounds = path[first : last + 1] if believed else shared(segment, tokenizer)
            timed.append(Timed(segment.tokens, (bounds * POSITION).tolist(), chances[first:last].tolist()))
        return timed


def shared(segment: Heard, tokenizer: Tokenizer) -> Numbers:
    """Bounds of the tokens, in positions, where nothing but their lengths is known: by characters."""
    letters = np.cumsum([0] + [max(1, len(tokenizer.decode([token]))) for token in segment.tokens])
    found: Numbers = segment.start + (segment.end - segment.start) * letters / letters[-1]
    return found


def _words(sound: Sound, segment: Heard, drafts: Sequence[Draft]) -> tuple[Word, ...]:
    """In seconds of the recording, kept within the segment and in order."""
    free, limit = segment.start * POSITION, segment.end * POSITION
    words = []
    for draft in drafts:
        start = min(max(draft.start, free), limit)
        free = end = min(max(draft.end, start), limit)
        text = printable(draft.text)
        words.append(
            Word(round(sound.offset + start, 3), round(sound.offset + end, 3), text, round(draft.probability, 3))
        )
    return tuple(words)
