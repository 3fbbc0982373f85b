"""Engine slots of a worker: starts engine children, feeds each one request at a time, kills and replaces them.

No torch here: it holds the interpreter for minutes on large models, and what a child does to its memory or its device
must not reach the worker.
"""

import logging
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from worker.engine.base import EngineRefused, Loaded
from worker.engine.machine import ROOT, available_memory, environment, resident
from worker.engine.process import EngineDied, EngineProcess
from worker.engine.shares import TURN_SECONDS, Share, divide
from worker.engine.slot import EngineSettings, Poll, Slot

__all__ = ["EngineDied", "EngineRefused", "EngineSettings", "Slot", "SlotPool"]

logger = logging.getLogger(__name__)

NEW_WEIGHT = 0.3  # of the latest request in the moving speed


class SlotPool:
    """A worker's slots for one model. `start` first; `close` at the end.

    `share`: what it gets of the machine beside the worker's other models; without one, all of it.
    """

    program = "worker.engine.child"
    slots: int
    device: str
    threads: int
    loaded: Loaded

    def __init__(self, settings: EngineSettings, share: Share | None = None) -> None:
        self.settings = settings
        self._share = share
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        self._ending: set[Slot] = set()
        self.on_room: Callable[[], None] = lambda: None  # called, on any thread, when `room` has grown
        self._children: set[EngineProcess] = set()
        self._known: Loaded | None = None
        self._speed = 0.0
        self._lock = threading.Lock()
        self._compiled: tempfile.TemporaryDirectory[str] | None = None
        # Children are killed by the kernel when the thread that started them ends, so all of them are started by one
        # thread that lives as long as the pool.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="engine-starter")

    def start(self) -> Loaded:
        """Load the first child and begin with the others. Raises EngineRefused where the model cannot be had."""
        try:
            self._share = self._share or self._whole_machine()
        except OSError as error:
            raise EngineRefused("checkpoint_missing", f"There is no checkpoint: {error.strerror}.") from error
        # What the first child compiles is there for the others, and for those that replace them. Nobody else may write
        # to it, and it ends with the pool.
        self._compiled = tempfile.TemporaryDirectory(prefix="transcribe-engine-")
        plan = self._share.layout
        self.slots, self.threads, self.device = len(plan.devices), plan.threads, plan.devices[0]
        slots = [Slot(self, device) for device in plan.devices]
        try:
            slots[0].warm(lambda: None)
            loaded = self.loaded
        except BaseException:
            self.close()
            raise
        for slot in slots:
            if self._share.eager:
                slot.begin()
            self._free.put(slot)
        held = f"{resident(slots[0].pid) >> 20} MB held by each, {available_memory() >> 20} MB free"
        size = f"{self.slots} slots, {self.threads} threads each, {held}"
        logger.info("Engine: %s on %s in %s mode, %s", loaded.model, loaded.device, loaded.mode, size)
        return loaded

    def _whole_machine(self) -> Share:
        settings = self.settings
        return divide(settings.slots, [settings.checkpoint.stat().st_size], settings.mode)[0]

    @contextmanager
    def slot(self, poll: Poll = lambda: None) -> Iterator[Slot]:
        """A slot of the caller's own; polls while none is free, and while the other models take all the places."""
        assert self._share is not None
        slot = self._take(poll)
        try:
            with self._share.turn(poll):
                yield slot
        finally:
            self._ending.discard(slot)
            self._free.put(slot)

    def _take(self, poll: Poll) -> Slot:
        while True:
            try:
                return self._free.get(timeout=TURN_SECONDS)
            except queue.Empty:
                poll()

    @property
    def room(self) -> int:
        """How many callers are of use: one for each slot, and one to follow where a slot is about to come free."""
        return self.slots + len(self._ending)

    def ends_soon(self, slot: Slot) -> None:
        """Its caller is about to give it back."""
        if slot not in self._ending:
            self._ending.add(slot)
            self.on_room()

    @property
    def busy(self) -> int:
        """Slots that somebody holds."""
        return self.slots - self._free.qsize()

    def speed(self) -> float:
        """Seconds of sound heard in a second by one slot, as of late."""
        return self._speed

    def close(self) -> None:
        """Kill all children. Who is waiting for one gets EngineDied; nothing can be started after it."""
        self._starter.shutdown(wait=True, cancel_futures=True)
        for child in list(self._children):
            child.kill()
        idle = []
        with suppress(queue.Empty):
            while True:  # who holds one of the others now sees its child end, and discards it
                idle.append(self._free.get_nowait())
        for slot in idle:
            slot.close()
            self._free.put(slot)
        if self._compiled is not None:
            self._compiled.cleanup()

    def launch(self, device: str) -> EngineProcess:
        """A new child, loading."""
        try:
            return self._starter.submit(self._launch, device).result()
        except OSError as error:
            raise EngineRefused("engine_not_loaded", f"The engine could not be started: {error.strerror}.") from error
        except RuntimeError as error:  # the executor is shut down
            raise EngineDied("The engine is shut down.") from error

    def discard(self, child: EngineProcess) -> None:
        """A child of no more use."""
        child.close()
        self._children.discard(child)

    def accept(self, loaded: Loaded) -> None:
        """The first child says what the model is; every later one must have read the same file."""
        with self._lock:
            if self._known is None:
                self._known = self.loaded = loaded
                self._speed = loaded.speed
        if loaded.sha256 != self._known.sha256:
            raise EngineRefused("checkpoint_changed", "The checkpoint was changed while the worker ran. Restart it.")

    def note(self, heard: float, took: float) -> None:
        """Seconds of sound, and the seconds they took."""
        with self._lock:
            self._speed += NEW_WEIGHT * (heard / max(took, 0.001) - self._speed)

    def _launch(self, device: str) -> EngineProcess:
        settings = self.settings
        command = [sys.executable, "-m", self.program, "--checkpoint", str(settings.checkpoint.resolve())]
        command += ["--model", settings.model, "--mode", settings.mode]
        command += ["--device", device, "--threads", str(self.threads), "--log-format", settings.log_format]
        command += ["--parent", str(os.getpid())] + (["--speed", str(self._known.speed)] if self._known else [])
        assert self._compiled is not None
        kept = {"NUMBA_CACHE_DIR": self._compiled.name}
        child = EngineProcess(command, ROOT, environment(self.threads) | kept)
        self._children.add(child)
        return child
