"""Exact tokens for less: a rough decoder says a few ahead, and the exact one reads them in one pass.

Speculative decoding (Leviathan et al., arXiv 2211.17192) without chance: only what the exact decoder says itself behind
the same tokens is kept, and the first token of its own where the two differ. A pass over six tokens of each row reads
weights, keys and values once, as a step over one does.

The rough decoder is the exact one in 8 bits. Both write to the same keys and values of the text, so it goes on from
exact ones. By chance weights, which make nothing likely, 5 tokens of 6 are kept in a pass. Of base dimensions, 8 rows,
one thread: a step takes 60 to 70 ms, a guess 18, a pass 75.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from worker.engine.decode import Heard, Result, Task, likeliest, likeliest_token, result
from worker.engine.decoder import Decoder
from worker.engine.linear import not_a_number
from worker.engine.memory import Memory, State
from worker.engine.placed import PlacedState
from worker.engine.rules import Grammar

AHEAD = 5  # 3 to 6 take the same time for a window of base dimensions and chance weights, within 3 %

Said = list[list[tuple[int, float]]]
"""By place: the tokens said next, and their log probabilities."""


@torch.inference_mode()
def decode_ahead(decoder: Decoder, rough: Decoder, memory: Memory, task: Task) -> list[Result]:
    """The results of `decode` with `likeliest`."""
    begun, logits = decoder.begin(memory, task.prompt, (task.start, -1), room=task.limit + AHEAD)
    silence = logits[:, 0].softmax(dim=-1)[:, task.tokenizer.no_speech].tolist()
    heard, rows = [Heard() for _ in range(memory.rows)], list(range(memory.rows))
    speaker = _Speaker(decoder, rough, begun, Grammar(task.vocabulary, memory.rows))
    said = speaker.first(logits[:, 1])
    while True:
        for row, tokens in zip(rows, said, strict=True):
            heard[row].take_all(tokens, task)
        going = [place for place, row in enumerate(rows) if not heard[row].is_over(task)]
        if not going:
            return [result(row, chance, task, 0.0) for row, chance in zip(heard, silence, strict=True)]
        rows = [rows[place] for place in speaker.keep(going)]
        said = speaker.more()


class _Speaker:
    """Rows under way. `_last` (rows): the token said last, which was not fed yet."""

    def __init__(self, decoder: Decoder, rough: Decoder, begun: State, grammar: Grammar) -> None:
        self._decoder, self._rough = decoder, rough
        self._state, self._grammar = PlacedState(begun), grammar
        self._last = torch.empty(0)

    def first(self, logits: Tensor) -> Said:
        """The first token of each row."""
        self._last, chances = likeliest(self._grammar.apply(logits), ())
        self._grammar.note(self._last)
        return _pairs(self._last[:, None], chances[:, None], [1] * len(logits))

    def keep(self, places: Sequence[int]) -> list[int]:
        """As `State.keep`."""
        order = self._state.keep(places)
        self._grammar.keep(torch.tensor(order))
        self._last = self._last[order]
        return order

    def more(self) -> Said:
        """One pass: what was guessed right, and one token more."""
        guessed, grammars = self._guess()
        logits = self._decoder.ahead(self._state, guessed).flatten(0, 1)
        whole = Grammar.joined(grammars)
        found, chances = (each.view(guessed.shape) for each in likeliest(whole.apply(logits), ()))
        right = (found[:, :-1] == guessed[:, 1:]).long().cumprod(dim=1).sum(dim=1)
        self._last = found.gather(1, right[:, None])[:, 0]
        whole.keep(torch.arange(len(right)) * guessed.shape[1] + right)
        whole.note(self._last)
        self._grammar = whole
        self._state.places += right + 1
        return _pairs(found, chances, (right + 1).tolist())

    def _guess(self) -> tuple[Tensor, list[Grammar]]:
        """Tokens (rows, 1 + guesses), the last one said in front; and the rules behind each of them."""
        tokens, grammars, state = [self._last], [self._grammar], self._state.roughly()
        for first in range(min(AHEAD, state.capacity - 1 - int(state.places.max()))):
            logits = self._rough.ahead(state, tokens[-1][:, None], first)[:, 0]
            tokens.append(likeliest_token(grammars[-1].apply(logits)))
            grammars.append(grammars[-1].after(tokens[-1]))
        return torch.stack(tokens, dim=1), grammars


def _pairs(tokens: Tensor, chances: Tensor, counts: Sequence[int]) -> Said:
    """Of each row the first `counts`. Raises EngineRefused not_a_number: behind such a token no guess is possible."""
    found = zip(tokens.tolist(), chances.tolist(), counts, strict=True)
    pairs = [list(zip(some, sure, strict=True))[:count] for some, sure, count in found]
    if not all(math.isfinite(chance) for row in pairs for _, chance in row):
        raise not_a_number()
    return pairs
