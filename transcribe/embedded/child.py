"""A child process on a leash: it dies with us, and stops within bounded time."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

LEASH = Path(__file__).with_name("leash.py")


def leashed(command: Sequence[str | Path], *, dies_by: str = "KILL", user: str | None = None) -> list[str]:
    """The command line that runs `command` on a leash held by this process."""
    who = ["--user", user] if user else []
    front = [sys.executable, "-I", "-S", str(LEASH), "--parent", str(os.getpid()), "--signal", dies_by, *who, "--"]
    return [*front, *map(str, command)]


def spawn(
    command: Sequence[str | Path],
    *,
    output: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    dies_by: str = "KILL",
    user: str | None = None,
    folder: Path = Path("/"),
) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that Ctrl-C reaches us alone and we stop the children in order."""
    return subprocess.Popen(
        leashed(command, dies_by=dies_by, user=user),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=None if environment is None else dict(environment),
        cwd=folder,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], number: signal.Signals, seconds: float) -> None:
    """Ask, wait, then kill it with all it started in its session."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            sweep(process.pid)
            process.wait()


def sweep(group: int) -> None:
    """Kill what is left of a child's process group, its leader ended or not."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
