"""Processes of a running stack are killed or taken away in mid-job, at a number of committed windows and never on a
clock. Nothing is lost.

Memory over hours of audio is `poe prove memory`, many kills are `poe prove faults`.
"""

import os
import random
from pathlib import Path

import psutil
import pytest

from jobs.failpoints import Action, Point
from transcribe.drill import WINDOWS, Drill, long_recording
from transcribe.faults.tools import agrees, break_at, kill, thaw, wait_for_breaks, wait_for_frozen, wait_for_worker

pytestmark = [pytest.mark.alone, pytest.mark.faults]
BUSY_WORKERS = "SELECT 1 FROM jobs_worker WHERE runs <> '[]' AND seen_at > now() - interval '6 seconds'"
SEED = 7
VICTIMS = ["worker", "web", "postgres", "temporal", "worker"]


def engines(drill: Drill) -> list[psutil.Process]:
    children = psutil.Process(drill.stack.pid("worker")).children(recursive=True)
    return [child for child in children if "worker.engine.child" in child.cmdline()]


def test_five_killed_processes_repeat_only_the_batches_in_flight(drill: Drill, tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same victims at the same places each time
    victims = chance.sample(VICTIMS, len(VICTIMS))
    recording = long_recording(tmp_path / "recording.mp3", 12)
    undisturbed = drill.upload(recording, title="undisturbed.mp3")
    assert drill.wait_for_end(undisturbed) == ("succeeded", "")
    assert min(drill.attempts(undisturbed)) == 1
    windows = len(drill.attempts(undisturbed))
    places = sorted(chance.sample(range(1, windows - 8), len(victims)))
    print(f"seed {SEED}:", *(f"{victim} behind {place}" for victim, place in zip(victims, places, strict=True)))
    disturbed = upload_for_the_same_batches(drill, recording, undisturbed)
    for victim, place in zip(victims, places, strict=True):
        drill.wait_for_windows(disturbed, place)
        kill(drill, victim)
        wait_for_worker(drill)
    assert drill.wait_for_end(disturbed) == ("succeeded", "")
    attempts = drill.attempts(disturbed)
    print("windows", windows, "handed over again", sum(attempts) - windows)
    assert min(attempts) == 1
    # A batch holds at most 8 windows, one for each slot; without the database what was heard cannot be stored.
    assert sum(attempts) - windows <= (victims.count("worker") + victims.count("postgres")) * (os.cpu_count() or 1) * 8
    assert drill.text(disturbed) == drill.text(undisturbed)
    agrees(drill)


def upload_for_the_same_batches(drill: Drill, recording: Path, other: str) -> str:
    """Batches are as large as the machine is fast at that moment: the plan of the other run is put in the place of this
    one's, so that nothing but the kills tells the two apart."""
    break_at(drill, Point.PLANNED, action=Action.FREEZE)
    job = drill.upload(recording, title="disturbed.mp3")
    wait_for_breaks(drill, Point.PLANNED)
    frozen = wait_for_frozen(drill, [drill.stack.pid("worker")])
    same = (
        "UPDATE jobs_window w SET batch = o.batch, span = o.span FROM jobs_window o, jobs_run r, jobs_run s "
        "WHERE r.job_id = %s AND w.run_id = r.id AND s.job_id = %s AND o.run_id = s.id AND o.index = w.index "
        "AND o.start = w.start RETURNING w.id"
    )
    assert len(drill.rows(same, job, other)) == len(drill.attempts(job)) == len(drill.attempts(other))
    thaw(frozen)
    return job


def test_an_engine_killed_once_is_replaced_and_twice_on_one_part_ends_that_run_alone(
    drill: Drill, recording: Path, minute: Path
) -> None:
    # Long enough that no try meets its end: while one engine is replaced, the other hears five windows a second.
    job = drill.upload(long_recording(recording.parent / "engine.mp3", 40))
    drill.wait_for_windows(job, 1)
    kill_an_engine_at_work(drill, job)
    drill.wait_for_windows(job, drill.done_windows(job) + 10)  # it goes on
    assert drill.run(job)[0] == "running"
    for _ in range(5):  # the second engine may be too fast for us
        batch = kill_an_engine_at_work(drill, job)
        if kill_the_engine_that_repeats(drill, job, batch):
            break
    assert drill.wait_for_end(job) == ("failed", "poison")
    assert drill.text(job) != []
    assert drill.wait_for_end(drill.upload(minute, language="de")) == ("succeeded", "")


def kill_an_engine_at_work(drill: Drill, job: str) -> int:
    """Frozen first, so that a batch is certainly in flight in it; the batch it died on."""
    # One may load its model yet: frozen then, it would never have a batch.
    drill.wait(lambda: len(in_flight(drill, job)) == len(engines(drill)), "every engine to be at work", 60)
    before = deaths(drill, job)
    frozen = engines(drill)
    for child in frozen:
        child.suspend()
    drill.wait(lambda: len(in_flight(drill, job)) == len(frozen), "a batch in every engine", 60)
    frozen[0].kill()
    for child in frozen[1:]:
        child.resume()
    drill.wait(lambda: deaths(drill, job) != before, "the death to be noticed", 60)
    return max(batch for batch, count in deaths(drill, job) - before)


def kill_the_engine_that_repeats(drill: Drill, job: str, batch: int) -> bool:
    """Kill every engine as soon as the batch is in one again; False when it was done before we came."""
    drill.wait(lambda: batch in in_flight(drill, job) or (batch, 1) not in deaths(drill, job), "the batch again", 120)
    for child in engines(drill):
        child.suspend()
    caught = batch in in_flight(drill, job)
    for child in engines(drill):
        child.kill() if caught else child.resume()
    # Its answer may have left it just before: then the batch is committed, and no death is counted.
    drill.wait(lambda: (batch, 1) not in deaths(drill, job), "the second death, or the batch", 120)
    return (batch, 2) in deaths(drill, job)


def in_flight(drill: Drill, job: str) -> set[int]:
    """Batches handed to an engine and not back."""
    query = f"SELECT DISTINCT w.batch {WINDOWS} AND w.done_at IS NULL AND w.attempts > w.engine_deaths"
    return {row[0] for row in drill.rows(query, job)}


def deaths(drill: Drill, job: str) -> set[tuple[int, int]]:
    """Batches not done that an engine died on, and how often."""
    query = f"SELECT DISTINCT w.batch, w.engine_deaths {WINDOWS} AND w.done_at IS NULL AND w.engine_deaths > 0"
    return {(row[0], row[1]) for row in drill.rows(query, job)}


def test_an_upload_while_temporal_is_away_waits_for_it(drill: Drill, minute: Path) -> None:
    drill.stack.hold("temporal")
    job = drill.upload(minute, language="de")
    assert drill.run(job)[0] == "queued"
    drill.stack.release("temporal")
    assert drill.wait_for_end(job) == ("succeeded", "")


def test_a_lost_temporal_store_loses_no_run(drill: Drill, recording: Path) -> None:
    jobs = [drill.upload(long_recording(recording.parent / "lost.mp3", 10)) for _ in range(2)]
    drill.wait_for_windows(jobs[0], 5)
    drill.stack.hold("temporal")
    assert drill.stack.temporal is not None
    for file in drill.stack.temporal.store.parent.iterdir():
        file.unlink()
    drill.stack.release("temporal")
    drill.wait(lambda: restarts(drill) >= 1, "another workflow", 120)
    assert [drill.wait_for_end(job) for job in jobs] == [("succeeded", "")] * 2
    agrees(drill)


def restarts(drill: Drill) -> int:
    return int(drill.rows("SELECT count(*) FROM jobs_run WHERE restarts = 1")[0][0])


def test_a_cancel_while_temporal_is_away_is_final_and_frees_the_engines(
    drill: Drill, recording: Path, minute: Path
) -> None:
    job = drill.upload(recording)
    drill.wait_for_windows(job, 1)
    drill.stack.hold("temporal")
    drill.press(f"/jobs/{job}/cancel/")
    try:
        assert drill.wait_for_end(job, 60)[0] == "cancelled"
        drill.wait(lambda: drill.rows(BUSY_WORKERS) == [], "idle engines", 60)
        heard = drill.attempts(job)
    finally:
        drill.stack.release("temporal")
    assert drill.wait_for_end(drill.upload(minute, language="de")) == ("succeeded", "")
    assert drill.attempts(job) == heard
    assert drill.run(job)[0] == "cancelled"
    assert drill.text(job) != []
