"""`poe bench engine`: from mel to tokens, ours beside openai-whisper, transformers and CTranslate2 on the same weights.

8 windows x 100 forced tokens, dimensions of tiny and base, one thread, engines in turns; processor time of the best
round. CTranslate2 in fp32 and our exact mode run once: if they, or transformers, say anything else than openai, the
weights were not converted rightly, and the run fails; so it does where an engine gives another number of tokens. In
int8 random weights may say otherwise; what that does to words is measured on real text by `poe bench file` and
`poe bench text`.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import _race
from benchmarks._report import Goal, place, table, verdict

OPENAI, INT8, EXACT, FAST = "openai, one by one", "CTranslate2 int8, batch 8", "ours, exact", "ours, fast"
FP32, HUGGING_FACE = "CTranslate2 fp32, batch 8", "transformers fp32, batch 8"
ONCE = (FP32, EXACT)  # `poe bench exact` measures our exact mode
AS_OPENAI = (*ONCE, HUGGING_FACE)  # what they say must be what openai says
GOALS = {"tiny": 5.0, "base": 4.5}
CTRANSLATE_GOAL = 1.4


def main() -> int:
    _race.alone()
    from benchmarks._engine import arguments

    chosen = arguments(__doc__)
    place("torch", "openai-whisper", "ctranslate2", "transformers")
    limits = _race.roofline()
    print(limits)
    goals = [goal for size in chosen.sizes for goal in measured(size, chosen.rounds, chosen.only, limits)]
    print(_race.peak_memory())
    return verdict(goals)


def measured(size: str, rounds: int, only: list[str] | None, limits: _race.Roofline) -> list[Goal]:
    from benchmarks import _engine, _weights

    checkpoint = _weights.random_checkpoint(size)
    mels = _engine.windows(_weights.dimensions(size).n_mels)
    entered = {
        name: run
        for name, run in contestants(checkpoint, mels).items()
        if name == OPENAI or not only or any(part in name for part in only)
    }
    times = _race.race({name: run for name, run in entered.items() if name not in ONCE}, rounds)
    times |= _race.race({name: run for name, run in entered.items() if name in ONCE}, 1)
    wanted = times[OPENAI].output
    for name, found in times.items():
        _engine.check(name, found.output, wanted if name in AS_OPENAI else None)
    print(
        f"\n{size}: {_engine.WINDOWS} windows x {_engine.TOKENS} tokens, best of {rounds} rounds, CPU seconds a window"
    )
    rows = _race.rows(times, _engine.WINDOWS, OPENAI)
    alike = [f"{_engine.same(found.output, wanted)}/{_engine.WINDOWS}" for found in times.values()]
    table(
        ["", "speed", "CPU s", "median", "wall s", "windows as openai"],
        [[*row, windows] for row, windows in zip(rows, alike, strict=True)],
    )
    if FAST not in times or INT8 not in times:
        return []
    least = _weights.bound_seconds(size, limits, _engine.TOKENS, _engine.BATCH)
    ours, openai = (times[name].best / _engine.WINDOWS for name in (FAST, OPENAI))
    print(_weights.bound(least, ours, openai, GOALS[size]))
    return [
        Goal(f"{size}: fast against openai", times[OPENAI].best / times[FAST].best, GOALS[size]),
        Goal(f"{size}: fast against CTranslate2 int8", times[INT8].best / times[FAST].best, CTRANSLATE_GOAL),
    ]


def contestants(checkpoint: Path, mels: Any) -> dict[str, Callable[[], Any]]:
    """Each with weights of its own: what one does to its model must not reach another."""
    from benchmarks import _peers
    from benchmarks._engine import BATCH, TOKENS, Ours
    from benchmarks._transformers import Transformers

    openai, samples = _peers.load(checkpoint), mels.numpy()
    int8, fp32 = (_peers.CTranslate(checkpoint, kind) for kind in ("int8", "float32"))
    hugging_face = Transformers(_peers.load(checkpoint), TOKENS)
    exact, fast = Ours(checkpoint, "exact"), Ours(checkpoint, "fast")
    return {
        OPENAI: lambda: _peers.openai_sequential(openai, mels, TOKENS),
        HUGGING_FACE: lambda: hugging_face.decode(mels),
        INT8: lambda: int8.decode(samples, TOKENS, BATCH),
        FP32: lambda: fp32.decode(samples, TOKENS, BATCH),
        EXACT: lambda: exact.decode(mels, TOKENS),
        FAST: lambda: fast.decode(mels, TOKENS),
    }


if __name__ == "__main__":
    sys.exit(main())
