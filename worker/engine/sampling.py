"""Decodes a batch of windows; rows that fail are decoded again at higher temperatures, by openai's rules."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.engine import guards
from worker.engine.ahead import decode_ahead
from worker.engine.beam import decode_beams
from worker.engine.decode import Pick, Result, Task, decode, likeliest, log_probabilities
from worker.engine.decoder import Decoder
from worker.engine.linear import not_a_number
from worker.engine.memory import Memory


@dataclass(frozen=True)
class Rules:
    """When a decoded window is believed. The values are those of openai-whisper's `transcribe`."""

    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio: float = guards.COMPRESSION_RATIO  # above: it repeats itself
    log_probability: float = guards.LOG_PROBABILITY  # mean over tokens, below: it guesses
    no_speech: float = 0.6  # above, and guessing: nobody speaks

    def is_silence(self, result: Result) -> bool:
        guesses = result.average_log_probability <= self.log_probability
        return result.no_speech_probability > self.no_speech and guesses

    def failed(self, result: Result) -> bool:
        repeats = result.compression_ratio > self.compression_ratio
        guesses = result.average_log_probability < self.log_probability
        return (repeats or guesses) and not self.is_silence(result)


def decode_surely(
    decoder: Decoder, memory: Memory, task: Task, seeds: Sequence[str], rules: Rules, beam: int = 1
) -> list[Result]:
    """A result for each row of `memory`. The same row, seed and rules give the same text. Rows that fail are heard
    again from the same memory: nothing is encoded twice. `beam` hypotheses are followed where chance has no part."""
    results = _decode_at(decoder, memory, task, seeds, rules.temperatures[0], beam)
    for temperature in rules.temperatures[1:]:
        again = [row for row, result in enumerate(results) if _failed(result, task, rules)]
        if not again:
            break
        retried = _decode_at(decoder, memory.select(again), task, [seeds[row] for row in again], temperature)
        for row, result in zip(again, retried, strict=True):
            results[row] = result
    return results


def _failed(result: Result, task: Task, rules: Rules) -> bool:
    if rules.failed(result) or rules.is_silence(result):
        return rules.failed(result)
    return guards.loops(task.tokenizer.decode([token for token in result.tokens if token < task.tokenizer.eot]))


def _decode_at(
    decoder: Decoder, memory: Memory, task: Task, seeds: Sequence[str], temperature: float, beam: int = 1
) -> list[Result]:
    if temperature > 0:
        results = decode(decoder, memory, task, sampled(temperature, seeds, decoder.device), temperature)
    elif beam > 1:
        results = decode_beams(decoder, memory, task, beam)
    else:
        results = decode_likeliest(decoder, memory, task)
    if not all(math.isfinite(result.average_log_probability) for result in results):
        raise not_a_number()
    return results


def decode_likeliest(decoder: Decoder, memory: Memory, task: Task) -> list[Result]:
    """Without chance and beams: temperature 0."""
    if decoder.rough is not None:
        return decode_ahead(decoder, decoder.rough, memory, task)
    return decode(decoder, memory, task, likeliest, 0.0)


def sampled(temperature: float, seeds: Sequence[str], device: torch.device) -> Pick:
    """openai's sampling as a `Pick`; each row has its own generator, so its neighbours change nothing."""
    generators = [_generator(f"{seed}/{temperature}", device) for seed in seeds]

    def pick(logits: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        chances = torch.softmax(logits / temperature, dim=-1)
        drawn = [torch.multinomial(each, 1, generator=generators[row]) for each, row in zip(chances, rows, strict=True)]
        chosen = torch.cat(drawn)
        return chosen, log_probabilities(logits, chosen)

    return pick


def _generator(seed: str, device: torch.device) -> torch.Generator:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7])
    return torch.Generator(device).manual_seed(number)
