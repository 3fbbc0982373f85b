"""What each of a worker's models gets of its machine: slots, devices, threads, and turns when all want to work.

Decided once, at the start. No more slots work at a time than the machine has places (cores, or graphics processors),
whatever the number of models. Beside others a model keeps one loaded child; further ones are loaded when first used.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

from worker.engine import machine
from worker.engine.base import FAST
from worker.engine.machine import Layout

TURN_SECONDS = 0.5  # between two looks of somebody who waits


@dataclass(frozen=True)
class Share:
    """`eager`: all children are loaded at the start."""

    layout: Layout
    turns: threading.Semaphore
    eager: bool

    @contextmanager
    def turn(self, poll: Callable[[], None]) -> Iterator[None]:
        """One of the machine's places; `poll` is called while none is free, and ends the waiting by raising."""
        while not self.turns.acquire(timeout=TURN_SECONDS):
            poll()
        try:
            yield
        finally:
            self.turns.release()


def divide(wanted: int, sizes: Sequence[int], mode: str = FAST) -> list[Share]:
    """A share for each model, by the bytes of its checkpoint: an equal part of the places, but at least one slot.

    `wanted` slots in all, where it is not 0; else one for each GPU, or on a CPU as many as cores and memory allow in
    this `mode` (of MODES).
    """
    gpus = machine.probe()
    places = wanted or len(gpus) or machine.cores()
    slots = [places // len(sizes) + (number < places % len(sizes)) for number in range(len(sizes))]
    if not wanted and not gpus:
        memory = machine.available_memory() // len(sizes)
        slots = [machine.slots_on_cpu(count, memory, size, mode) for count, size in zip(slots, sizes, strict=True)]
    slots = [max(1, count) for count in slots]
    at_once = min(places, sum(slots))
    devices = cycle([f"cuda:{number}" for number in range(len(gpus))] or ["cpu"])
    threads = max(1, machine.cores() // at_once)
    turns = threading.Semaphore(at_once)
    return [Share(Layout(list(islice(devices, count)), threads), turns, eager=len(sizes) == 1) for count in slots]
