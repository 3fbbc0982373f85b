"""A running decode child, held on a short leash: started with nothing, listened to, killed when it is time."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

ROOT = Path(__file__).resolve().parent.parent
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from worker.decode import main; main()"
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}  # else numpy starts threads at import, and those could not be shut in
MEMORY = 1 << 30  # bytes of address space; a decode takes under 0.5 GiB of it, and 100 MB of real memory
STALL_SECONDS = 60.0  # without a second more of sound
START_SECONDS, SLOWEST = 300.0, 0.5  # the wall clock: five minutes, and two for each four of sound decoded
POLL_SECONDS = 0.5
LONGEST_STEP = 5.0  # between two looks at the child, as far as it counts
LINE_BYTES = 1 << 16


class ChildFailed(RuntimeError):
    """The child ended through no fault of the recording: a bug of ours, or someone killed it."""


class Leashed:
    """Use as a context manager; whatever ends the block, the child is dead after it.

    `files` are the recording, samples and speech in this order, or to `render` the recording and what it becomes; the
    child gets them open and nothing else.
    """

    def __init__(
        self, files: Sequence[IO[bytes]], limit_seconds: float, task: Literal["decode", "render"] = "decode"
    ) -> None:
        self._files = [file.fileno() for file in files]
        self._limit_seconds, self._task = limit_seconds, task

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile()
        order = [self._task, os.getpid(), self._limit_seconds, MEMORY, *self._files]
        with tempfile.TemporaryDirectory(prefix="decode-") as folder:  # gone again once the child stands in it
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-c", START, str(ROOT), *map(str, order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                pass_fds=self._files,
                env=ENVIRONMENT,
                cwd=folder,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        assert self._child.stdout
        self._child.stdout.close()
        self._errors.close()

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the child says, and `{}` at least every half second when it says nothing; ends when the child does.

        A child that stalls or is too slow is killed and counts as having refused ("stalled"). Raises ChildFailed.
        """
        looked = time.monotonic()
        waited = gained = seconds = 0.0
        for message in self._spoken():
            yield message
            now = time.monotonic()
            # A longer step is not the child's: we were frozen, and it with us, or our caller's database was away. The
            # child must not be found guilty of that, because a refused recording is not kept.
            waited, looked = waited + min(now - looked, LONGEST_STEP), now
            if message.get("seconds", 0.0) > seconds:
                seconds, gained = float(message["seconds"]), waited
            if waited - gained > STALL_SECONDS or waited > START_SECONDS + SLOWEST * seconds:
                self._kill()
                yield {"refused": "stalled"}
                return
        self._judge(self._child.wait())

    def _spoken(self) -> Iterator[dict[str, Any]]:
        assert self._child.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            waiting = b""
            while len(waiting) < LINE_BYTES:
                if not selector.select(POLL_SECONDS):
                    yield {}
                    continue
                heard = os.read(self._child.stdout.fileno(), LINE_BYTES)
                if not heard:
                    return
                *lines, waiting = (waiting + heard).split(b"\n")
                yield from map(_parse, lines)
        yield {"refused": "crashed"}  # a line without end: that is not our code any more

    def _judge(self, status: int) -> None:
        # Ended without a last word. Killed from outside (the kernel short of memory, an operator) says nothing about
        # the recording; any other signal is a crash that the recording caused.
        if status in (-signal.SIGKILL, -signal.SIGTERM):
            raise ChildFailed("the decode child was killed")
        if status > 0:
            raise ChildFailed(f"the decode child ended with status {status}: {self._last_error()}")

    def _last_error(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 500))
        return self._errors.read().decode(errors="replace").strip()

    def _kill(self) -> None:
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)  # its group is its own: start_new_session
            self._child.wait()


def _parse(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(message, dict):
        return {}
    if "failed" in message:
        raise ChildFailed(f"the decode child failed: {str(message['failed'])[:200]}")
    return message
