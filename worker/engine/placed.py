"""A `State` whose rows have seen different numbers of tokens."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from worker.engine.memory import State
from worker.engine.rounded import GuessedMemory


class PlacedState(State):
    """Goes on from `begun`, on a CPU, one sequence for each row. `places` (rows): how many tokens each has seen; who
    feeds it more moves them. Passes look ahead of its place as far as they like: the next ones write over that."""

    def __init__(self, begun: State) -> None:
        super().__init__(begun.memory, begun.caches)
        self._begun = begun  # whose caches these are, as long as it lives
        self._rough = GuessedMemory.of(begun.memory)
        self.places = torch.full((begun.rows,), begun.length)
        for kept in self.caches:  # masked, but multiplied all the same: a number that is none would spread
            kept[:, :, :, begun.length :] = 0
        self._which = self._where = self._hidden = Tensor()

    def roughly(self) -> "PlacedState":
        """The same state, which remembers the sound roughly. Good until this one moves or keeps fewer rows."""
        other = copy.copy(self)
        other.memory = self._rough
        return other

    def look(self, first: int, tokens: int) -> Tensor:
        """So many tokens of each row are next, `first` places behind its own -> their places (rows, tokens)."""
        self._which = torch.arange(self.rows)[:, None]
        self._where = self.places[:, None] + torch.arange(first, first + tokens)
        self.length = int(self._where.max()) + 1
        later = torch.arange(self.length) > self._where[:, :, None]
        self._hidden = torch.zeros(later.shape).masked_fill_(later, -torch.inf)
        return self._where

    def attend(self, layer: int, parts: Tensor) -> Tensor:
        """As `State.attend`, at the places of `look`."""
        kept = self.caches[layer][:, : self.rows]
        _, rows, heads, capacity, depth = kept.shape
        split = parts.view(rows, -1, 3, heads, depth)
        kept[:, self._which, :, self._where] = split[:, :, 1:]
        keys, values = kept.view(2, rows * heads, capacity, depth)[:, :, : self.length]
        query = split[:, :, 0].transpose(1, 2).reshape(rows * heads, -1, depth)
        scores = torch.bmm(query, keys.transpose(1, 2)).view(rows, heads, -1, self.length) + self._hidden[:, None]
        found = torch.bmm(torch.softmax(scores, dim=-1).view(rows * heads, -1, self.length), values)
        return found.view(rows, heads, -1, depth).transpose(1, 2).reshape(len(parts), -1)

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> list[int]:
        """As `State.keep`."""
        order = super().keep(rows)
        self.places = self.places[order]
        return order

    def _move(self, last: int, place: int) -> None:
        super()._move(last, place)
        self._rough.swap(last, place)
