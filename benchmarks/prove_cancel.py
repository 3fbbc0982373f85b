"""`poe prove cancel [COUNT]`: a run is cancelled at seeded random moments, and its engines are free within 10 s.

Base dimensions (the demo checkpoint grown to them), so that a batch takes seconds. For each cancel: how long the answer
took, how long until no worker holds the run any more and no engine computes, and that all text that was there before
is there after. What was measured is kept; started again it goes on at the next cancel (`--fresh` begins anew).
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.error
from pathlib import Path

import numpy as np

from benchmarks._report import Goal, place, verdict
from benchmarks._stack import computing, engines, is_worked_on, percentile, run_of, stack, worker
from benchmarks._weights import cache, grown_checkpoint
from transcribe.drill import Drill, long_recording

MINUTES = 10
SEED = 6
SPREAD_SECONDS = 20.0
LIMIT = 10.0
KEPT = "SELECT window_id, index, text FROM jobs_segment WHERE run_id = %s"
EVENTS = "SELECT stage FROM jobs_runevent WHERE run_id = %s ORDER BY id DESC LIMIT 1"


def measure(drill: Drill, job: str, seconds: float, idle: set[int]) -> dict[str, object] | None:
    """One run, cancelled so long after it was asked for. None: it had ended before."""
    run = run_of(drill, job)
    time.sleep(seconds)
    stage = str(drill.rows(EVENTS, run)[0][0]) or "queued"
    before = set(drill.rows(KEPT, run))
    began = time.monotonic()
    try:
        drill.press(f"/jobs/{job}/cancel/")
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise
        return None
    answered = time.monotonic() - began
    state = drill.run(job)[0]

    def is_free() -> bool:
        return not is_worked_on(drill, run) and drill.run(job)[0] == "cancelled"

    drill.wait(is_free, "a free engine", 120)
    freed = time.monotonic() - began
    return {
        "after": round(seconds, 2), "stage": stage, "answered": answered, "state": state, "freed": freed,
        "went_on": went_on(drill, idle), "lost": len(before - set(drill.rows(KEPT, run))),
        "text": len(before),
    }  # fmt: skip


def went_on(drill: Drill, idle: set[int]) -> list[int]:
    """Engines that compute although nobody waits for them. `idle`: those seen at rest so far; one that never was may
    still be loading its model, for the next run."""
    children = engines(worker(drill))
    at_work = computing(children)
    idle.update(child.pid for child in children if child.pid not in at_work)
    return [pid for pid in at_work if pid in idle]


def main() -> int:
    options = _options()
    file = cache() / "prove-cancel.jsonl"
    if options.fresh:
        file.unlink(missing_ok=True)
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    place("torch")
    with tempfile.TemporaryDirectory() as folder, stack(grown_checkpoint("base")) as drill:
        job = drill.upload(long_recording(Path(folder) / "recording.mp3", MINUTES))
        drill.wait_for_windows(job, 1, 1800)
        drill.press(f"/jobs/{job}/cancel/")
        drill.wait_for_end(job)
        idle: set[int] = set()
        moments = np.random.default_rng(SEED)
        delays = [float(moments.uniform(0, options.spread)) for _ in range(options.count * 2)]
        for delay in delays[len(known) :]:
            if len(known) >= options.count:
                break
            drill.press(f"/jobs/{job}/again/")
            if (found := measure(drill, job, delay, idle)) is None:
                continue
            known.append(found)
            with file.open("a") as out:
                out.write(json.dumps(found) + "\n")
            print(len(known), json.dumps(found), flush=True)
    return report(known)


def report(found: list[dict[str, object]]) -> int:
    """Prints figures; the exit code."""
    freed = [float(str(one["freed"])) for one in found]
    answered = [float(str(one["answered"])) for one in found]
    stages = sorted({str(one["stage"]) for one in found})
    counts = ", ".join(f"{stage} {sum(one['stage'] == stage for one in found)}" for stage in stages)
    print(f"{len(found)} cancels: {counts}; with text before: {sum(bool(one['text']) for one in found)}")
    for name, values in (("answered", answered), ("engine free", freed)):
        p50, p95 = percentile(values, 50), percentile(values, 95)
        print(f"{name}: p50 {p50:.2f} s, p95 {p95:.2f} s, max {max(values):.2f} s")
    return verdict(
        [
            Goal("slowest to a free engine, s", max(freed), LIMIT, at_most=True),
            Goal("slowest answer, s", max(answered), 2.0, at_most=True),
            Goal("engines that went on", sum(bool(one["went_on"]) for one in found), 0, at_most=True),
            Goal("lost segments", sum(int(str(one["lost"])) for one in found), 0, at_most=True),
        ]
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=100)
    said = "seconds in which cancels fall; on a slow machine more of them let some find text"
    parser.add_argument("--spread", type=float, default=SPREAD_SECONDS, help=said)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
