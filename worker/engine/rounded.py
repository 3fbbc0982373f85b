"""Keys and values of the sound in 8 bits, for a CPU: what a step of the decoder takes is the time to read them."""

import numpy as np
import torch
from torch import Tensor

from worker.engine.memory import Memory

SCALE = 8  # bytes behind each line: two fp32, its scale and its smallest number
FEW = 8  # queries of a row: for more, the lines are multiplied in fp32 once they are unpacked
HARDLY = 1e-4  # of the weight of all positions
MANY = 0.4  # of the positions: to pick out more takes longer than to read all


class RoundedMemory(Memory):
    """Each line is rounded to 8 bits between its least and its largest number: of keys a line is one of the 64 numbers
    at all positions, of values one position. `Memory` with 8 more bytes in each line.

    torch has no product of 8-bit matrices for many small ones, but its sums of embeddings are one: scores are the lines
    of the keys, weighed by the query; what is found are the lines of the values, weighed by the scores. They are read
    once, and queries and scores stay in fp32. Of base dimensions, 8 rows, a layer, one thread: 0.73 and 0.79 ms,
    where `bmm` takes 1.30 and 1.37 in bfloat16; results are 0.8 and 0.5 % off (of their deviation, by chance numbers).
    """

    _bags: dict[tuple[int, int], tuple[Tensor, Tensor]]

    def __init__(self, keys: list[Tensor], values: list[Tensor], heads: int) -> None:
        super().__init__(keys, values, heads)
        self._bags = {}

    @classmethod
    def _shape(cls, heads: int, lines: int, width: int) -> tuple[int, int, int]:
        return super()._shape(heads, lines, width + SCALE)

    def write(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """As `Memory.write`; lines are rounded as they will lie."""
        self._write(self.keys[layer], row, _rounded(keys.contiguous().t()))
        split = values.view(len(values), self.heads, -1).transpose(0, 1)
        self._write(self.values[layer], row, _rounded(split.flatten(0, 1)))

    def _product(self, rows: Tensor, part: Tensor) -> Tensor:
        heads, each, lines = rows.shape
        if each > FEW:
            exact: Tensor = torch.ops.quantized.embedding_bag_byte_unpack(part.flatten(0, 1))
            return torch.bmm(rows, exact.view(heads, lines, -1))
        places, starts = self._bag(each, lines)
        sums = _sums(part, places[: rows.numel()], starts[: heads * each + 1], rows.reshape(-1))
        return sums.view(heads, each, -1)

    def _bag(self, each: int, lines: int) -> tuple[Tensor, Tensor]:
        """For `each` queries of every head: which lines are summed, one query after another, and where each begins."""
        if (each, lines) not in self._bags:
            count = self.rows * self.heads
            of_heads = torch.arange(count * lines, dtype=torch.int32).view(count, 1, lines)
            starts = torch.arange(0, count * each * lines + 1, lines, dtype=torch.int32)
            self._bags[each, lines] = of_heads.expand(count, each, lines).flatten(), starts
        return self._bags[each, lines]


class GuessedMemory(RoundedMemory):
    """For guesses, one query of each row: what a query hardly looks at is not read. Of base dimensions and sharp
    attention by chance, an eighth of the values is, for 99 % of the weight: 17.5 ms a step, 19.7 with all of them."""

    @classmethod
    def of(cls, exact: Memory) -> "GuessedMemory":
        """The same in 8 bits, as its rows stand now."""
        return cls(list(map(_lines_rounded, exact.keys)), list(map(_lines_rounded, exact.values)), exact.heads)

    def _weighed(self, weights: Tensor, values: Tensor) -> Tensor:
        heads, _, lines = weights.shape
        flat = weights.flatten()
        seen = np.flatnonzero(flat.numpy() > HARDLY).astype(np.int32)
        if len(seen) > MANY * len(flat):
            return self._product(weights, values)
        starts = np.searchsorted(seen, np.arange(0, len(flat) + 1, lines)).astype(np.int32)
        places = torch.from_numpy(seen)
        return _sums(values, places, torch.from_numpy(starts), flat[places]).view(heads, 1, -1)


def _sums(part: Tensor, places: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Lines of `part` at `places`, each times its weight; a sum begins at each of `starts`, the last of which is the
    end."""
    sums: Tensor = torch.ops.quantized.embedding_bag_byte_rowwise_offsets(
        part.flatten(0, 1), places, starts, mode=0, per_sample_weights=weights, include_last_offset=True
    )
    return sums


def _lines_rounded(part: Tensor) -> Tensor:
    return _rounded(part.flatten(0, 1)).view(*part.shape[:2], -1)


def _rounded(lines: Tensor) -> Tensor:
    packed: Tensor = torch.ops.quantized.embedding_bag_byte_prepack(lines.contiguous())
    return packed
