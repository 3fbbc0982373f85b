"""`poe prove kills [COUNT]`: 20 `kill -9` of the worker at seeded random moments in one 2-hour recording.

Before each kill the worker is frozen and the windows in flight are counted. Afterwards the text must be that of an
undisturbed run, and no more windows may have been heard again than were in flight.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._report import Goal, place, verdict
from benchmarks._stack import HANDED, freeze, kill_worker, stack, wait_for_worker, worker
from transcribe.drill import Drill, long_recording

MINUTES = 120
SEED = 20
TIMEOUTS: dict[str, Any] = {
    "HEARTBEAT_TIMEOUT_SECONDS": 5,
    "REPAIR_SECONDS": 5,
    "WORKER_BEAT_SECONDS": 2,
}  # only to be done sooner


def kill(drill: Drill, job: str, lost: dict[int, int]) -> int:
    """Kill the worker; the windows it took along, noted in `lost` by index with how often."""
    pid = worker(drill)
    freeze(pid)
    time.sleep(0.3)  # what it had sent to the database is committed by now
    taken = 0
    for index, attempts in drill.rows(HANDED, job):
        if attempts > lost.get(index, 0):
            lost[index] = attempts
            taken += 1
    kill_worker(drill)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=20)
    count = parser.parse_args().count
    moments = np.random.default_rng(SEED)
    place("torch")
    with tempfile.TemporaryDirectory() as folder, stack(**TIMEOUTS) as drill:
        recording = long_recording(Path(folder) / "recording.mp3", MINUTES)
        undisturbed = _heard(drill, recording)
        windows = len(drill.attempts(undisturbed))
        job = drill.upload(recording, title="disturbed.mp3")
        places = sorted(moments.uniform(0, 0.95) * windows for _ in range(count))
        lost: dict[int, int] = {}
        taken = []
        for number, place_ in enumerate(places, start=1):
            drill.wait(lambda: drill.done_windows(job) >= place_ or _ended(drill, job), "windows", 900)  # noqa: B023
            wait_for_worker(drill)
            time.sleep(moments.uniform(0, 2))
            if _ended(drill, job):
                print("it ended before the next kill", flush=True)
                break
            taken.append(kill(drill, job, lost))
            print(f"kill {number} behind {drill.done_windows(job)} of {windows}: {taken[-1]} in flight", flush=True)
        ended = drill.wait_for_end(job, 1800)
        attempts = drill.attempts(job)
        return report(drill, undisturbed, job, ended, attempts, taken)


def _ended(drill: Drill, job: str) -> bool:
    return drill.run(job)[0] not in ("queued", "running")


def _heard(drill: Drill, recording: Path) -> str:
    began = time.monotonic()
    job = drill.upload(recording, title="undisturbed.mp3")
    if (ended := drill.wait_for_end(job, 1800)) != ("succeeded", ""):
        raise RuntimeError(f"the undisturbed run: {ended}")
    print(f"undisturbed: {time.monotonic() - began:.0f} s for {MINUTES} min", flush=True)
    return job


def report(
    drill: Drill, undisturbed: str, job: str, ended: tuple[str, str], attempts: list[int], taken: list[int]
) -> int:
    """Prints figures; the exit code."""
    repeated, flying = sum(attempts) - len(attempts), sum(taken)
    same = drill.text(job) == drill.text(undisturbed)
    words = sum(len(text.split()) for text in drill.text(job))
    print(f"{len(taken)} kills, {ended[0]}; {len(attempts)} windows, {words} words, text equal: {same}")
    print(f"heard again {repeated}, in flight when killed {flying}, most at once {max(taken, default=0)}")
    return verdict(
        [
            Goal("kills", len(taken), 1),
            Goal("text equal", float(same and ended == ("succeeded", "")), 1),
            Goal("heard again beyond those in flight", repeated - flying, 0, at_most=True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
