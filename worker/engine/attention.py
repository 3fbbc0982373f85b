"""Attention of the encoder: each position of the sound to all others. It is more than half of the encoder's work."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from worker.engine import onednn, trial
from worker.engine.linear import sums_overflow

Attend = Callable[[Tensor], Tensor]
"""Queries (scaled), keys and values (rows, positions, 3, heads, depth) -> what they find (rows, positions, width)."""

DEPTH = 64  # of a head, in all of openai's models
BLOCK, EXACT_BLOCK = 150, 300  # queries at a time: their scores stay in the cache
GOLDEN = (5**0.5 - 1) / 2
NEAR = 1e-4


def exactly(parts: Tensor) -> Tensor:
    """In the numbers given."""
    rows, length, *_ = parts.shape
    query, key, value = parts.permute(2, 0, 3, 1, 4).contiguous()
    found = functional.scaled_dot_product_attention(query, key, value, scale=1.0)
    return found.transpose(1, 2).reshape(rows, length, -1)


def in_blocks(parts: Tensor) -> Tensor:
    """In fp32 by oneDNN, on a CPU. Of base dimensions on an AMD processor (Zen 5), one thread: 28 ms a layer, where
    torch, which calls MKL, takes 50."""
    rows, length, _, heads, depth = parts.shape
    found = parts.new_empty(rows, length, heads, depth)
    query, key, value = parts.permute(2, 0, 3, 1, 4).contiguous()
    for row, head in itertools.product(range(rows), range(heads)):
        keys, values = key[row, head], value[row, head].t().contiguous()  # packed they take 5 % longer
        for first in range(0, length, EXACT_BLOCK):
            scores = onednn.product(query[row, head, first : first + EXACT_BLOCK], keys)
            found[row, first : first + EXACT_BLOCK, head] = onednn.product(scores.softmax(dim=-1), values)
    return found.flatten(2)


def in_eight_bits(parts: Tensor) -> Tensor:
    """Both products in 8 bits; fp32 in and out, on a CPU. `positions` is a multiple of `BLOCK`.

    On a Xeon with VNNI, one thread, a head of 1500 x 64: 2.8 ms beside 5.4. Of the demo model's features it changes
    0.6 %, where linear layers in 8 bits change 1.6 %.
    """
    return torch.stack([_in_eight_bits(row) for row in parts])


def blocks_pay(depth: int) -> bool:
    """Whether products of oneDNN are faster on this processor, and as exact. Never for narrower heads: those are of
    models for tests, which are to start fast."""
    return depth == DEPTH and onednn.pays(bent=False) and _blocks_tried()


def eight_bits_pay(depth: int) -> bool:
    """Whether loops of our own over 8-bit numbers are faster on this processor, with the threads of this process.

    Never without VNNI, where sums of 8-bit products are cut off, and never for narrower heads: numba takes a second.
    """
    return depth == DEPTH and not sums_overflow() and _eight_bits_tried()


@functools.cache
def _blocks_tried() -> bool:
    """About 0.1 s, once."""
    parts = _by_chance(1)
    if bool((in_blocks(parts) - exactly(parts)).abs().max() > NEAR):
        return False
    return trial.pays(functools.partial(in_blocks, parts), functools.partial(exactly, parts))


@functools.cache
def _eight_bits_tried() -> bool:
    """About 0.1 s, once, when numba is loaded."""
    parts = _by_chance(2)
    return trial.pays(functools.partial(in_eight_bits, parts), functools.partial(exactly, parts))


def _by_chance(heads: int) -> Tensor:
    return torch.randn(1, 1500, 3, heads, DEPTH, generator=torch.Generator().manual_seed(1))


def _in_eight_bits(parts: Tensor) -> Tensor:
    from worker.engine import kernels

    length, _, heads, depth = parts.shape
    assert length % BLOCK == 0
    rounded = torch.empty((3, heads, length, depth), dtype=torch.int8)
    steps, value_steps = np.empty((heads, length), np.float32), np.empty((heads, depth), np.float32)
    kernels.split(parts.numpy(), rounded.numpy(), steps, value_steps)
    scores = torch.empty((BLOCK, length), dtype=torch.int32)
    weights = torch.empty((BLOCK, length), dtype=torch.uint8)  # its products need no correction by sums of values
    sums, total = torch.empty((BLOCK, depth), dtype=torch.int32), np.empty(BLOCK, np.float32)
    # The same memory as arrays, made once: the calls are many and small.
    of_scores, of_weights, of_sums = scores.numpy(), weights.numpy(), sums.numpy()
    found = torch.empty((length, heads, depth))
    for head, (queries, keys, values) in enumerate(rounded.transpose(0, 1)):
        keys, out = keys.t(), found[:, head].numpy()
        for first, block in zip(range(0, length, BLOCK), queries.split(BLOCK), strict=True):
            torch._int_mm(block, keys, out=scores)
            kernels.soften(of_scores, steps[head, first : first + BLOCK], _dither(length), of_weights, total)
            torch._int_mm(weights, values, out=sums)
            kernels.scale(of_sums, total, value_steps[head], out[first : first + BLOCK])
    return found.flatten(1)


@functools.cache
def _dither(length: int) -> Any:
    """Multiples of the golden ratio without their whole part: any few that follow each other are spread evenly."""
    return (np.arange(length) * GOLDEN % 1).astype(np.float32)
