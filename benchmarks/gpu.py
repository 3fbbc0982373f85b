"""`poe bench gpu`: from mel to tokens on a GPU, ours beside openai-whisper and CTranslate2, in half precision.

Random weights of the dimensions of large-v3 and turbo, 100 forced tokens for each window, batches of 1 to 64; wall time
of the best round, since the processor only waits. openai goes one by one. Without a GPU it says so and ends. The report
goes to benchmarks/results/, with the card, its driver and the versions.
"""

import argparse
import contextlib
import io
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import _race
from benchmarks._report import RESULTS, Both, Goal, place, table, verdict
from transcribe.programs import NOT_HERE

BATCHES = (1, 8, 16, 32, 64)
JUDGED = 16
OPENAI_GOAL, CTRANSLATE_GOAL = 10.0, 1.0
OPENAI_WINDOWS = 4  # enough for a rate


def main() -> int:
    _race.alone()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--sizes", nargs="+", default=["large-v3", "turbo"], choices=["tiny", "base", "large-v3", "turbo"]
    )
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        print("There is no GPU that torch can use here, so nothing was measured.")
        return NOT_HERE
    report = io.StringIO()
    with contextlib.redirect_stdout(Both(report)):
        print(card())
        place("torch", "openai-whisper", "ctranslate2")
        code = verdict([goal for size in chosen.sizes for goal in measured(size, chosen.rounds)])
    RESULTS.mkdir(exist_ok=True)
    name = torch.cuda.get_device_name().replace(" ", "-").lower()
    (RESULTS / f"gpu-{name}-{time.strftime('%Y-%m-%d')}.txt").write_text(report.getvalue())
    return code


def card() -> str:
    asked = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    with contextlib.suppress(OSError):
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return "no nvidia-smi"


def measured(size: str, rounds: int) -> list[Goal]:
    """Windows a second of each engine and batch; engines in turns within a batch."""
    from benchmarks import _engine, _peers, _weights

    checkpoint = _weights.random_checkpoint(size)
    mels = _engine.windows(_weights.dimensions(size).n_mels, max(BATCHES))
    openai = _peers.load(checkpoint, "cuda")
    half, samples = mels.cuda().half(), mels.numpy()
    ours, other = _engine.Ours(checkpoint, "fast", "cuda"), _peers.CTranslate(checkpoint, "float16", "cuda")
    seconds: dict[tuple[str, int], float] = {}
    memory: dict[int, int] = {}
    for batch in BATCHES:
        runs: dict[str, Callable[[], Any]] = {
            "CTranslate2 float16": _of(other.decode, samples[:batch], _engine.TOKENS, batch),
            "ours, fast": _of(ours.decode, mels[:batch].cuda(), _engine.TOKENS),
        }
        if batch == JUDGED:
            runs["openai, one by one"] = _of(_peers.openai_sequential, openai, half[:OPENAI_WINDOWS], _engine.TOKENS)
        for name, found in _timed(runs, rounds, batch, memory).items():
            seconds[name, batch] = found / (OPENAI_WINDOWS if name.startswith("openai") else batch)
    base = seconds["openai, one by one", JUDGED]
    rows = [(f"{name}, batch {batch}", f"{base / found:.1f}x", found, 30 / found, memory.get(batch, 0) >> 20)
            for (name, batch), found in seconds.items()]  # fmt: skip
    print(f"\n{size}: {_engine.TOKENS} tokens a window, best of {rounds} rounds")
    table(["", "speed", "wall s", "x real time", "torch MB at most"], rows)
    mine = seconds["ours, fast", JUDGED]
    return [
        Goal(f"{size}: batch {JUDGED} against openai", base / mine, OPENAI_GOAL),
        Goal(f"{size}: against CTranslate2", seconds["CTranslate2 float16", JUDGED] / mine, CTRANSLATE_GOAL),
    ]


def _timed(runs: dict[str, Callable[[], Any]], rounds: int, batch: int, memory: dict[int, int]) -> dict[str, float]:
    """Best wall seconds; every output is checked. Notes the most memory torch held."""
    import torch

    from benchmarks import _engine

    torch.cuda.reset_peak_memory_stats()
    best: dict[str, float] = {}
    for turn in range(rounds + 1):  # the first wakes the device and is not counted
        for name, run in runs.items():
            torch.cuda.synchronize()
            began = time.perf_counter()
            tokens = run()
            torch.cuda.synchronize()
            took = time.perf_counter() - began
            _engine.check(name, tokens, different=1)  # nothing is compared in half precision
            if turn:
                best[name] = min(took, best.get(name, took))
    memory[batch] = torch.cuda.max_memory_allocated()
    return best


def _of(run: Callable[..., Any], *given: Any) -> Callable[[], Any]:
    return lambda: run(*given)


if __name__ == "__main__":
    sys.exit(main())
