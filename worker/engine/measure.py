"""How fast this model is on this device, before it has heard anything."""

import time

import numpy as np
import torch
from whisper.decoding import DecodingOptions, DecodingTask
from whisper.model import Whisper
from whisper.tokenizer import get_tokenizer

from worker.engine.base import SAMPLE_RATE, WINDOW_SECONDS
from worker.engine.sound import spectrogram

ROWS = 4
TOKENS = 60  # what people say in 30 s with their pauses
SLOW = 2.0  # seconds for one window; a second look would only cost time


@torch.no_grad()
def measure_speed(model: Whisper) -> float:
    """Seconds of sound heard in a second: one window encoded, four decoded to a fixed length. Two digits are told."""
    seconds = _timed(model)
    if seconds < SLOW:  # the first time includes the waking of the device and of the allocator
        seconds = min(seconds, _timed(model))
    return float(f"{WINDOW_SECONDS / seconds:.2g}")


def _timed(model: Whisper) -> float:
    """Seconds for one window."""
    noise = np.random.default_rng(1).normal(0, 0.01, int(WINDOW_SECONDS) * SAMPLE_RATE).astype(np.float32)
    began = time.perf_counter()
    mel = spectrogram(noise, model.dims.n_mels)[None].to(model.device)
    features = model.encoder(mel.half() if mel.is_cuda else mel)
    if mel.is_cuda:
        torch.cuda.synchronize()
    encoded = time.perf_counter()
    _endless(model, features.dtype == torch.float16).run(features.repeat(ROWS, 1, 1))
    return (encoded - began) + (time.perf_counter() - encoded) / ROWS


def _endless(model: Whisper, half: bool) -> DecodingTask:
    """The end of text is forbidden, so that the work does not depend on what is heard in noise."""
    end = get_tokenizer(model.is_multilingual, num_languages=model.num_languages).eot
    return DecodingTask(model, DecodingOptions(language="en", sample_len=TOKENS, suppress_tokens=[-1, end], fp16=half))
