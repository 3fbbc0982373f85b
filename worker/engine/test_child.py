import json
import subprocess
import sys
from pathlib import Path

import torch
from whisper.tokenizer import LANGUAGES as WHISPER_LANGUAGES

from jobs.services.languages import LANGUAGES
from worker.engine import wire
from worker.engine.base import EngineRefused, Loaded, Options, Piece, Segment, Vote
from worker.engine.child import refusal_of
from worker.engine.conftest import CHECKPOINT
from worker.engine.machine import ROOT


def test_the_web_knows_the_languages_of_whisper() -> None:
    assert list(LANGUAGES.items()) == list(WHISPER_LANGUAGES.items())


def test_faults_that_leave_a_process_of_no_use() -> None:
    for error in [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        torch.AcceleratorError("device-side assert triggered", 710),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
    ]:
        assert refusal_of(error).code == "engine_broken"


def test_other_faults_are_told_without_what_was_said() -> None:
    refused = refusal_of(ValueError("what people said"))
    assert refused.code == "engine_failed"
    assert refused.detail == "The engine failed with ValueError."


def test_messages_survive_the_wire() -> None:
    segment = Segment(0.5, 1.5, "Grüße, „Welt“ \u2028", -0.2, 0.01, 1.2, 0.0)
    heard = {3: [segment, segment], 4: []}
    assert wire.windows_in(through(wire.windows(heard))) == heard
    assert wire.vote_in(through(wire.vote(Vote("de", 0.9)))) == Vote("de", 0.9)
    loaded = Loaded("demo", "0" * 64, "cpu", 150.0, english_only=False, translates=True)
    assert wire.loaded_in(through(wire.loaded(loaded))) == loaded
    refused = wire.refusal_in(through(wire.refusal(EngineRefused("code", "A sentence."))))
    assert refused is not None
    assert (refused.code, refused.detail) == ("code", "A sentence.")


def test_a_request_survives_the_wire() -> None:
    pieces, options = [Piece(0, 0.0, 29.5), Piece(1, 29.5, 31.25)], Options("de", seed=7, task="translate")
    message = through(wire.request(1, wire.HEAR, Path("/samples"), pieces, options))
    assert wire.pieces_in(message) == pieces
    assert wire.options_in(message) == options


def test_what_libraries_print_does_not_break_a_line() -> None:
    script = """
import os
from worker.engine.child import take_over_stdio
lines, answers = take_over_stdio()
print("stray", flush=True)
os.system("echo stray; cat")
answers.write(lines.readline())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, input=b"a line\n", capture_output=True, check=True)
    assert done.stdout == b"a line\n"
    assert done.stderr == b"stray\nstray\n"


def test_a_child_whose_parent_is_gone_does_not_begin() -> None:
    command = [sys.executable, "-m", "worker.engine.child", "--checkpoint", str(CHECKPOINT), "--model", "demo"]
    command += ["--device", "cpu", "--threads", "1", "--parent", "1"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def through(message: dict[str, object]) -> dict[str, object]:
    line = wire.pack(message)
    assert line.count(b"\n") == 1
    received: dict[str, object] = json.loads(line)
    return received
