"""Decodes a batch of encoded windows; rows that fail are decoded again at higher temperatures, by openai's rules."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from whisper.decoding import DecodingOptions, DecodingResult, DecodingTask
from whisper.model import Whisper

from worker.engine.base import EngineRefused


@dataclass(frozen=True)
class Rules:
    """When a decoded window is believed. The values are those of openai-whisper's `transcribe`."""

    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio: float = 2.4  # above: it repeats itself
    log_probability: float = -1.0  # mean over tokens, below: it guesses
    no_speech: float = 0.6  # above, and guessing: nobody speaks

    def is_silence(self, result: DecodingResult) -> bool:
        return bool(result.no_speech_prob > self.no_speech and result.avg_logprob <= self.log_probability)

    def failed(self, result: DecodingResult) -> bool:
        repeats = result.compression_ratio > self.compression_ratio
        guesses = result.avg_logprob < self.log_probability
        return bool(repeats or guesses) and not self.is_silence(result)


def decode(
    model: Whisper, features: Tensor, language: str, task: str, seeds: Sequence[str], rules: Rules
) -> list[DecodingResult]:
    """A result for each row of `features` (rows, 1500, width). The same row, seed and rules give the same text.

    `task`: "transcribe", or "translate" into English.
    """
    results = _decode_at(model, features, language, task, seeds, rules.temperatures[0])
    for temperature in rules.temperatures[1:]:
        again = [row for row, result in enumerate(results) if rules.failed(result)]
        if not again:
            break
        retried = _decode_at(model, features[again], language, task, [seeds[row] for row in again], temperature)
        for row, result in zip(again, retried, strict=True):
            results[row] = result
    return results


def _decode_at(
    model: Whisper, features: Tensor, language: str, task: str, seeds: Sequence[str], temperature: float
) -> list[DecodingResult]:
    half = features.dtype == torch.float16
    options = DecodingOptions(task=task, language=language, temperature=temperature, fp16=half)
    decoding = DecodingTask(model, options)
    if temperature > 0:
        decoding.decoder = SeededDecoder(temperature, decoding.tokenizer.eot, seeds, features.device)
    results: list[DecodingResult] = decoding.run(features)
    if not all(math.isfinite(result.avg_logprob) for result in results):
        raise EngineRefused(
            "not_a_number", "The model gave no numbers. Its checkpoint is damaged or unfit for this device."
        )
    return results


class SeededDecoder:
    """openai's sampling as a `TokenDecoder`; each row has its own generator, so its neighbours change nothing."""

    def __init__(self, temperature: float, end: int, seeds: Sequence[str], device: torch.device) -> None:
        self.temperature = temperature
        self.end = end
        self.generators = [_generator(f"{seed}/{temperature}", device) for seed in seeds]

    def reset(self) -> None:
        """Nothing is kept between batches."""

    def update(self, tokens: Tensor, logits: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, bool]:
        """As `whisper.decoding.GreedyDecoder.update`: tokens (rows, length) and logits (rows, vocabulary)."""
        chances = torch.softmax(logits.float() / self.temperature, dim=-1)
        drawn = [torch.multinomial(row, 1, generator=g) for row, g in zip(chances, self.generators, strict=True)]
        chosen = torch.cat(drawn)
        ended = tokens[:, -1] == self.end
        logprobs = torch.log_softmax(logits.float(), dim=-1).gather(1, chosen[:, None])[:, 0]
        sum_logprobs += logprobs * ~ended
        chosen[ended] = self.end  # only now: the end may be forbidden here, and minus infinity times 0 is no number
        return torch.cat([tokens, chosen[:, None]], dim=-1), bool((chosen == self.end).all())

    def finalize(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, list[list[float]]]:
        """Every row ends with the end token."""
        return torch.nn.functional.pad(tokens, (0, 1), value=self.end), sum_logprobs.tolist()


def _generator(seed: str, device: torch.device) -> torch.Generator:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7])
    return torch.Generator(device).manual_seed(number)
