"""Memory that is used again: what a batch remembers is hundreds of megabytes, and fresh pages cost more than to write
them. Of base dimensions, in pages of 2 MB, one thread: 0.15 s for the keys and values of a window, 0.08 in used ones.
"""

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor


class Pool:
    """Of a CPU: a GPU's is torch's own. It keeps no more than was in use at the same time."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def take(self, count: int, shape: Sequence[int], kind: torch.dtype, device: torch.device) -> list[Tensor]:
        """`count` tensors with anything in them. They come back by `give_back_after`, or not at all."""
        if device.type != "cpu":
            return [torch.empty(shape, dtype=kind, device=device) for _ in range(count)]
        needed = kind.itemsize * torch.Size(shape).numel()
        return [self._block(needed)[:needed].view(kind).view(shape) for _ in range(count)]

    def give_back_after(self, owner: object, tensors: Sequence[Tensor]) -> None:
        """Once nobody holds `owner` any more, others may write into them."""
        blocks = [
            torch.empty(0, dtype=torch.uint8).set_(each.untyped_storage()) for each in tensors if not each.is_cuda
        ]
        weakref.finalize(owner, self._free.extend, blocks).atexit = False

    def _block(self, needed: int) -> Tensor:
        """The smallest free one that is large enough; else a new one for the largest of the free ones."""
        self._free.sort(key=len)
        place = next((place for place, block in enumerate(self._free) if len(block) >= needed), None)
        if place is not None:
            return self._free.pop(place)
        if self._free:
            self._free.pop()
        return torch.empty(needed, dtype=torch.uint8)
