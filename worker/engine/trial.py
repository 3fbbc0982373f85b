"""Which of two ways is faster on this processor: tried when an engine is made, as no list of processors stays true."""

import time
from collections.abc import Callable

import torch

PAYS, ROUNDS = 0.9, 7


def pays(ours: Callable[[], object], other: Callable[[], object]) -> bool:
    """Whether `ours` takes clearly less time than `other`: the best of a few, in turns."""
    seconds = [(seconds_of(ours), seconds_of(other)) for _ in range(ROUNDS)]
    least, others = map(min, zip(*seconds, strict=True))
    return bool(least < PAYS * others)


def seconds_of(work: Callable[[], object]) -> float:
    """Of one thread its processor time, which no neighbour lengthens: what is chosen here stays for the life of the
    process."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    work()
    return clock() - began
