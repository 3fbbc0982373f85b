"""Contestants in turns, in one process with one thread, scored by processor time; and what the machine can do at all.

Wall time on shared cores was off by a factor of two and more, processor time of one thread by a few per cent.
"""

import gc
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from worker.engine.machine import environment

PRECISION = "highest"  # what torch starts with: a contestant that changes it must not help or harm the next


def alone() -> None:
    """Start this program again with one thread for every library, unless it was. First line of `main`.

    Libraries read this once, when they are loaded. `word_timestamps` of openai-whisper resets torch's count through
    numba, so that is bound as well.
    """
    wanted = environment(1)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **wanted})  # noqa: S606  # ourselves


@dataclass
class Times:
    """Seconds of each round, and what the last one gave."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    output: Any = None

    @property
    def best(self) -> float:
        return min(self.cpu)

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)


def race(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Times]:
    """Each contestant once in every round, the first one another each time."""
    names = list(contestants)
    times = {name: Times() for name in names}
    for turn in range(rounds):
        shift = turn % max(1, len(names))  # `--only` may leave nobody
        for name in names[shift:] + names[:shift]:
            measure(contestants[name], times[name])
    return times


def measure(run: Callable[[], Any], times: Times) -> None:
    """One more round. Processor time of all threads and processes: hidden ones gain nothing."""
    import torch

    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(PRECISION)
    gc.collect()
    wall, cpu = time.perf_counter(), family_seconds()
    times.output = run()
    times.cpu.append(family_seconds() - cpu)
    times.wall.append(time.perf_counter() - wall)
    if torch.get_num_threads() != 1:
        raise RuntimeError("A contestant changed the number of threads, so its time says nothing.")


def family_seconds() -> float:
    """Processor seconds of this process, of its children that live, and of those that ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = [child.cpu_times() for child in psutil.Process().children()]
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(spent.user + spent.system for spent in living)


def rows(times: dict[str, Times], units: int, first: str) -> list[Sequence[object]]:
    """For `table`: name, speed against `first`, best and median processor seconds and best wall seconds of a unit."""
    return [
        (
            name,
            f"{times[first].best / found.best:.2f}x",
            found.best / units,
            found.median / units,
            min(found.wall) / units,
        )
        for name, found in times.items()
    ]


def peak_memory() -> str:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return f"peak memory of the process with all engines in it: {peak} MB"


@dataclass(frozen=True)
class Roofline:
    """What one thread reaches: multiplications of matrices in 10^9 operations a second, reading in 10^9 bytes.
    `eight`: of 8-bit numbers, before anything is rounded into them."""

    exact: float
    medium: float
    half: float
    eight: float
    read: float

    def __str__(self) -> str:
        return (
            f"one thread reaches: fp32 {self.exact:.0f} GF/s, fp32 at 'medium' {self.medium:.0f}, "
            f"bf16 {self.half:.0f}, 8 bits {self.eight:.0f}, reads {self.read:.0f} GB/s"
        )


def roofline() -> Roofline:
    """About two seconds of work."""
    import torch

    torch.set_num_threads(1)
    a, b = torch.randn(1500, 512), torch.randn(512, 2048)
    operations = 2 * 1500 * 512 * 2048
    rates = {}
    for precision in (PRECISION, "medium"):
        torch.set_float32_matmul_precision(precision)
        rates[precision] = operations / _shortest(lambda: a @ b) / 1e9
    torch.set_float32_matmul_precision(PRECISION)
    half_a, half_b = a.bfloat16(), b.bfloat16()
    half = operations / _shortest(lambda: half_a @ half_b) / 1e9
    eight_a, eight_b = a.char(), b.char()
    eight = operations / _shortest(lambda: torch._int_mm(eight_a, eight_b)) / 1e9
    much = torch.ones(64 << 10, 1 << 10)  # 256 MB: more than caches hold
    line = torch.ones(1 << 10)
    read = much.numel() * 4 / min(_shortest(much.sum), _shortest(lambda: much @ line)) / 1e9
    return Roofline(rates[PRECISION], rates["medium"], half, eight, read)


def _shortest(work: Callable[[], Any]) -> float:
    found = []
    for _ in range(8):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)
