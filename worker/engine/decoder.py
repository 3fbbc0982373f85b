"""Features and tokens to odds of the next token: the layers of openai-whisper's decoder over caches made once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.compiled import CompiledState
from worker.engine.graph import FixedState
from worker.engine.memory import Memory, State
from worker.engine.placed import PlacedState
from worker.engine.pool import Pool
from worker.engine.rounded import RoundedMemory
from worker.engine.weights import DecoderWeights

Heads = Sequence[tuple[int, int]]
"""(layer, head) pairs."""


@dataclass(frozen=True)
class Forced:
    """Of one pass over given tokens. `log_probabilities` (rows, tokens - 1): of token i + 1 after those up to i.
    `attention` (rows, heads asked for, tokens, 1500), fp32: where each token looked in the sound; sums to 1."""

    log_probabilities: Tensor
    attention: Tensor


class Decoder:
    """`context`: the most tokens a sequence can have. `vocabulary`: how many tokens there are. `fixed`: whether steps
    keep to fixed addresses; by itself on a GPU, where they then are one CUDA graph. `rough`: see `ahead.py`."""

    def __init__(self, weights: DecoderWeights, *, fixed: bool = False, rough: "Decoder | None" = None) -> None:
        self._weights = weights
        self.rough = rough
        self._pool = Pool()
        self._fixed = fixed or weights.table.is_cuda
        self.context = len(weights.positions)
        self.vocabulary = len(weights.table)
        self.layers = len(weights.layers)
        self.heads = weights.heads

    @property
    def device(self) -> torch.device:
        return self._weights.table.device

    @torch.inference_mode()
    def cross(self, features: Tensor) -> Memory:
        """Features (rows, 1500, width) -> their keys and values. Row by row on a CPU, so that a row's do not depend on
        its neighbours."""
        rows, length, width = features.shape
        weights, at_once = self._weights, rows if features.is_cuda else 1
        numbers = weights.precision.memory
        kind = RoundedMemory if numbers == torch.uint8 else Memory
        shape = (rows, self.heads, length, width // self.heads)
        memory = kind.empty(len(weights.layers), shape, numbers, self.device, self._pool)
        for first in range(0, rows, at_once):
            for number, layer in enumerate(weights.layers):
                assert layer.cross is not None
                made, seen = layer.cross.memory(features[first : first + at_once]).chunk(2, dim=-1)
                for row, pair in enumerate(zip(made, seen, strict=True), start=first):
                    memory.write(number, row, *pair)
        return memory

    @torch.inference_mode()
    def begin(
        self, memory: Memory, prompt: Sequence[int], places: Sequence[int] = (-1,), *, room: int
    ) -> tuple[State, Tensor]:
        """The same first tokens for every row -> the state behind them, and the logits (rows, len(places), vocabulary)
        behind these places of the prompt, fp32. Nothing is computed over the vocabulary for other places. `room`: how
        many tokens may follow, as far as the context goes."""
        state = self._state(memory, min(self.context, len(prompt) + room))
        x = self._through(self._embed(self._tensor(prompt).repeat(memory.rows, 1), 0), state)
        state.length = len(prompt)
        chosen = x.view(memory.rows, len(prompt), -1)[:, list(places)]
        return state, self._logits(chosen)

    @torch.inference_mode()
    def widen(self, state: State, width: int) -> None:
        """Follow `width` beams of each row from here on, all alike at first."""
        caches = self._caches(state.rows * width, state.capacity)
        state.widen(width, caches)
        self._pool.give_back_after(state, caches)

    @torch.inference_mode()
    def step(self, state: State, tokens: Tensor) -> Tensor:
        """One more token (sequences) of each sequence -> logits of the next (sequences, vocabulary), fp32."""
        if isinstance(state, FixedState):
            return state.step(partial(self._fixed_step, state), tokens, graph=tokens.is_cuda)
        x = self._through(self._embed(tokens[:, None], state.length), state)
        state.length += 1
        return self._logits(x)

    @torch.inference_mode()
    def ahead(self, state: PlacedState, tokens: Tensor, first: int = 0) -> Tensor:
        """Tokens (rows, tokens) that are next, `first` places behind that of each row -> logits behind each of them
        (rows, tokens, vocabulary), fp32. No row moves."""
        places, weights = state.look(first, tokens.shape[1]), self._weights
        found = functional.embedding(tokens, weights.table).to(weights.precision.flow)
        x = (found + functional.embedding(places, weights.positions)).flatten(0, 1)
        return self._logits(self._through(x, state)).view(*tokens.shape, -1)

    def _fixed_step(self, state: FixedState, tokens: Tensor) -> Tensor:
        weights = self._weights
        found = functional.embedding(tokens, weights.table).to(weights.precision.flow)
        return self._logits(self._through(found + weights.positions.index_select(0, state.place), state))

    @torch.inference_mode()
    def forced(self, memory: Memory, tokens: Tensor, heads: Heads, end: int | None = None) -> Forced:
        """One pass over given tokens (rows, tokens), padded with anything: what comes later changes nothing before it.
        Probabilities are over the tokens below `end` alone, else over all."""
        state, watched = self._state(memory, tokens.shape[1]), dict[tuple[int, int], Tensor]()
        x = self._through(self._embed(tokens, 0), state, heads, watched)
        rows, length = tokens.shape
        following = x.view(rows, length, -1)[:, :-1]
        chances = [self._chances(*pair, end) for pair in zip(following, tokens[:, 1:], strict=True)]
        return Forced(torch.stack(chances), torch.stack([watched[pair] for pair in heads], dim=1))

    def _chances(self, x: Tensor, tokens: Tensor, end: int | None) -> Tensor:
        """One row at a time: logits of all at once would take hundreds of megabytes."""
        logits = self._logits(x)
        chosen = logits.gather(1, tokens[:, None])
        among = logits[:, :end]
        top = among.amax(dim=-1, keepdim=True)
        return (chosen - top - log_of_sum(among, top))[:, 0]

    def _through(
        self, x: Tensor, state: State, heads: Heads = (), watched: dict[tuple[int, int], Tensor] | None = None
    ) -> Tensor:
        """(sequences * tokens, width) through all layers."""
        for number, layer in enumerate(self._weights.layers):
            x += layer.attention_out(state.attend(number, layer.attention(layer.attention_norm(x))))
            assert layer.cross is not None
            found, weights = state.memory.attend(number, layer.cross.query(layer.cross.norm(x)), state.rows)
            for pair in (pair for pair in heads if pair[0] == number):
                assert watched is not None
                watched[pair] = weights.view(state.rows, self.heads, *weights.shape[1:])[:, pair[1]]
            x += layer.cross.out(found)
            x += layer.feed(layer.norm(x))
        return x

    def _embed(self, tokens: Tensor, first: int) -> Tensor:
        """Tokens (sequences, tokens), the first of them at place `first` -> (sequences * tokens, width)."""
        weights = self._weights
        found = functional.embedding(tokens, weights.table).to(weights.precision.flow)
        return (found + weights.positions[first : first + tokens.shape[1]]).flatten(0, 1)

    def _logits(self, x: Tensor) -> Tensor:
        return self._weights.vocabulary(self._weights.norm(x)).float()

    def _state(self, memory: Memory, capacity: int) -> State:
        kept = self._caches(memory.rows, capacity)
        compiled = self._weights.precision.compiled(kept[0].shape[-1])
        kind = FixedState if self._fixed else CompiledState if compiled else State
        state = kind(memory, kept)
        self._pool.give_back_after(state, kept)
        return state

    def _caches(self, sequences: int, capacity: int) -> list[Tensor]:
        weights = self._weights
        shape = (2, sequences, self.heads, capacity, weights.positions.shape[1] // self.heads)
        return self._pool.take(len(weights.layers), shape, weights.precision.flow, self.device)

    def _tensor(self, tokens: Sequence[int]) -> Tensor:
        return torch.tensor(list(tokens), device=self.device)


def log_of_sum(logits: Tensor, top: Tensor) -> Tensor:
    """Of the exponentials of each row over that of its highest, `top` (rows, 1). Uses the logits up.

    What lies 80 below the highest adds nothing in fp32, but exponentials from 87 below are denormal, and of minus
    infinity they are slow, too: where logits spread by 40, `logsumexp` took 110 ms instead of 6 for 100 tokens.
    """
    return logits.sub_(top).clamp_(min=-80).exp_().sum(dim=-1, keepdim=True).log_()
