"""An engine child as its parent sees it: a pipe that answers, is silent, or has ended."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from worker.engine import wire


class EngineDied(Exception):
    """The child was killed, crashed, or took longer than it may; `detail` says which, as a sentence."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class EngineProcess:
    """Not safe for use by two threads at once, but for `kill`."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C in a terminal is for the parent, which lets a batch finish
        )
        self._unread = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, message: Mapping[str, Any]) -> None:
        """Raises EngineDied."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(wire.pack(message))
            self._process.stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: another thread has killed it and closed the pipe
            raise self._died() from error

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """The next line; None when there is none for so long. Raises EngineDied."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread:
            if not self._readable(max(0.0, deadline - time.monotonic())):
                return None
            self._unread += self._read()
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def kill(self) -> None:
        """Ended for certain when this returns; may be called again, and by any thread."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill, and give the pipes back."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not flushed to a dead child
                    pipe.close()

    def _readable(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        content = os.read(self._process.stdout.fileno(), 1 << 16)
        if not content:
            raise self._died()
        return content

    def _died(self) -> EngineDied:
        self.kill()  # it may have closed its pipe and live on
        code = self._process.returncode
        if code < 0:
            return EngineDied(f"The engine was killed by {signal.Signals(-code).name}.")
        return EngineDied(f"The engine ended with status {code}.")
