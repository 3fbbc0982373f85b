"""`poe prove cancel [COUNT]`: a run is cancelled at seeded random moments, and its engines are free within 10 s.

Base dimensions (the demo checkpoint grown to them), so that a batch takes seconds. Every second cancel falls so long
after the run was asked for, the others so long after its first text. For each: how long the answer took, how long until
no worker holds the run any more, that no child works on it then, and that all text that was there before is there
after. What was measured is kept; started again it goes on at the next moment (`--fresh` begins anew).
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._report import Goal, place, verdict
from benchmarks._stack import at_work, is_worked_on, percentile, run_of, stack, worker
from benchmarks._weights import cache, grown_checkpoint
from transcribe.drill import Drill, long_recording

MINUTES = 40  # still under way at the last of the moments
SEED = 6
SPREAD_SECONDS = 20.0
LIMIT = 10.0
KEPT = "SELECT window_id, index, text FROM jobs_segment WHERE run_id = %s"
STAGE = "SELECT stage FROM jobs_runevent WHERE run_id = %s ORDER BY id DESC LIMIT 1"
OPEN = "SELECT 1 FROM jobs_run WHERE id = %s AND state IN ('queued', 'running')"


def moments(spread: float) -> Iterator[tuple[bool, float]]:
    """Whether to wait for text first, and seconds: always the same ones."""
    random = np.random.default_rng(SEED)
    after_text = False
    while True:
        yield after_text, round(float(random.uniform(0, spread)), 2)
        after_text = not after_text


def measure(drill: Drill, job: str, after_text: bool, seconds: float) -> dict[str, Any]:
    """One run, cancelled at this moment. Nothing measured where it had ended before."""
    run = run_of(drill, job)
    if after_text:
        drill.wait(lambda: bool(drill.rows(KEPT, run)) or not drill.rows(OPEN, run), "its first text", 600)
    time.sleep(seconds)
    moment = {"after_text": after_text, "seconds": seconds, "stage": str(drill.rows(STAGE, run)[0][0]) or "queued"}
    before = set(drill.rows(KEPT, run))
    began = time.monotonic()
    drill.press(f"/jobs/{job}/cancel/")
    answered = time.monotonic() - began
    if drill.run(job)[0] == "succeeded":  # before the cancel: the page says so, and nothing else happens
        return moment | {"ended": True}

    def is_free() -> bool:
        return not is_worked_on(drill, run) and drill.run(job)[0] == "cancelled"

    drill.wait(is_free, "a free engine", 120)
    freed = time.monotonic() - began
    going_on = at_work(worker(drill))
    lost = len(before - set(drill.rows(KEPT, run)))
    return moment | {"answered": answered, "freed": freed, "went_on": going_on, "lost": lost, "text": len(before)}


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
        for moment in islice(moments(options.spread), len(known), None):
            if len(_cancelled(known)) >= options.count:
                break
            drill.press(f"/jobs/{job}/again/")
            known.append(measure(drill, job, *moment))
            with file.open("a") as out:
                out.write(json.dumps(known[-1]) + "\n")
            print(len(known), json.dumps(known[-1]), flush=True)
    return report(_cancelled(known))


def _cancelled(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in known if "ended" not in one]


def report(found: list[dict[str, Any]]) -> int:
    """Prints figures; the exit code."""
    freed = [one["freed"] for one in found]
    answered = [one["answered"] for one in found]
    stages = sorted({one["stage"] for one in found})
    counts = ", ".join(f"{stage} {sum(one['stage'] == stage for one in found)}" for stage in stages)
    print(f"{len(found)} cancels: {counts}; with text before: {sum(bool(one['text']) for one in found)}")
    for name, values in (("answered", answered), ("engine free", freed)):
        p50, p95 = percentile(values, 50), percentile(values, 95)
        print(f"{name}: p50 {p50:.2f} s, p95 {p95:.2f} s, max {max(values):.2f} s")
    return verdict(
        [
            Goal("slowest to a free engine, s", max(freed), LIMIT, at_most=True),
            Goal("slowest answer, s", max(answered), 2.0, at_most=True),
            Goal("children that went on", sum(bool(one["went_on"]) for one in found), 0, at_most=True),
            Goal("lost segments", sum(one["lost"] for one in found), 0, at_most=True),
        ]
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=100)
    said = "seconds in which cancels fall; as others than before, begin anew"
    parser.add_argument("--spread", type=float, default=SPREAD_SECONDS, help=said)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
