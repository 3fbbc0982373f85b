"""When each token is said: where the decoder looks in the sound while it is shown the text, and the best path there.

As openai-whisper's `timing.py`, from attention that is already there. Two steps are ours, with the same result: the
median by a sorting network (8 times cheaper than sorting), and the path row by row in numpy (`numba` would compile for
seconds in each new process, and resets torch's threads).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MEDIAN_OF = 7
# Comparisons that leave the median of seven in place 3 (N. Devillard, "Fast median search", 1998).
NETWORK = ((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4))
SMALLEST = 1e-12
AT_ONCE = 16  # tokens that fit the cache with their neighbours: 0.9 ms for a head's 70 tokens, all at once 1.75
NEAR = 5  # positions (0.1 s)
Focus = NDArray[np.float64]
"""(tokens, positions): how much a position belongs to a token, more than to other tokens."""


@torch.inference_mode()
def focus(attention: Tensor, positions: int) -> Focus:
    """`attention` (heads, tokens, 1500): of each shown token, sums to 1. `positions` of 0.02 s hold sound."""
    shares = attention[:, :, :positions]
    shares = shares / shares.sum(-1, keepdim=True).clamp_min(SMALLEST)
    total = torch.zeros_like(shares[0])
    for head in shares:  # one by one: they fit the cache
        apart = head - head.mean(dim=0)
        deviation = apart.square().mean(dim=0).sqrt()  # a third of the time of `std_mean`
        few = (apart / deviation.clamp_min(SMALLEST)).split(AT_ONCE)
        total += torch.cat([_median(part) for part in few])
    found: Focus = (total / len(shares)).double().cpu().numpy()
    return found


def _median(values: Tensor) -> Tensor:
    """The median of the seven around each value of the last dimension, mirrored at its ends."""
    reach, width = MEDIAN_OF // 2, values.shape[-1]
    if width <= reach:
        return values
    padded = torch.nn.functional.pad(values[None], (reach, reach), mode="reflect")[0]
    places = [padded[..., place : place + width] for place in range(MEDIAN_OF)]
    for low, high in NETWORK:
        smaller = torch.minimum(places[low], places[high])
        places[low], places[high] = smaller, torch.maximum(places[low], places[high])
    return places[reach]


def entries(focus: Focus) -> NDArray[np.int64]:
    """For each token the position where the best path from the first corner to the last, one step right, down or both
    at a time, comes to it. Ascending, the first is 0.

    Dynamic time warping; within a row the cheapest way to a position is a running minimum, once its costs are summed.
    """
    total, entering = np.empty_like(focus), np.empty_like(focus)
    before = np.full(focus.shape[1] + 1, np.inf)  # of the row above, from the position left of the first on
    before[0] = 0.0
    for row, gain in enumerate(focus):
        summed = np.cumsum(-gain)
        entering[row] = np.minimum(before[:-1], before[1:]) - (summed + gain)
        total[row] = summed + np.minimum.accumulate(entering[row])
        before[0], before[1:] = np.inf, total[row]
    return _walk_back(total, entering)


def _walk_back(total: Focus, entering: Focus) -> NDArray[np.int64]:
    """`total`: the cheapest cost of a way to each place; `entering`: where a row was entered, its smallest so far."""
    found = np.zeros(len(total), np.int64)
    last = total.shape[1] - 1
    for row in range(len(total) - 1, 0, -1):
        found[row] = place = int(np.argmin(entering[row, : last + 1]))
        diagonal = place > 0 and total[row - 1, place - 1] <= total[row - 1, place]
        last = place - diagonal
    return found


def agreement(focus: Focus, bounds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each token, whether it looks most at where the path has it, to 0.1 s. `bounds`: one more than tokens.

    On heads that follow phrases instead of words few do: then the path is no better than chance.
    """
    top = focus.argmax(axis=1)
    agree: NDArray[np.bool_] = (bounds[:-1] - NEAR <= top) & (top <= bounds[1:] + NEAR)
    return agree
