"""Hearing a recording with a checkpoint as the service does: windows cut at pauses, decoded together, segments out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from whisper.audio import log_mel_spectrogram
from whisper.decoding import DecodingOptions, decode
from whisper.model import Whisper
from whisper.tokenizer import get_tokenizer

from worker.demo.mixing import WINDOW
from worker.demo.speech import RATE, Samples
from worker.plan import plan
from worker.speech import Detector

TOGETHER = 8
"""Windows that are decoded at once."""


@dataclass(frozen=True)
class Segment:
    """A stretch of text, in seconds of the recording."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Span:
    """A stretch of samples, the end excluded."""

    start: int
    end: int


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.sub(r"[^\w\s]", "", text.lower()).split()


def word_errors(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """Words to insert, delete or replace (Levenshtein)."""
    costs = list(range(len(heard) + 1))
    for row, word in enumerate(wanted, 1):
        before, costs[0] = costs[0], row
        for column, other in enumerate(heard, 1):
            changed = min(costs[column] + 1, costs[column - 1] + 1, before + (word != other))
            before, costs[column] = costs[column], changed
    return costs[-1]


def windows_of(samples: Samples) -> list[Span]:
    """The windows that the service's own detector and plan cut a recording into."""
    detector = Detector()
    probabilities = np.concatenate([detector.feed((samples * 32767).astype(np.int16)), detector.finish()])
    planned = plan(probabilities, len(samples) / RATE, TOGETHER)
    return [Span(round(window.start * RATE), round(window.end * RATE)) for window in planned]


def spectrograms(samples: Samples, windows: Sequence[Span]) -> torch.Tensor:
    """Each window with digital silence up to 30 s, as (windows, 80, 3000)."""
    sound = np.zeros((len(windows), WINDOW), np.float32)
    for row, window in zip(sound, windows, strict=True):
        row[: window.end - window.start] = samples[window.start : window.end]
    spectrogram: torch.Tensor = log_mel_spectrogram(torch.from_numpy(sound), 80)
    return spectrogram


def listen(model: Whisper, samples: Samples, windows: Sequence[Span], language: str) -> list[Segment]:
    """The segments of a recording."""
    options = DecodingOptions(language=language, fp16=False, temperature=0, without_timestamps=False)
    segments: list[Segment] = []
    for start in range(0, len(windows), TOGETHER):
        some = windows[start : start + TOGETHER]
        results = decode(model, spectrograms(samples, some), options)
        for window, result in zip(some, results, strict=True):
            segments += split(result.tokens, window.start / RATE)
    return segments


def split(tokens: Sequence[int], offset: float) -> list[Segment]:
    """Segments between the timestamps of one window that begins `offset` seconds into the recording."""
    tokenizer = get_tokenizer(True, num_languages=99)
    segments: list[Segment] = []
    start, text = 0.0, list[int]()
    for token in tokens:
        if token < tokenizer.timestamp_begin:
            text.append(token)
            continue
        moment = offset + (token - tokenizer.timestamp_begin) * 0.02
        if text:
            segments.append(Segment(start, moment, tokenizer.decode(text).strip()))
            text = []
        start = moment
    return segments
