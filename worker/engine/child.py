"""The process that holds one model: `python -m worker.engine.child`. Started, fed and killed by `worker.engine.slots`.

Nothing heavy is imported before the process is tied to its parent: loading torch takes seconds.
"""

import argparse
import ctypes
import json
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from worker import lines
from worker.engine import wire
from worker.engine.base import FAST, MODES, Engine, EngineRefused, Loaded

logger = logging.getLogger("worker.engine.child")  # it runs as __main__

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
LOADING, IDLE, HEARING = "engine loading", "engine idle", "engine hearing"
BROKEN = "engine_broken"  # this process is of no more use
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "DefaultCPUAllocator")


def main() -> None:
    arguments = _arguments()
    die_with(arguments.parent)
    begin_lines(arguments.log_format)
    requests, answers = take_over_stdio()
    show(LOADING)
    try:
        engine, loaded = _load(arguments)
    except Exception as error:
        answers.write(wire.pack(wire.refusal(refusal_of(error))))
        return
    show(IDLE)
    answers.write(wire.pack(wire.loaded(loaded)))
    for message in _messages(requests):
        show(HEARING)
        answer = wire.pack({"id": message["id"]} | _answer(engine, message))
        show(IDLE)
        answers.write(answer)


def begin_lines(form: str) -> None:
    """Lines like those of the worker, whose stderr this process shares; warnings of libraries and its own end too."""
    lines.begin(form)
    lines.of_this_process(worker=f"{socket.gethostname()}:{os.getppid()}")
    logging.captureWarnings(True)
    sys.excepthook = lambda _kind, error, _trace: logger.critical("the engine child ends", exc_info=error)


def die_with(parent: int) -> None:
    """SIGKILL for this process when its parent ends, however it ends; first in line when memory is short.

    Trap: the kernel watches the parent's *thread* that started this process, not the process as a whole.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold people's recordings
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def show(doing: str) -> None:
    """What this process does, in at most 15 bytes, where `top` and `ps -o comm` show its name."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, doing.encode())


def take_over_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Where requests come from and answers go to. What libraries print goes to stderr, so it cannot break a line."""
    lines, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return lines, answers


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--mode", choices=MODES, default=FAST)
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--log-format", choices=lines.FORMATS, default=lines.TEXT)
    parser.add_argument("--speed", type=float, help="known already, so not measured")
    return parser.parse_args()


def _load(arguments: argparse.Namespace) -> tuple[Engine, Loaded]:
    import torch

    torch.set_num_threads(arguments.threads)
    torch.set_num_interop_threads(1)

    from worker.engine.alignment_heads import choose_heads
    from worker.engine.batched import BatchedEngine
    from worker.engine.checkpoint import read_checkpoint
    from worker.engine.measure import measure_speed

    model, sha256 = read_checkpoint(arguments.checkpoint)
    heads = choose_heads(model, sha256)
    engine = BatchedEngine(model, mode=arguments.mode, device=arguments.device, known_heads=heads)
    del model  # the file it is mapped from is needed no more
    ctypes.CDLL(None).malloc_trim(0)  # nor what packing took
    speed = arguments.speed or measure_speed(engine)
    loaded = Loaded(
        arguments.model,
        sha256,
        arguments.device,
        speed,
        english_only=not engine.is_multilingual,
        translates=engine.translates,
        mode=arguments.mode,
    )
    return engine, loaded


def _messages(lines: BinaryIO) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield json.loads(line)


def _answer(engine: Engine, message: dict[str, Any]) -> dict[str, Any]:
    try:
        samples, pieces = Path(message["samples"]), wire.pieces_in(message)
        if message["verb"] == wire.VOTE:
            return wire.vote(engine.vote_language(samples, pieces))
        return wire.windows(engine.hear(samples, pieces, wire.options_in(message)))
    except Exception as error:
        return wire.refusal(refusal_of(error))


def refusal_of(error: Exception) -> EngineRefused:
    """What the parent is told. Errors of the device and of memory leave a process that must not be used again."""
    import torch

    if isinstance(error, EngineRefused):
        return error
    logger.error("the engine failed: %s", type(error).__name__, exc_info=error)
    text = str(error)
    if isinstance(error, MemoryError) or any(sign in text for sign in OUT_OF_MEMORY):
        return EngineRefused(BROKEN, "The engine ran out of memory.")
    if isinstance(error, torch.AcceleratorError) or "CUDA" in text:
        return EngineRefused(BROKEN, "The graphics processor reported an error.")
    return EngineRefused("engine_failed", f"The engine failed with {type(error).__name__}.")


if __name__ == "__main__":
    main()
