"""`poe bench exact`: our exact mode beside openai-whisper's loop, from mel to tokens; every token must be the same.

The windows and weights of `poe bench engine`, one thread, in turns; processor time of the best round.
"""

import sys

from benchmarks import _race
from benchmarks._report import Goal, place, table, verdict

GOAL = 2.3
OPENAI, OURS = "openai, one by one", "ours, exact"


def main() -> int:
    _race.alone()
    from benchmarks._engine import arguments

    chosen = arguments(__doc__)
    place("torch", "openai-whisper")
    limits = _race.roofline()
    print(limits)
    goals = [goal for size in chosen.sizes for goal in measured(size, chosen.rounds, limits)]
    print(_race.peak_memory())
    return verdict(goals)


def measured(size: str, rounds: int, limits: _race.Roofline) -> list[Goal]:
    from benchmarks import _engine, _peers, _weights

    checkpoint = _weights.random_checkpoint(size)
    mels = _engine.windows(_weights.dimensions(size).n_mels)
    model, ours = _peers.load(checkpoint), _engine.Ours(checkpoint, "exact")
    times = _race.race(
        {
            OPENAI: lambda: _peers.openai_sequential(model, mels, _engine.TOKENS),
            OURS: lambda: ours.decode(mels, _engine.TOKENS),
        },
        rounds,
    )
    wanted, found = times[OPENAI].output, times[OURS].output
    _engine.check(OPENAI, wanted)
    _engine.check(OURS, found)
    tokens = [(a, b) for window in zip(wanted, found, strict=True) for a, b in zip(*window, strict=True)]
    identical = sum(a == b for a, b in tokens) / len(tokens)
    print(
        f"\n{size}: {_engine.WINDOWS} windows x {_engine.TOKENS} tokens, best of {rounds} rounds, CPU seconds a window"
    )
    table(["", "speed", "CPU s", "median", "wall s"], _race.rows(times, _engine.WINDOWS, OPENAI))
    least = _weights.bound_seconds(size, limits, _engine.TOKENS, _engine.BATCH, exact=True)
    spent, theirs = (times[name].best / _engine.WINDOWS for name in (OURS, OPENAI))
    print(_weights.bound(least, spent, theirs, GOAL))
    return [
        Goal(f"{size}: exact against openai", times[OPENAI].best / times[OURS].best, GOAL),
        Goal(f"{size}: % of tokens identical", 100 * identical, 100),
    ]


if __name__ == "__main__":
    sys.exit(main())
