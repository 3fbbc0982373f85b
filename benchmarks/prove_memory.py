"""`poe prove memory`: peak memory of the worker and its children on a 10-minute and on a 10-hour recording.

Each runs on a fresh stack with one engine slot. Prints the peaks; exits 1 when the long one needs more than 10 % more.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from transcribe.drill import Drill, long_recording
from transcribe.embedded import places

SHORT_MINUTES, LONG_MINUTES = 10, 600
GOAL = 1.10
LOOK_SECONDS = 0.1


class Peaks(threading.Thread):
    """Watches the worker and its children; the highest resident memory of each kind and of all together, in bytes."""

    def __init__(self, worker: int) -> None:
        super().__init__(daemon=True)
        self._worker = psutil.Process(worker)
        self._ended = threading.Event()
        self.peaks: dict[str, int] = {}

    def run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            sizes: dict[str, int] = {"worker": self._worker.memory_info().rss}
            for child in self._worker.children(recursive=True):
                try:
                    kind = _kind(child.cmdline())
                    sizes[kind] = sizes.get(kind, 0) + child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            sizes["together"] = sum(sizes.values())
            for kind, size in sizes.items():
                self.peaks[kind] = max(size, self.peaks.get(kind, 0))

    def end(self) -> dict[str, int]:
        self._ended.set()
        self.join()
        return self.peaks


def _kind(command: list[str]) -> str:
    return "engine" if "worker.engine.child" in command else "decode"


def measure(minutes: int) -> dict[str, int]:
    """Peaks while a recording of `minutes` is transcribed."""
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(places.scratch(), say=lambda line: None)
        drill.start()
        try:
            recording = long_recording(Path(folder) / "recording.mp3", minutes)
            peaks = Peaks(drill.stack.pid("worker"))
            peaks.start()
            began = time.monotonic()
            job = drill.upload(recording)
            state, reason = drill.wait_for_end(job, seconds=4 * 3600)
            seconds = time.monotonic() - began
            found = peaks.end()
        finally:
            drill.stop()
    if state != "succeeded":
        raise RuntimeError(f"the recording of {minutes} minutes {state}: {reason}")
    sizes = ", ".join(f"{kind} {size >> 20} MB" for kind, size in sorted(found.items()))
    print(f"{minutes:4d} min: {sizes}; {minutes * 60 / seconds:.0f} x real time", flush=True)
    return found


def main() -> int:
    os.environ["ENGINE_SLOTS"] = "1"  # one engine, so that both runs hold the same processes
    short, long = measure(SHORT_MINUTES), measure(LONG_MINUTES)
    ratios = {kind: long[kind] / short[kind] for kind in short}
    print("ratios:", ", ".join(f"{kind} {ratio:.3f}" for kind, ratio in sorted(ratios.items())))
    print(f"together {ratios['together']:.3f}, goal <= {GOAL}")
    return 0 if ratios["together"] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
