"""Eight windows of sound and our engine on them: what `poe bench engine` and `poe bench exact` share."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks._peers import Tokens, load
from worker.engine.batched import BatchedEngine
from worker.engine.measure import decode_fixed
from worker.engine.sound import spectrogram

WINDOWS, TOKENS, BATCH = 8, 100, 8  # 100 tokens are 30 s of fluent English
SAMPLES = 480_000
LEAST_DIFFERENT = 100  # tokens in all windows: weights that say one token for ever would let wrong engines pass


class Ours:
    """Our engine in a mode ("exact" or "fast"), from mel to tokens."""

    def __init__(self, checkpoint: Path, mode: str, device: str = "cpu") -> None:
        self._engine = BatchedEngine(load(checkpoint, device), mode=mode)

    def decode(self, mels: Tensor, tokens: int) -> Tokens:
        """As `_peers.openai_sequential`, in one batch."""
        return decode_fixed(self._engine, self._engine.encoder(mels), tokens)


def windows(mels: int, count: int = WINDOWS) -> Tensor:
    """(count, mels, 3000): noise whose loudness changes ten times a second, another in each window."""
    chance = np.random.default_rng(1)
    found = []
    for _ in range(count):
        loudness = np.repeat(chance.uniform(0, 1, SAMPLES // 1600), 1600) * 10 ** chance.uniform(-3, -1)
        found.append(spectrogram((chance.normal(0, 1, SAMPLES) * loudness).astype(np.float32), mels))
    return torch.stack(found)


def check(name: str, tokens: Tokens, wanted: Tokens | None = None, *, different: int = LEAST_DIFFERENT) -> None:
    """Stop where an engine did less or more work than asked, or should have said the same and did not."""
    lengths = {len(window) for window in tokens}
    if lengths != {TOKENS}:
        raise SystemExit(f"{name} gave {sorted(lengths)} tokens for a window, not {TOKENS}: its time says nothing.")
    if len({token for window in tokens for token in window}) < different:
        raise SystemExit(f"{name} says the same tokens again and again: its weights are no test.")
    if wanted is not None and tokens != wanted:
        raise SystemExit(f"{name} says {same(tokens, wanted)} of {len(tokens)} windows like openai, and must say all.")


def same(tokens: Tokens, wanted: Tokens) -> int:
    """Windows with the same tokens."""
    return sum(a == b for a, b in zip(tokens, wanted, strict=True))


def arguments(description: str | None, given: Sequence[str] | None = None) -> argparse.Namespace:
    """`--sizes`, `--rounds`, `--only` (names of contestants to keep, for trying; openai stays)."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["tiny", "base"], choices=["tiny", "base"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="keep only contestants whose name holds one of these, and openai")
    return parser.parse_args(given)
