"""How fast an engine is on this device, before it has heard anything."""

import time

import numpy as np
import torch

from worker.engine.base import SAMPLE_RATE, WINDOW_SECONDS, Options
from worker.engine.batched import BatchedEngine
from worker.engine.decode import task
from worker.engine.sampling import decode_likeliest
from worker.engine.sound import spectrogram

ROWS = 4
TOKENS = 60  # what people say in 30 s with their pauses
SLOW = 2.0  # seconds for one window; a second look would only cost time


def measure_speed(engine: BatchedEngine) -> float:
    """Seconds of sound heard in a second: one window encoded, four decoded to a fixed length. Two digits are told."""
    seconds = _timed(engine)
    if seconds < SLOW:  # the first time includes the waking of the device and of the allocator
        seconds = min(seconds, _timed(engine))
    return float(f"{WINDOW_SECONDS / seconds:.2g}")


def _timed(engine: BatchedEngine) -> float:
    """Seconds for one window."""
    noise = np.random.default_rng(1).normal(0, 0.01, int(WINDOW_SECONDS) * SAMPLE_RATE).astype(np.float32)
    began = time.perf_counter()
    features = engine.encoder(spectrogram(noise, engine.dimensions.n_mels, engine.device)[None])
    if features.is_cuda:
        torch.cuda.synchronize()
    encoded = time.perf_counter()
    decode_fixed(engine, features.expand(ROWS, -1, -1), TOKENS)
    return (encoded - began) + (time.perf_counter() - encoded) / ROWS


def decode_fixed(engine: BatchedEngine, features: torch.Tensor, tokens: int) -> list[list[int]]:
    """Exactly so many tokens for each row of features: the work does not depend on what is heard in noise."""
    asked = task(engine.decoder, engine.tokenizer(Options("en")), tokens=tokens)
    return [each.tokens for each in decode_likeliest(engine.decoder, engine.decoder.cross(features), asked)]
