"""Beam search: several hypotheses of each window followed at once, the best finished one kept.

openai-whisper's `BeamSearchDecoder` (patience 1) and `MaximumLikelihoodRanker` (sums divided by length), on tensors:
the beams of a window are query rows over its one cross-attention memory (there they read it once for each beam, at 5.8
times the cost of greedy), windows that are finished leave the batch, and of the self-attention's cache only what the
beams do not share moves. At temperatures above 0 one sample is drawn (`best_of` 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from whisper.utils import compression_ratio

from worker.engine.decode import Result, Task
from worker.engine.decoder import Decoder, log_of_sum
from worker.engine.memory import Memory
from worker.engine.rules import Grammar

BLOCKS = 64  # the vocabulary is looked through in this many layers, see `highest`


class Hypothesis(NamedTuple):
    """Tokens so far, and the sum of their log probabilities in single precision, as openai's."""

    tokens: list[int]
    score: float


class Candidate(NamedTuple):
    """One more token for the hypothesis `beam`, and the sum with it."""

    score: float
    beam: int
    token: int


@dataclass
class Beams:
    """The hypotheses of one window: those under way, at most `width`, and those that have ended."""

    width: int
    end: int  # the token
    alive: list[Hypothesis] = field(default_factory=lambda: [Hypothesis([], 0.0)])
    ended: list[Hypothesis] = field(default_factory=list)
    shared: int = 0  # tokens with which all that are under way begin

    @property
    def done(self) -> bool:
        return len(self.ended) >= self.width

    def step(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Of the `width + 1` best tokens of each hypothesis, in their order, those that go on, the best first.

        What ends before `width` are found has ended for good; the first `width` of those are kept.
        """
        chosen: list[Candidate] = []
        for one in sorted(candidates, key=lambda each: each.score, reverse=True):  # stable, as openai's
            if one.token != self.end:
                chosen.append(one)
            elif not self.done:
                self.ended.append(Hypothesis(self.alive[one.beam].tokens, one.score))
            if len(chosen) == self.width:
                break
        self.alive = [Hypothesis([*self.alive[one.beam].tokens, one.token], one.score) for one in chosen]
        self._share()
        return chosen

    def best(self) -> Hypothesis:
        """The highest score a token. Where too few have ended, those under way count as ended, the best first."""
        left = sorted(self.alive, key=lambda each: each.score, reverse=True)
        found = [*self.ended, *left[: max(0, self.width - len(self.ended))]]
        return max(found, key=lambda each: each.score / max(1, len(each.tokens)))

    def _share(self) -> None:
        """It never shrinks: all that are under way come from what was."""
        first = self.alive[0].tokens
        while self.shared < len(first) and all(each.tokens[self.shared] == first[self.shared] for each in self.alive):
            self.shared += 1


@torch.inference_mode()
def decode_beams(decoder: Decoder, memory: Memory, task: Task, width: int) -> list[Result]:
    """A result for each row of `memory`, whose rows change places; `width` hypotheses each. Temperature 0."""
    state, logits = decoder.begin(memory, task.prompt, (task.start, -1), room=task.limit)
    silence = logits[:, 0].softmax(dim=-1)[:, task.tokenizer.no_speech].tolist()
    windows = [Beams(width, task.tokenizer.eot) for _ in range(memory.rows)]
    under_way, grammar = list(windows), Grammar(task.vocabulary, memory.rows)
    chosen = _choose(grammar.apply(logits[:, 1]), under_way)  # all beams begin alike, so one of them is asked
    decoder.widen(state, width)
    grammar.keep(_tensor([row for row in range(memory.rows) for _ in range(width)], decoder))
    for _ in range(1, task.limit):
        tokens = [one.token for row in chosen for one in row]
        grammar.note(_tensor(tokens, decoder))
        going = [place for place, window in enumerate(under_way) if not window.done]
        if not going:
            break
        if len(going) < len(under_way):
            order = state.keep(going)
            under_way, kept = [under_way[place] for place in order], _spread(order, width)
            tokens = [tokens[place] for place in kept]
            grammar.keep(_tensor(kept, decoder))
        logits = decoder.step(state, _tensor(tokens, decoder))
        alike = len(task.prompt) + min(window.shared for window in under_way)  # in the caches as they are still
        chosen = _choose(grammar.apply(logits), under_way)
        sources = _tensor([width * row + one.beam for row, found in enumerate(chosen) for one in found], decoder)
        state.reorder(sources, alike)
        grammar.keep(sources)
    return [_result(window.best(), chance, task) for window, chance in zip(windows, silence, strict=True)]


def _choose(logits: Tensor, windows: Sequence[Beams]) -> list[list[Candidate]]:
    """For each window what goes on, from the logits (sequences, vocabulary) after the rules, which are used up."""
    width = windows[0].width
    sums = torch.tensor([each.score for window in windows for each in window.alive], device=logits.device)
    values, tokens = highest(logits, width + 1)
    top = values[:, :1]
    scores = values - top - log_of_sum(logits, top) + sums[:, None]
    together = zip(scores.tolist(), tokens.tolist(), strict=True)
    chosen = []
    for window in windows:
        rows = [next(together) for _ in window.alive]
        pairs = [(beam, *pair) for beam, row in enumerate(rows) for pair in zip(*row, strict=True)]
        chosen.append(window.step([Candidate(score, beam, token) for beam, score, token in pairs]))
    return chosen


def highest(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` highest of each row and their places (rows, count), the highest first.

    `topk` alone sorts pairs of all 51,865 on a CPU. The highest lie in the `count` columns with the highest maxima when
    a row is laid out in BLOCKS lines, and maxima of columns are found with the widest instructions.
    """
    rows, size = logits.shape
    columns = size // BLOCKS
    body = logits[:, : BLOCKS * columns].view(rows, BLOCKS, columns)
    found = body.amax(dim=1).topk(count).indices
    lines = torch.arange(BLOCKS, device=logits.device)[:, None] * columns
    rest = torch.arange(BLOCKS * columns, size, device=logits.device).expand(rows, -1)
    places = torch.cat([(lines + found[:, None]).flatten(1), rest], dim=1)
    best = logits.gather(1, places).topk(count)
    return best.values, places.gather(1, best.indices)


def _spread(rows: Sequence[int], width: int) -> list[int]:
    return [width * row + beam for row in rows for beam in range(width)]


def _tensor(numbers: Sequence[int], decoder: Decoder) -> Tensor:
    return torch.tensor(numbers, device=decoder.device)


def _result(heard: Hypothesis, silence: float, task: Task) -> Result:
    text = task.tokenizer.decode(heard.tokens).strip()
    average = heard.score / (len(heard.tokens) + 1)
    return Result(heard.tokens, average, silence, compression_ratio(text), 0.0)
