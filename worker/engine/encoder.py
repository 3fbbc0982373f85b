"""Sound to features: the layers of openai-whisper's encoder over packed weights."""

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.weights import EncoderWeights, Layer


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
        return torch.cat([self._encode(mel[None]) for mel in mels])

    def _encode(self, mels: Tensor) -> Tensor:
        weights = self._weights
        x = mels.transpose(1, 2)
        for stride, product in enumerate(weights.convolutions, start=1):
            x = product(neighbours(x, stride))
        x += weights.positions
        for layer in weights.layers:
            x += self._attend(layer, x)
            x += layer.feed(layer.norm(x))
        return weights.norm(x)

    def _attend(self, layer: Layer, x: Tensor) -> Tensor:
        rows, length, _ = x.shape
        parts = layer.attention(layer.attention_norm(x)).view(rows, length, 3, self._weights.heads, -1)
        return layer.attention_out(self._weights.attend(parts))
