"""A `State` whose steps are one loop of our own for each layer, on a CPU where these pay."""

import torch
from torch import Tensor

from worker.engine.memory import State


class CompiledState(State):
    """Of tiny dimensions, 8 rows and 50 tokens, one thread: 0.08 ms a layer while a step is made, by torch's operations
    0.15; of 40 sequences of beams 0.43 and 0.71."""

    def attend(self, layer: int, parts: Tensor) -> Tensor:
        """As `State.attend`."""
        _, _, heads, _, depth = self.caches[layer].shape
        if len(parts) > self.sequences:
            return super().attend(layer, parts)
        from worker.engine import kernels

        found = torch.empty(len(parts), heads, depth)
        split = parts.view(len(parts), 3, heads, depth)
        kernels.attend(self.caches[layer].numpy(), split.numpy(), self.length, found.numpy())
        return found.flatten(1)
