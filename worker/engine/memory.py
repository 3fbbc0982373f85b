"""What a decoder remembers: of the sound (`Memory`), and of the tokens so far (`State`)."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.pool import Pool


class Memory:
    """Cross-attention's keys (rows * heads, 64, 1500) and values (rows * heads, 1500, 64) of each layer, contiguous:
    the layout in which one matrix product for all heads reads each number once."""

    def __init__(self, keys: list[Tensor], values: list[Tensor], heads: int) -> None:
        self.keys, self.values, self.heads = keys, values, heads
        self.order = list(range(len(keys[0]) // heads))
        self._whole: Memory | None = None  # whose numbers these are, from row `_first` on
        self._first = 0

    @classmethod
    def empty(
        cls, layers: int, shape: tuple[int, int, int, int], kind: torch.dtype, device: torch.device, pool: Pool
    ) -> Self:
        """To be written. `shape`: rows, heads, positions, 64."""
        rows, heads, positions, depth = shape
        keys = pool.take(layers, cls._shape(rows * heads, depth, positions), kind, device)
        values = pool.take(layers, cls._shape(rows * heads, positions, depth), kind, device)
        made = cls(keys, values, heads)
        pool.give_back_after(made, [*keys, *values])
        return made

    @classmethod
    def _shape(cls, heads: int, lines: int, width: int) -> tuple[int, int, int]:
        return heads, lines, width

    def write(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """What a row's sound is to a layer, (positions, heads * 64) each. Rounded first, turned after, as a matrix of
        its own: else turning takes four times as long on a CPU."""
        self._write(self.keys[layer], row, keys.to(self.keys[layer].dtype).contiguous().t())
        self._write(self.values[layer], row, values.view(len(values), self.heads, -1).transpose(0, 1).flatten(0, 1))

    def _write(self, parts: Tensor, row: int, lines: Tensor) -> None:
        """`lines` of all heads of the row, one head after another."""
        parts[row * self.heads : (row + 1) * self.heads].flatten(0, 1).copy_(lines)

    @property
    def rows(self) -> int:
        return len(self.order)

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> "Memory":
        """These rows, numbered from 0 in the order given; `rows` as they were when this memory was made. They are the
        same numbers, not a copy: rows that change places there do so here. One selection at a time is of use."""
        places = [self.order.index(row) for row in rows]
        first = places[0]
        if places != list(range(first, first + len(rows))):
            first = 0
            for place, row in enumerate(rows):
                self.swap(place, self.order.index(row))
        meant = slice(first * self.heads, (first + len(rows)) * self.heads)
        made = type(self)([part[meant] for part in self.keys], [part[meant] for part in self.values], self.heads)
        made._whole, made._first = self, first
        return made

    @torch.inference_mode()
    def swap(self, one: int, other: int) -> None:
        """Two places change their rows, so that rows still under way stand first and nothing else is copied."""
        if one == other:
            return
        self.order[one], self.order[other] = self.order[other], self.order[one]
        if self._whole is not None:
            self._whole.swap(self._first + one, self._first + other)
            return
        for part in [*self.keys, *self.values]:
            rows = part.view(self.rows, self.heads, *part.shape[1:])
            kept = rows[one].clone()
            rows[one].copy_(rows[other])
            rows[other].copy_(kept)

    def attend(self, layer: int, query: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        """Queries (rows * q, width) of the first `rows` rows, already scaled -> what they find, of the same shape, and
        the weights (rows * heads, q, 1500) in fp32. All queries of a row, be they beams or positions, are one matrix:
        the row's keys and values are read once."""
        heads, each = self.heads, len(query) // rows
        asked = query.view(rows, each, heads, -1).transpose(1, 2).reshape(rows * heads, each, -1)
        key, value = self.keys[layer][: rows * heads], self.values[layer][: rows * heads]
        weights = torch.softmax(self._product(asked, key), dim=-1, dtype=torch.float32)
        found = self._weighed(weights, value).to(query.dtype)
        return found.view(rows, heads, each, -1).transpose(1, 2).reshape(query.shape), weights

    def _weighed(self, weights: Tensor, values: Tensor) -> Tensor:
        return self._product(weights, values)

    def _product(self, rows: Tensor, part: Tensor) -> Tensor:
        """Of each head: rows (heads, n, lines), and what is remembered, (heads, lines, width) -> (heads, n, width)."""
        return torch.bmm(rows.to(part.dtype), part)


class State:
    """Self-attention's keys and values of `rows * width` sequences, `width` for each row, in buffers made once.

    Sequence `row * width + beam`; `length` tokens were seen by each.
    """

    def __init__(self, memory: Memory, kept: list[Tensor]) -> None:
        self.memory = memory
        self.rows = memory.rows
        self.width = 1
        self.length = 0
        self.caches = kept  # of each layer (2, sequences, heads, capacity, 64): keys, values

    @property
    def sequences(self) -> int:
        return self.rows * self.width

    @property
    def capacity(self) -> int:
        """Tokens that a sequence can have."""
        return self.caches[0].shape[3]

    def attend(self, layer: int, parts: Tensor) -> Tensor:
        """Queries, keys and values (sequences * tokens, 3 * width) of the next tokens -> what they find among these and
        all before them (sequences * tokens, width)."""
        kept = self.caches[layer][:, : self.sequences]
        _, count, heads, capacity, depth = kept.shape
        tokens = len(parts) // count
        split = parts.view(count, tokens, 3, heads, depth)
        end = self.length + tokens
        kept[:, :, :, self.length : end] = split[:, :, 1:].permute(2, 0, 3, 1, 4)
        if tokens > 1:
            return self._attend_many(split)
        keys, values = kept.view(2, count * heads, capacity, depth)[:, :, :end]
        query = split[:, :, 0].reshape(count * heads, 1, depth)
        weights = torch.softmax(torch.bmm(query, keys.transpose(1, 2)), dim=-1)
        return torch.bmm(weights, values).view(count, heads * depth)

    def _attend_many(self, split: Tensor) -> Tensor:
        """The first tokens, all at once: each sees those before it."""
        query, key, value = split.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=1.0)
        return found.transpose(1, 2).reshape(-1, query.shape[1] * query.shape[3])

    @torch.inference_mode()
    def widen(self, width: int, caches: list[Tensor]) -> None:
        """See `Decoder.widen`. `caches`: as those given, for so many more sequences."""
        for kept, wide in zip(self.caches, caches, strict=True):
            wide[:, :, :, : self.length] = kept[:, : self.rows, :, : self.length].repeat_interleave(width, dim=1)
        self.caches = caches
        self.width = width

    @torch.inference_mode()
    def reorder(self, sequences: Tensor, first: int = 0) -> None:
        """Sequence i goes on from what sequence `sequences[i]` was; only within one row. Places before `first` are
        alike in all beams of a row, so they stay: most of a text is."""
        moved = (sequences != torch.arange(len(sequences), device=sequences.device)).nonzero()[:, 0]
        if not len(moved):
            return
        for kept in self.caches:
            seen = kept[:, :, :, first : self.length]
            seen[:, moved] = seen[:, sequences[moved]]

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> list[int]:
        """Only these places go on. Gives them in the order they stand in now: place i holds what stood at order[i]."""
        order, wanted = list(range(self.rows)), set(rows)
        for place in reversed(range(self.rows)):
            if order[place] not in wanted:
                self.rows -= 1
                self._move(self.rows, place)
                order[place] = order[self.rows]
        return order[: self.rows]

    def _move(self, last: int, place: int) -> None:
        self.memory.swap(last, place)
        if last == place:
            return
        width = self.width
        for kept in self.caches:
            kept[:, place * width : (place + 1) * width] = kept[:, last * width : (last + 1) * width]
