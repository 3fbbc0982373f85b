"""`poe bench overhead`: what the service adds to the engine's own time.

60 recordings of a minute on one slot (base dimensions), and one of 10 hours with an engine that hears at once. Beside
it the same functions called one after another, without rows and Temporal. What is added is all of the wall in which the
engine was at rest: while the first recording was decoded, and between two batches. Goals: at most 2 % of the wall and
0.5 s for each recording (of 10 hours: 2 % of an engine at 60 times real time), the first sign of life within a second,
few events, and neither text nor names in what Temporal keeps. `--jobs` and `--hours` make it shorter.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import _stack
from benchmarks._histories import histories
from benchmarks._report import Goal, place, verdict
from benchmarks._service import Service
from benchmarks._stub_engine import MODEL, SAID
from benchmarks._weights import grown_checkpoint
from transcribe.drill import SAMPLES, Drill, long_recording
from transcribe.embedded import places
from worker.engine.base import Options
from worker.engine.slots import EngineSettings, SlotPool

TITLE = "wombat-in-the-title"
HEARD = re.compile(r"run ([0-9a-f-]{36}): heard \d+ windows in ([\d.]+) s")
TIMES = (
    "SELECT r.id, r.state, extract(epoch FROM r.admitted_at), extract(epoch FROM r.started_at), "
    "extract(epoch FROM r.finished_at) FROM jobs_run r ORDER BY r.created_at"
)
SPOKEN = "SELECT extract(epoch FROM min(at)) FROM jobs_runevent WHERE run_id = %s AND stage = 'transcribing'"


def plain(recording: Path, count: int) -> float:
    """Seconds for each recording, by function calls alone."""
    pool = SlotPool(EngineSettings(grown_checkpoint("base"), "base", 1, 10, window_cap_seconds=600))
    pool.start()
    try:
        ready = Service(pool)
        ready.transcribe(recording, Options("en"))  # what is loaded at first use
        began = time.monotonic()
        for _ in range(count):
            ready.transcribe(recording, Options("en"))
        return (time.monotonic() - began) / count
    finally:
        pool.close()


def minute(folder: str) -> Path:
    """A recording of a minute."""
    whole = (SAMPLES / "english.mp3").read_bytes()
    recording = Path(folder) / f"{TITLE}.mp3"
    recording.write_bytes(whole[: len(whole) // 5])
    return recording


def minutes(drill: Drill, jobs: int, lines: list[str]) -> list[Goal]:
    """Many short recordings, one after another through one slot."""
    with tempfile.TemporaryDirectory() as folder:
        recording = minute(folder)
        names = [drill.upload(recording) for _ in range(jobs)]
        for name in names:
            if drill.wait_for_end(name, 1800, look=1) != ("succeeded", ""):
                raise RuntimeError(f"{name}: {drill.run(name)}")
    rows = drill.rows(TIMES)
    engine = sum(float(found[2]) for line in lines if (found := HEARD.search(line)))
    wall = float(max(row[4] for row in rows) - min(row[2] for row in rows))
    first = [float(row[3] - row[2]) for row in rows]
    said = [text.strip() for text in drill.text(names[0])]
    kept = histories(drill, [str(row[0]) for row in rows[:10]], [TITLE, *said])
    added = (wall - engine) / jobs
    p50, p95 = _stack.percentile(first, 50), _stack.percentile(first, 95)
    print(f"{jobs} recordings of a minute: wall {wall:.1f} s ({wall / jobs:.2f} s each), engine {engine:.1f} s")
    print(f"first sign of life after admission: p50 {p50:.3f} s, p95 {p95:.3f} s, max {max(first):.3f} s")
    print(
        f"histories: {kept[0].events} events, {kept[0].size} bytes, largest event {kept[0].largest} bytes", flush=True
    )
    return [
        Goal("added to each, s", added, 0.5, at_most=True),
        Goal("added, % of the wall", 100 * (wall - engine) / wall, 2, at_most=True),
        Goal("first sign of life, s (p95)", p95, 1, at_most=True),
        Goal("words told to Temporal", sum(len(one.told) for one in kept), 0, at_most=True),
    ]


def hours(drill: Drill, length: int) -> list[Goal]:
    """One long recording, heard at once."""
    with tempfile.TemporaryDirectory() as folder, _stub_worker(drill):
        recording = long_recording(Path(folder) / f"{TITLE}.mp3", 60 * length)
        job = drill.upload(recording, model=MODEL)
        if (ended := drill.wait_for_end(job, 3600, look=1)) != ("succeeded", ""):
            raise RuntimeError(f"{job}: {ended}")
    run = _stack.run_of(drill, job)
    [[began]] = drill.rows(SPOKEN, run)
    times = next(row for row in drill.rows(TIMES) if str(row[0]) == run)
    around = float(times[4] - began)
    [kept] = histories(drill, [run], [TITLE, SAID])
    windows = len(drill.attempts(job))
    print(f"{length} h with an engine that hears at once: {windows} windows in {around:.1f} s, {kept.events} events,")
    print(f"{kept.size} bytes, largest event {kept.largest}; prepared in {float(began - times[3]):.1f} s", flush=True)
    return [
        Goal("around the engine, s for each hour", around / length, 0.02 * 3600 / 60, at_most=True),
        Goal("events for each hour", kept.events / length, 100, at_most=True),
        Goal("bytes of the largest event", kept.largest, 256 << 10, at_most=True),
        Goal("words told to Temporal", len(kept.told), 0, at_most=True),
    ]


@contextmanager
def _stub_worker(drill: Drill) -> Iterator[None]:
    """In the place of the stack's own."""
    drill.stack.hold("worker")
    command = [sys.executable, "-m", "benchmarks._stub_engine", "--worker"]
    environment = {**drill.stack.environment(), "DJANGO_SETTINGS_MODULE": "transcribe.settings"}
    with subprocess.Popen(command, cwd=places.CHECKOUT, env=environment) as process:
        try:
            offered = "SELECT 1 FROM jobs_worker WHERE model = %s AND ended_at IS NULL"
            drill.wait(lambda: drill.rows(offered, MODEL) != [], "the worker with the stub", 120)
            yield
        finally:
            process.terminate()
            process.wait(60)
            drill.stack.release("worker")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--hours", type=int, default=10)
    options = parser.parse_args()
    place("temporalio", "torch")
    lines: list[str] = []
    if options.jobs:
        with tempfile.TemporaryDirectory() as folder:
            print(f"function calls alone: {plain(minute(folder), 5):.2f} s for a recording of a minute", flush=True)
    with _stack.stack(grown_checkpoint("base"), lines, ENGINE_SLOTS=1) as drill:
        goals = minutes(drill, options.jobs, lines) if options.jobs else []
        goals += hours(drill, options.hours) if options.hours else []
        time.sleep(1)
    return verdict(goals)


if __name__ == "__main__":
    sys.exit(main())
