"""A running stack to measure: started with a model and settings of one's choice, its engine children, its rows."""

import os
import signal
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from transcribe.drill import DEMO, WINDOWS, Drill
from transcribe.embedded import places
from worker.engine.child import HEARING

# windows in an engine
HANDED = f"SELECT w.index, w.attempts {WINDOWS} AND w.done_at IS NULL AND w.attempts > 0"
RUN_OF = "SELECT current_run_id FROM jobs_job WHERE id = %s"
NAMED = "SELECT 1 FROM jobs_worker WHERE runs::text LIKE %s AND ended_at IS NULL AND seen_at > now() - interval '15 s'"


@contextmanager
def stack(
    model: Path = DEMO, lines: list[str] | None = None, data: Path | None = None, **settings: object
) -> Iterator[Drill]:
    """A stack of its own with these settings (environment variables), and a person who is signed in. `lines` gets what
    its processes say. `data`: a folder to go on with; by default one of its own that goes with it."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: str(value) for name, value in settings.items()})

    def say(line: str) -> None:
        if lines is not None:
            lines.append(line)
        if "WARNING" in line or "ERROR" in line:
            print(f"  {line}", flush=True)

    drill = Drill(data or places.scratch(), say=say)
    drill.stack.given["WHISPER_MODEL"] = str(model)
    try:
        drill.start()
        yield drill
    finally:
        drill.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def restart_worker(drill: Drill, cores: int = 0, **settings: object) -> None:
    """With other settings, and on so many cores where that is not 0; ready when this returns."""
    drill.stack.hold("worker")
    os.environ.update({name: str(value) for name, value in settings.items()})
    before = os.sched_getaffinity(0)  # of this thread, which starts it
    os.sched_setaffinity(0, sorted(before)[:cores] if cores else before)
    try:
        drill.stack.release("worker")
    finally:
        os.sched_setaffinity(0, before)
    wait_for_worker(drill)


def wait_for_worker(drill: Drill) -> None:
    """The stack's own worker runs and polls."""
    seen = "SELECT 1 FROM jobs_worker WHERE pid = %s AND ended_at IS NULL"
    drill.wait(lambda: drill.rows(seen, worker(drill)) != [], "the worker", 600)


def worker(drill: Drill) -> int:
    """Its process, or 0 between two."""
    process = drill.stack.supervisor.services["worker"].process
    return process.pid if process is not None and process.poll() is None else 0


def engines(pid: int) -> list[psutil.Process]:
    """Engine children of a worker that are alive."""
    found = []
    try:
        for child in psutil.Process(pid).children(recursive=True):
            if "worker.engine.child" in child.cmdline():
                found.append(child)
    except psutil.NoSuchProcess:
        pass
    return found


def processor_seconds(drill: Drill) -> dict[str, float]:
    """Of each part of the stack so far, its children included, those of the worker that are engines apart. Parts that
    were restarted begin at 0."""
    found = {"engines": sum(_seconds(child) for child in engines(worker(drill)))}
    for name, service in drill.stack.supervisor.services.items():
        if service.process is not None:
            tree = [psutil.Process(service.process.pid)]
            tree += [child for child in tree[0].children(recursive=True) if "worker.engine.child" not in _words(child)]
            found[name] = sum(_seconds(process) for process in tree)
    return found


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def at_work(pid: int) -> list[str]:
    """What children of a worker work on a recording now: engines by their own word, and children that decode."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            name, command = child.name(), " ".join(child.cmdline())
            if name == HEARING or "worker.decode" in command:
                found.append(f"{child.pid} {'decode' if name != HEARING else HEARING}")
    return found


def run_of(drill: Drill, job: str) -> str:
    return str(drill.rows(RUN_OF, job)[0][0])


def is_worked_on(drill: Drill, run: str) -> bool:
    """Whether a live worker's row names the run: it does while an activity holds a slot for it."""
    return drill.rows(NAMED, f"%{run}%") != []


def freeze(pid: int) -> None:
    """The worker, before it is killed: what is in flight stays so while it is looked at."""
    if pid:  # 0 would be ourselves
        os.kill(pid, signal.SIGSTOP)


def kill_worker(drill: Drill) -> None:
    """And see it dead; its supervisor starts another after a second."""
    service = drill.stack.supervisor.services["worker"]
    service.delay = 0.0  # however often it was killed
    drill.stack.kill("worker")
    if service.process is not None:
        service.process.wait()


def percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return max(values, default=float("nan"))
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
