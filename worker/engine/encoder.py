"""Sound to features: the layers of openai-whisper's encoder over packed weights."""

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.linear import gelu_
from worker.engine.weights import EncoderWeights, Layer

NEAR = 1e-4  # of numbers around 20
PAYS = 0.85


@functools.cache
def other_kernels_pay() -> bool:
    """Whether products in fp32 are faster under "medium" (oneDNN instead of MKL) and still as exact: 1.7 times on an
    AMD processor, nothing on an Intel one, and bfloat16 in truth on some. About 50 ms, once."""
    chance = torch.Generator().manual_seed(1)
    x, weight = torch.randn(1500, 512, generator=chance), torch.randn(512, 512, generator=chance)
    seconds, results = [], []
    for precision in ("highest", "medium"):
        with matmul_precision(precision):
            results.append(functional.linear(x, weight))
            seconds.append(min(_timed(x, weight) for _ in range(3)))
    return bool((results[0] - results[1]).abs().max() < NEAR) and seconds[1] < PAYS * seconds[0]


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """It is one setting for the whole process, and slower for the decoder's few rows."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _timed(x: Tensor, weight: Tensor) -> float:
    began = time.thread_time()
    functional.linear(x, weight)
    return time.thread_time() - began


def neighbours(x: Tensor, stride: int) -> Tensor:
    """(rows, places, width) -> (rows, places / stride, 3 * width), a view: each place between the two beside it. So a
    convolution is a matrix product, and its result lies as the layers want it."""
    padded = functional.pad(x, (0, 0, 1, 1)).contiguous()
    rows, places, width = x.shape
    return padded.as_strided((rows, places // stride, 3 * width), (padded.stride(0), stride * width, 1))


class Encoder:
    """`encodes` counts the windows encoded: retries, word times and votes must not encode a window again."""

    def __init__(self, weights: EncoderWeights) -> None:
        self._weights = weights
        self.encodes = 0

    @torch.inference_mode()
    def __call__(self, mels: Tensor) -> Tensor:
        """Spectrograms (rows, bands, 3000) -> features (rows, 1500, width). One by one on a CPU: a batch is slower."""
        self.encodes += len(mels)
        if mels.is_cuda:
            return self._encode(mels.to(self._weights.precision.flow))
        with matmul_precision("medium" if other_kernels_pay() else "highest"):
            return torch.cat([self._encode(mel[None]) for mel in mels])

    def _encode(self, mels: Tensor) -> Tensor:
        weights = self._weights
        x = mels.transpose(1, 2)
        for stride, product in enumerate(weights.convolutions, start=1):
            x = gelu_(product(neighbours(x, stride)))
        x += weights.positions
        for layer in weights.layers:
            x += self._attend(layer, x)
            x += layer.feed(layer.norm(x))
        return weights.norm(x)

    def _attend(self, layer: Layer, x: Tensor) -> Tensor:
        rows, length, _ = x.shape
        parts = layer.attention(layer.attention_norm(x)).view(rows, length, 3, self._weights.heads, -1)
        return layer.attention_out(self._weights.attend(parts))
