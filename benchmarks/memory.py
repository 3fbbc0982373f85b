"""`poe bench memory`: memory against the length of a recording, through the decode child and the engine child.

10 minutes, 1 hour, 10 hours; how much the engine child takes above what it holds with its model loaded, how much the
decode child takes, and this process. Beside it openai-whisper's `transcribe` on 10 minutes and 1 hour, which keeps all
of it in memory. Goals: not above 300 MB, and 10 MB for each hour.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks._report import Goal, place, table, verdict
from benchmarks._service import Service, service
from transcribe.drill import DEMO, SAMPLES, long_recording
from transcribe.embedded.places import CHECKOUT
from worker.engine.base import Options

LOOK_SECONDS = 0.05
PEER = """
import resource, sys, numpy, whisper
from worker.demo.mixing import decode_mp3  # whisper's own reader wants the program ffmpeg; it keeps the same array
model = whisper.load_model(sys.argv[1], device="cpu")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sound = numpy.tile(decode_mp3(sys.argv[2]), int(sys.argv[3]))
whisper.transcribe(model, sound, language="en", fp16=False, condition_on_previous_text=False)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10)
"""


class Peaks(threading.Thread):
    """Highest resident memory of this process and of each kind of its children, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ended = threading.Event()
        self.found: dict[str, int] = {"engine": 0, "decode": 0, "parent": 0, "together": 0}

    def run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            sizes = resident()
            sizes["together"] = sum(sizes.values())
            for kind, size in sizes.items():
                self.found[kind] = max(size, self.found[kind])

    def end(self) -> dict[str, int]:
        self._ended.set()
        self.join()
        return self.found


def resident() -> dict[str, int]:
    """Of this process, its engine child and its decode child, now."""
    this = psutil.Process()
    sizes = {"engine": 0, "decode": 0, "parent": this.memory_info().rss}
    for child in this.children(recursive=True):
        try:
            kind = "engine" if "worker.engine.child" in child.cmdline() else "decode"
            sizes[kind] += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return sizes


def ours(service: Service, recording: Path) -> tuple[dict[str, int], float]:
    """Bytes above what was there with the model loaded, and seconds."""
    before = resident()
    peaks = Peaks()
    peaks.start()
    began = time.monotonic()
    heard = service.transcribe(recording, Options("en"))
    seconds = time.monotonic() - began
    found = peaks.end()
    if not heard.segments:
        raise RuntimeError("nothing was heard")
    above = {kind: found[kind] - before[kind] for kind in before}
    return {**above, "together": found["together"] - sum(before.values())}, seconds


def theirs(minutes: int) -> int:
    """Bytes above the loaded model that `whisper.transcribe` takes."""
    command = [sys.executable, "-c", PEER, str(DEMO), str(SAMPLES / "english.mp3"), str(minutes // 5)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return int(
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=CHECKOUT).stdout
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, nargs="+", default=[10, 60, 600])
    parser.add_argument("--peer", type=int, nargs="*", default=[10, 60], help="minutes for openai-whisper")
    options = parser.parse_args()
    place("torch", "openai-whisper")
    rows: list[list[object]] = []
    above: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder, service(DEMO) as ready:
        short = long_recording(Path(folder) / "first.mp3", 5)
        ready.transcribe(short, Options("en"))  # what is loaded at first use is not the recording's
        for length in options.minutes:
            recording = long_recording(Path(folder) / f"{length}.mp3", length)
            found, seconds = ours(ready, recording)
            above[length] = found["together"]
            sizes = [found[kind] >> 20 for kind in ("engine", "decode", "parent", "together")]
            print(f"{length} min: {sizes} MB, {60 * length / seconds:.0f} x real time", flush=True)
            peer = f"{theirs(length) >> 20}" if length in options.peer else "-"
            rows.append([f"{length} min", *sizes, peer, f"{60 * length / seconds:.0f}"])
    head = ["length", "engine +MB", "decode MB", "parent +MB", "together +MB", "openai-whisper +MB", "x real time"]
    table(head, rows)
    first, last = min(above), max(above)
    slope = (above[last] - above[first]) / (1 << 20) / max((last - first) / 60, 1)
    return verdict(
        [
            Goal("MB for each hour", slope, 10, at_most=True),
            Goal("most above the model, MB", max(above.values()) / (1 << 20), 300, at_most=True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
