"""The words of segments just heard, from the same encoded sound: one more pass of the decoder over the text."""

from collections.abc import Sequence
from itertools import accumulate, batched, chain, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from whisper.tokenizer import Tokenizer

from worker.engine.alignment import Focus, agreement, entries, focus
from worker.engine.alignment_words import Draft, Timed, words_of
from worker.engine.base import Word
from worker.engine.decoder import Decoder, Heads
from worker.engine.memory import Memory
from worker.engine.row import Taken, printable
from worker.engine.splitting import Part

POSITION = 0.02  # seconds
TRUSTED = 0.7  # of a segment's tokens; measured: from there on the median error of word starts is 0.1 s
DRAWN_OUT = 2  # characters: what is said before a pause takes longer; starts were 0.05-0.08 s late without
TOGETHER = {"cpu": 1, "cuda": 4}  # rows in one pass: their attention to 1500 positions is held for all heads at once
Numbers = NDArray[np.floating]
Texts = list[list[int]]
"""The text tokens of each part."""
Words = list[tuple[Word, ...]]
"""Of each segment: in order, within their segment, never over each other."""


class Aligner:
    """`sure`: openai chose `heads` for these weights. Others are believed where they agree with themselves, and
    elsewhere the words of a segment share its time by their letters."""

    def __init__(self, decoder: Decoder, heads: Heads, *, sure: bool) -> None:
        self._decoder, self._heads, self._sure = decoder, heads, sure

    def words(self, memory: Memory, taken: Sequence[Taken], tokenizer: Tokenizer) -> list[Words]:
        """For each row of `memory` the words of what was taken from it."""
        found: list[Words] = [[] for _ in taken]
        spoken = [row for row, one in enumerate(taken) if one.parts]
        for rows in batched(spoken, TOGETHER[self._decoder.device.type]):
            timed = self._time(memory.select(rows), [taken[row] for row in rows], tokenizer)
            for row, segments in zip(rows, timed, strict=True):
                drafts = words_of(segments, tokenizer)
                found[row] = [_words(taken[row], *pair) for pair in zip(taken[row].parts, drafts, strict=True)]
        return found

    def _time(self, memory: Memory, taken: Sequence[Taken], tokenizer: Tokenizer) -> list[list[Timed]]:
        """The tokens of each part, with times in seconds of the sound that was decoded."""
        texts: list[Texts] = [[_text(part, tokenizer) for part in one.parts] for one in taken]
        before = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        tokens = _shown(before, texts, tokenizer.eot).to(self._decoder.device)
        forced = self._decoder.forced(memory, tokens, self._heads, end=tokenizer.eot)
        first = len(before) - 1  # a token looks at where the next one is said
        chances = forced.log_probabilities[:, first:].exp().cpu().numpy()
        timed = []
        for row, (one, parts) in enumerate(zip(taken, texts, strict=True)):
            shown = len(before) + sum(map(len, parts)) + 1
            looks = focus(forced.attention[row, :, :shown], one.positions)[first:-1]
            timed.append(self._bounds(one.parts, parts, looks, chances[row], tokenizer))
        return timed

    def _bounds(
        self, parts: Sequence[Part], texts: Texts, looks: Focus, chances: Numbers, tokenizer: Tokenizer
    ) -> list[Timed]:
        path = entries(looks)
        agree = agreement(looks[:-1], path)
        timed = []
        edges = pairwise(accumulate(map(len, texts), initial=0))
        for part, text, (first, last) in zip(parts, texts, edges, strict=True):
            believed = self._sure or agree[first:last].mean() >= TRUSTED
            bounds = path[first : last + 1] if believed else shared(part, text, tokenizer)
            timed.append(Timed(text, (bounds * POSITION).tolist(), chances[first:last].tolist()))
        return timed


def shared(part: Part, text: Sequence[int], tokenizer: Tokenizer) -> Numbers:
    """Bounds of the tokens, in positions, where nothing but their lengths is known: by characters."""
    letters = np.cumsum([0] + [max(1, len(tokenizer.decode([token]))) for token in text])
    letters[-1] += DRAWN_OUT
    found: Numbers = part.start + (part.end - part.start) * letters / letters[-1]
    return found


def _text(part: Part, tokenizer: Tokenizer) -> list[int]:
    return [token for token in part.tokens if token < tokenizer.eot]


def _shown(before: list[int], texts: Sequence[Texts], end: int) -> torch.Tensor:
    """(rows, tokens): the texts as openai shows them, filled up with the end of text."""
    rows = [[*before, *chain.from_iterable(parts), end] for parts in texts]
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[end] * (longest - len(row))] for row in rows])


def _words(taken: Taken, part: Part, drafts: Sequence[Draft]) -> tuple[Word, ...]:
    """In seconds of the recording."""
    free, limit = (min(bound, taken.positions) * POSITION for bound in (part.start, part.end))
    words = []
    for draft in drafts:
        start = min(max(draft.start, free), limit)
        free = end = min(max(draft.end, start), limit)
        said, until = round(taken.offset + start, 3), round(taken.offset + end, 3)
        words.append(Word(said, until, printable(draft.text), round(draft.probability, 3)))
    return tuple(words)
