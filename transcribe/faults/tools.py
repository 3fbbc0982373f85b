"""What the fault tests do to a running stack."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import psutil

from jobs.failpoints import Action, Point, arm, is_armed
from transcribe.drill import Drill
from transcribe.embedded.stack import SKIP_CHECKS

SEEN = "SELECT 1 FROM jobs_worker WHERE pid = %s AND ended_at IS NULL AND seen_at > now() - interval '6 seconds'"


def failpoints(drill: Drill) -> Path:
    return Path(drill.stack.environment()["FAILPOINTS"])


def break_at(drill: Drill, *points: Point, action: Action = Action.KILL, nth: int = 1) -> None:
    """Each once, whichever process comes by."""
    for point in points:
        arm(failpoints(drill), point, nth=nth, action=action)


def armed(drill: Drill) -> list[Point]:
    """Those that have not acted yet."""
    return [point for point in Point if is_armed(failpoints(drill), point)]


def wait_for_breaks(drill: Drill, *points: Point, seconds: float = 120) -> None:
    """Until all of them have acted."""
    drill.wait(lambda: not set(points) & set(armed(drill)), f"{', '.join(points)} to be reached", seconds)


def kill(drill: Drill, name: str) -> None:
    """SIGKILL to one process of the stack, and see it dead; it is started again at once."""
    process = drill.stack.supervisor.services[name].process
    drill.stack.kill(name)
    if process is not None:
        process.wait(30)


def wait_for_worker(drill: Drill, seconds: float = 120) -> None:
    """The stack's own worker is at work, after a kill another one."""

    def at_work() -> bool:
        process = drill.stack.supervisor.services["worker"].process
        return process is not None and process.poll() is None and drill.rows(SEEN, process.pid) != []

    drill.wait(at_work, "the worker", seconds)


def wait_for_web(drill: Drill, seconds: float = 60) -> None:
    """Pages are answered again. That its port is taken says less: the kernel closes that of a killed process later."""

    def answers() -> bool:
        try:
            return bool(drill.get("/healthz"))
        except OSError:
            return False

    drill.wait(answers, "the web process", seconds)


@contextmanager
def second_worker(drill: Drill) -> Iterator[int]:
    """Another worker beside the stack's own, at work; its process id."""
    command = [sys.executable, "manage.py", "worker", SKIP_CHECKS]
    with subprocess.Popen(command, env={**drill.stack.environment(), "ENGINE_SLOTS": "1"}) as process:
        try:
            drill.wait(lambda: drill.rows(SEEN, process.pid) != [], "the second worker", 120)
            yield process.pid
        finally:
            process.terminate()
    assert process.returncode == 0


def wait_for_frozen(drill: Drill, pids: Sequence[int], seconds: float = 120) -> int:
    """The first of them that stands still."""
    found: list[int] = []

    def look() -> bool:
        found[:] = [pid for pid in pids if psutil.Process(pid).status() == psutil.STATUS_STOPPED]
        return bool(found)

    drill.wait(look, "a process to stand still", seconds)
    return found[0]


def thaw(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


def agrees(drill: Drill) -> None:
    """Rows, files and Temporal: the oracle has nothing to say."""
    assert drill.faults() == []


def unfinished(drill: Drill) -> None:
    """An upload with a few bytes of what it promised."""
    tus = {**drill.headers(), "Tus-Resumable": "1.0.0"}
    offset = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    door = f"{drill.stack.address}/api/v1/uploads/"
    place = httpx.post(door, headers={**tus, "Upload-Length": "100"}).headers["location"]
    httpx.patch(urljoin(door, place), content=b"half", headers={**tus, **offset}).raise_for_status()
