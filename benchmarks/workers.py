"""`poe bench workers`: a 60-minute recording on one slot and on two, by the time that its speech takes.

Each slot has a core and one thread. Then two workers of one slot each, one of which is killed in the middle: nothing
may be heard again but the batch that it had, which the other must have done within the heartbeat timeout and 30 s.
Goals: two slots are 1.7 times as fast, where the machine has two cores free; the same text but for a few words (batches
are sized by the speed of the moment).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from benchmarks import _stack
from benchmarks._report import Goal, place, table, verdict
from transcribe.drill import DEMO, SAMPLES, Drill, long_recording
from transcribe.embedded import places
from worker import media
from worker.demo.listening import words
from worker.engine.base import Options, Piece
from worker.engine.slots import EngineSettings, SlotPool

MOVED = (
    "SELECT extract(epoch FROM max(w.done_at) - %s) FROM jobs_window w JOIN jobs_run r ON r.id = w.run_id "
    "WHERE r.job_id = %s AND w.index = ANY(%s)"
)
SPOKEN = (
    "SELECT extract(epoch FROM r.finished_at - (SELECT min(at) FROM jobs_runevent e "
    "WHERE e.run_id = r.id AND e.stage = 'transcribing')) FROM jobs_run r WHERE r.job_id = %s"
)
TIMEOUTS: dict[str, Any] = {"HEARTBEAT_TIMEOUT_SECONDS": 5, "REPAIR_SECONDS": 5, "WORKER_BEAT_SECONDS": 2}
MOVE_GOAL = TIMEOUTS["HEARTBEAT_TIMEOUT_SECONDS"] + 30.0
BOTH = (
    "SELECT DISTINCT e.worker FROM jobs_runevent e JOIN jobs_run r ON r.id = e.run_id "
    "WHERE r.job_id = %s AND e.stage = 'transcribing'"
)


def together(folder: Path) -> float:
    """How much more two engines do at once than one alone, on this machine, with no service around them."""
    samples, pieces = folder / "samples", [Piece(index, 30.0 * index, 30.0 * index + 30) for index in range(8)]
    media.decode(SAMPLES / "english.mp3", samples, folder / "speech", limit_seconds=3600, require_sandbox=False)
    pool = SlotPool(EngineSettings(DEMO, "demo", 2, 10, window_cap_seconds=600))
    pool.start()

    def hear(_: int) -> None:
        with pool.slot() as slot:
            slot.hear(samples, pieces, Options("en"), poll=lambda: None)

    def seconds(count: int) -> float:
        began = time.monotonic()
        list(threads.map(hear, range(count)))
        return time.monotonic() - began

    try:
        with ThreadPoolExecutor(2) as threads:
            seconds(2)  # both have loaded
            rounds = [(seconds(1), seconds(2)) for _ in range(3)]
    finally:
        pool.close()
    return 2 * min(one for one, _ in rounds) / min(both for _, both in rounds)


def heard(drill: Drill, recording: Path) -> tuple[str, float, dict[str, float]]:
    """The job, its seconds from the first part to the end, and processor seconds of each part of the service."""
    job = drill.upload(recording)
    drill.wait(lambda: drill.rows(BOTH, job) != [], "the first part", 600)
    before = _stack.processor_seconds(drill)
    if (ended := drill.wait_for_end(job, 3600, look=2)) != ("succeeded", ""):
        raise RuntimeError(f"{job}: {ended}")
    after = _stack.processor_seconds(drill)
    [[seconds]] = drill.rows(SPOKEN, job)
    return job, float(seconds), {name: after[name] - before[name] for name in after}


def killed(drill: Drill, recording: Path) -> tuple[str, int, int, float]:
    """Two workers, the second one killed: the job, windows heard again, windows that it had in hand, and seconds from
    the kill until the last window is committed that either of them had in hand then."""
    command = [sys.executable, "manage.py", "worker"]
    with subprocess.Popen(command, cwd=places.CHECKOUT, env=drill.stack.environment()) as second:
        seen = "SELECT 1 FROM jobs_worker WHERE pid = %s"
        drill.wait(lambda: drill.rows(seen, second.pid) != [], "the second worker", 180)
        job = drill.upload(recording)
        drill.wait(lambda: len(drill.rows(BOTH, job)) == 2, "both workers at work", 600)
        drill.wait_for_windows(job, 20, 600)
        _stack.freeze(second.pid)
        children = psutil.Process(second.pid).children(recursive=True)
        time.sleep(0.3)
        before = {row[0] for row in drill.rows(_stack.HANDED, job)}
        [[moment]] = drill.rows("SELECT now()")
        second.kill()
        psutil.wait_procs(children, timeout=10)
    if (ended := drill.wait_for_end(job, 3600)) != ("succeeded", ""):
        raise RuntimeError(f"{job}: {ended}")
    attempts = drill.attempts(job)
    again = {index for index, count in enumerate(attempts) if count > 1}
    [[seconds]] = drill.rows(MOVED, moment, job, sorted(before))
    return job, sum(attempts) - len(attempts), len(again & before), float(seconds or "nan")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    place("torch", "temporalio")
    with tempfile.TemporaryDirectory() as folder:
        most = together(Path(folder))
    with tempfile.TemporaryDirectory() as folder, _stack.stack(ENGINE_SLOTS=1, **TIMEOUTS) as drill:
        recording = long_recording(Path(folder) / "recording.mp3", options.minutes)
        times: dict[int, list[float]] = {1: [], 2: []}
        work: dict[int, dict[str, float]] = {}
        texts = []
        for _ in range(options.rounds):
            for slots in times:
                _stack.restart_worker(drill, cores=slots, ENGINE_SLOTS=slots)
                job, seconds, processor = heard(drill, recording)
                if seconds < min(times[slots], default=seconds + 1):
                    work[slots] = processor
                times[slots].append(seconds)
                texts.append(drill.text(job))
        _stack.restart_worker(drill, cores=1, ENGINE_SLOTS=1)
        job, again, in_hand, moved = killed(drill, recording)
        texts.append(drill.text(job))
    compare(times, work, most)
    return report(times, texts, again, in_hand, moved)


def compare(times: dict[int, list[float]], work: dict[int, dict[str, float]], most: float) -> None:
    """Prints where the seconds of both went: what is not an engine's takes the cores of two slots, not of one."""
    table(
        ["slots", "wall s, least", *(f"{name} s" for name in work[1])],
        [[slots, min(times[slots]), *work[slots].values()] for slots in times],
    )
    ratio = min(times[1]) / min(times[2])
    around = sum(seconds for name, seconds in work[2].items() if name != "engines") / (2 * min(times[2]))
    load = os.getloadavg()[0]
    print(f"two slots {ratio:.2f} times as fast as one; two engines without a service: {most:.2f} times")
    print(f"all that is no engine took {100 * around:.1f} % of two cores; load {load:.1f} on {os.cpu_count()} cores")


def report(
    times: dict[int, list[float]],
    texts: list[list[str]],
    again: int,
    in_hand: int,
    moved: float,
) -> int:
    """Prints figures; the exit code."""
    counted = [Counter(words(" ".join(text))) for text in texts]
    first = counted[0]
    differing = max((first - other).total() + (other - first).total() for other in counted)
    ratio = min(times[1]) / min(times[2])
    print(f"one of two workers killed: {again} windows heard again, {in_hand} of them in its hands")
    return verdict(
        [
            Goal("two slots against one", ratio, 0.85 * 2),
            Goal("heard again beyond the batch in flight", again - in_hand, 0, at_most=True),
            Goal("most heard again", again, 8, at_most=True),
            Goal("a killed worker's work is done by the other, s", moved, MOVE_GOAL, at_most=True),
            Goal("words that differ, %", 100 * differing / first.total(), 0.5, at_most=True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
