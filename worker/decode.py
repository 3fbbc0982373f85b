"""The decode child: a recording in, samples and speech probabilities out, from a process that can do nothing else.
Or, told to render, the sound once more in a form that browsers play.

Started by `worker.media` with open files and an empty environment; never imported elsewhere. All code is loaded before
the process shuts itself in, and only then is the first byte of the recording looked at. Standard output carries one
JSON object a line: `{"seconds": s}` as it goes on, and last `{"done": {...}}`, `{"refused": reason}` or
`{"failed": "what went wrong on our side"}`.
"""

import ctypes
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import av

from worker import landlock, rendition
from worker.sound import RATE, Recording, Refusal, Samples
from worker.speech import Detector

SET_PARENT_DEATH_SIGNAL = 1
PROGRESS_SECONDS = 0.4
FILES = 32  # open at once; nothing is opened after the start
UNPACKED_A_SECOND = 96_000 * 4 * 4  # bytes of decoded sound for each second allowed: 96 kHz, 4 channels, 32 bit


@dataclass(frozen=True)
class Order:
    """What the parent asks: its process id, the longest recording, bytes of memory, and open files: the recording, then
    samples and speech to `decode` it, or one file to `render` it into.
    """

    task: str
    parent: int
    limit_seconds: float
    memory: int
    files: tuple[int, ...]

    @classmethod
    def read(cls, words: list[str]) -> "Order":
        task, parent, limit_seconds, memory, *files = words
        return cls(task, int(parent), float(limit_seconds), int(memory), tuple(map(int, files)))


def main() -> None:
    """Obey the order in the arguments. The exit status is 0 even for a refusal: the last line tells."""
    order = Order.read(sys.argv[1:])
    _die_with(order.parent)
    try:
        answer = _decode(order) if order.task == "decode" else _render(order)
    except Refusal as refusal:
        answer = {"refused": refusal.reason}
    except MemoryError:
        answer = {"refused": "memory"}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        answer = {"failed": f"{type(error).__name__} in {place.name}, line {place.lineno}"}
    _say(answer)


def _decode(order: Order) -> dict[str, Any]:
    _load_all()
    detector = Detector()
    status = _own_status()
    with (
        os.fdopen(order.files[0], "rb", buffering=0) as file,
        os.fdopen(order.files[1], "wb") as samples,
        os.fdopen(order.files[2], "wb") as speech,
    ):
        _shut_in(order)
        recording = Recording(file)
        count = 0
        for block in _limited(recording, order.limit_seconds):
            count += len(block)
            samples.write(block.tobytes())
            speech.write(detector.feed(block).tobytes())
        speech.write(detector.finish().tobytes())
    return {"done": _account(recording, count / RATE) | {"memory": _peak(status)}}


def _render(order: Order) -> dict[str, Any]:
    os.nice(10)  # the text comes first
    _load_all()
    status = _own_status()
    with os.fdopen(order.files[0], "rb", buffering=0) as file, os.fdopen(order.files[1], "wb") as output:
        _shut_in(order)
        recording = Recording(file, rate=rendition.RATE)
        count = rendition.write(_limited(recording, order.limit_seconds), output)
    return {"done": _account(recording, count / rendition.RATE) | {"memory": _peak(status)}}


def _limited(recording: Recording, limit_seconds: float) -> Iterator[Samples]:
    """All sound of the recording, reported as it comes; Refusal where it is more than allowed, and where it is none."""
    count, report = 0, _reporter()
    for block in recording.blocks():
        count += len(block)
        if count > limit_seconds * recording.rate:
            raise Refusal("too_long")
        if recording.unpacked > (limit_seconds + 60) * UNPACKED_A_SECOND:
            raise Refusal("unpacks")
        yield block
        report(count / recording.rate)
    if not count:  # silence has samples; nothing at all is never a success
        raise Refusal("corrupt" if recording.errors or recording.stopped else "no_sound")


def _account(recording: Recording, seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "container": recording.container,
        "codec": recording.codec,
        "picture": recording.picture,
        "declared": recording.declared,
        "errors": recording.errors,
        "lost": recording.lost,
        "stopped": recording.stopped,
    }


def _reporter() -> Callable[[float], None]:
    last = time.monotonic()

    def report(seconds: float) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            _say({"seconds": seconds})

    return report


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _die_with(parent: int) -> None:
    """Be killed when the thread of the parent that started this process ends, however it ends."""
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)


def _load_all() -> None:
    """PyAV finds its submodules only on use, which is too late inside."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    av.logging.set_level(av.logging.PANIC)


def _shut_in(order: Order) -> None:
    _limit(order)
    landlock.shut_in()


def _limit(order: Order) -> None:
    written = int(order.limit_seconds * RATE * 2) + (16 << 20)
    processor = int(120 + order.limit_seconds / 2)
    for kind, most in (
        (resource.RLIMIT_AS, order.memory),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _own_status() -> BinaryIO:
    """Opened while that is possible."""
    return os.fdopen(os.open("/proc/self/status", os.O_RDONLY), "rb", buffering=0)


def _peak(status: BinaryIO) -> int:
    """The most memory this process held, in bytes. `getrusage` would tell the parent's figure: it survives exec."""
    line = next(line for line in status.read().splitlines() if line.startswith(b"VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
