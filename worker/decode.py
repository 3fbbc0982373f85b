"""The decode child: a recording in, samples and speech probabilities out, from a process that can do nothing else.

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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import av

from worker import landlock
from worker.sound import RATE, Recording, Refusal
from worker.speech import Detector

SET_PARENT_DEATH_SIGNAL = 1
PROGRESS_SECONDS = 0.4
FILES = 32  # open at once; nothing is opened after the start
UNPACKED_A_SECOND = 96_000 * 4 * 4  # bytes of decoded sound for each second allowed: 96 kHz, 4 channels, 32 bit


@dataclass(frozen=True)
class Order:
    """What the parent asks, all numbers: its process id, three open files, the longest recording, bytes of memory."""

    parent: int
    recording: int
    samples: int
    speech: int
    limit_seconds: float
    memory: int

    @classmethod
    def read(cls, words: list[str]) -> "Order":
        parent, recording, samples, speech, limit_seconds, memory = words
        return cls(int(parent), int(recording), int(samples), int(speech), float(limit_seconds), int(memory))


def main() -> None:
    """Obey the order in the arguments. The exit status is 0 even for a refusal: the last line tells."""
    order = Order.read(sys.argv[1:])
    _die_with(order.parent)
    try:
        answer = _obey(order)
    except Refusal as refusal:
        answer = {"refused": refusal.reason}
    except MemoryError:
        answer = {"refused": "memory"}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        answer = {"failed": f"{type(error).__name__} in {place.name}, line {place.lineno}"}
    _say(answer)


def _obey(order: Order) -> dict[str, Any]:
    _load_all()
    detector = Detector()
    status = os.fdopen(os.open("/proc/self/status", os.O_RDONLY), "rb", buffering=0)
    with (
        os.fdopen(order.recording, "rb", buffering=0) as file,
        os.fdopen(order.samples, "wb") as samples,
        os.fdopen(order.speech, "wb") as speech,
    ):
        _limit(order)
        landlock.shut_in()
        recording = Recording(file)
        seconds = _write(order, recording, detector, samples, speech)
    return {"done": _account(recording, seconds) | {"memory": _peak(status)}}


def _write(order: Order, recording: Recording, detector: Detector, samples: BinaryIO, speech: BinaryIO) -> float:
    count, report = 0, _reporter()
    for block in recording.blocks():
        count += len(block)
        if count > order.limit_seconds * RATE:
            raise Refusal("too_long")
        if recording.unpacked > (order.limit_seconds + 60) * UNPACKED_A_SECOND:
            raise Refusal("unpacks")
        samples.write(block.tobytes())
        speech.write(detector.feed(block).tobytes())
        report(count / RATE)
    speech.write(detector.finish().tobytes())
    if not count:  # silence has samples; nothing at all is never a success
        raise Refusal("corrupt" if recording.errors or recording.stopped else "no_sound")
    return count / RATE


def _account(recording: Recording, seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "container": recording.container,
        "codec": recording.codec,
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


def _peak(status: BinaryIO) -> int:
    """The most memory this process held, in bytes. `getrusage` would tell the parent's figure: it survives exec."""
    line = next(line for line in status.read().splitlines() if line.startswith(b"VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
