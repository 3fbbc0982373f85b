"""One decode step with fixed addresses, so that a GPU can replay it as one CUDA graph instead of hundreds of launches.

Without a graph the same step runs on a CPU, which is how its numbers are tested; that it stays on its device, as a
graph must, is tested without one (`test_device.py`). With a graph it was never run yet, as no GPU was at hand
(https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from worker.engine.memory import Memory, State


class FixedState(State):
    """A `State` whose place is on the device: a step looks at its whole cache, what is not written yet masked."""

    def __init__(self, memory: Memory, kept: list[Tensor]) -> None:
        super().__init__(memory, kept)
        for part in kept:
            part.zero_()  # masked, but multiplied all the same: a number that is none would spread
        self.place = torch.zeros(1, dtype=torch.long, device=kept[0].device)
        self.later = torch.full((kept[0].shape[3],), -torch.inf, dtype=kept[0].dtype, device=kept[0].device)
        self._step: Step | None = None

    def step(self, through: Callable[[Tensor], Tensor], tokens: Tensor, *, graph: bool) -> Tensor:
        """`through`: tokens (sequences) -> logits, by way of `attend`. The logits are overwritten by the next step."""
        if self._step is None:
            self.place.fill_(self.length)
            self.later[: self.length] = 0.0
            self._step = Step(through, self, graph)
        self.length += 1
        return self._step(tokens)

    def attend(self, layer: int, parts: Tensor) -> Tensor:
        """As `State.attend`; one token at `place`, whose number this process does not know."""
        if self._step is None:
            return super().attend(layer, parts)
        kept = self.caches[layer][:, : self.sequences]
        _, count, heads, capacity, depth = kept.shape
        query, *made = parts.view(count, 3, heads, 1, depth).unbind(1)
        kept.index_copy_(3, self.place, torch.stack(made))
        keys, values = kept.view(2, count * heads, capacity, depth)
        scores = torch.bmm(query.reshape(count * heads, 1, depth), keys.transpose(1, 2)) + self.later
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(values.dtype)
        return torch.bmm(weights, values).view(count, heads * depth)

    @torch.inference_mode()
    def widen(self, width: int, caches: list[Tensor]) -> None:
        """As `State.widen`."""
        super().widen(width, caches)
        for part in self.caches:
            part[:, :, :, self.length :] = 0.0
        self._step = None

    def keep(self, rows: Sequence[int]) -> list[int]:
        """As `State.keep`; the next step is captured anew, as there are fewer sequences."""
        self._step = None
        return super().keep(rows)


class Step:
    """Reads `tokens`, writes `logits`, both always at the same addresses."""

    def __init__(self, through: Callable[[Tensor], Tensor], state: FixedState, graph: bool) -> None:
        self.tokens = torch.zeros(state.sequences, dtype=torch.long, device=state.place.device)
        self.logits: Tensor | None = None
        self._through, self._state, self._graph = through, state, graph
        self._captured: torch.cuda.CUDAGraph | None = None

    def __call__(self, tokens: Tensor) -> Tensor:
        self.tokens.copy_(tokens)
        if self._graph and self.logits is not None and self._captured is None:
            self._captured = torch.cuda.CUDAGraph()  # the step before has warmed up what allocates at first use
            with torch.cuda.graph(self._captured):
                self._run()
        if self._captured is not None:
            self._captured.replay()
        else:
            self._run()
        assert self.logits is not None
        return self.logits

    def _run(self) -> None:
        self._state.later.index_fill_(0, self._state.place, 0.0)
        found = self._through(self.tokens)
        if self.logits is None:
            self.logits = torch.empty_like(found)
        self.logits.copy_(found)
        self._state.place += 1
