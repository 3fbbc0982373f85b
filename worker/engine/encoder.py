"""Sound to features: the layers of openai-whisper's encoder over packed weights."""

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.linear import gelu_
from worker.engine.weights import EncoderWeights, Layer


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
        for stride, (weight, bias) in enumerate(weights.convolutions, start=1):
            mels = gelu_(functional.conv1d(mels, weight, bias, stride=stride, padding=1))
        x = mels.transpose(1, 2) + weights.positions
        for layer in weights.layers:
            x += self._attend(layer, x)
            x += layer.down(gelu_(layer.up(layer.norm(x))))
        return weights.norm(x)

    def _attend(self, layer: Layer, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        parts = layer.attention(layer.attention_norm(x)).view(rows, length, 3, self._weights.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4).contiguous()
        found = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
        return layer.attention_out(found.transpose(1, 2).reshape(rows, length, width))
