"""An engine child that hears at once, and always the same: what is left is everything around the engine.

The worker around it is ours: `python -m benchmarks._stub_engine --worker`, in the environment of a stack.
"""

import asyncio
import json
import sys
from pathlib import Path

from worker.engine import child, wire
from worker.engine.base import Loaded, Segment, Vote
from worker.engine.slots import EngineSettings, SlotPool

SAID = "quokkas never whisper in histories"
MODEL = "stub"
SPEED = 2000.0  # so that batches are as large as they get


class StubPool(SlotPool):
    program = "benchmarks._stub_engine"


def main() -> None:
    """The child."""
    arguments = child._arguments()
    child.die_with(arguments.parent)
    lines, answers = child.take_over_stdio()
    loaded = Loaded(MODEL, "0" * 64, "cpu", SPEED, english_only=False, translates=True)
    answers.write(wire.pack(wire.loaded(loaded)))
    for line in lines:
        message = json.loads(line)
        pieces = wire.pieces_in(message)
        heard = {piece.index: [Segment(piece.start, piece.end, SAID, -0.1, 0.0, 1.0, 0.0)] for piece in pieces}
        answer = wire.vote(Vote("en", 1.0)) if message["verb"] == wire.VOTE else wire.windows(heard)
        answers.write(wire.pack({"id": message["id"]} | answer))


def work() -> None:
    """A worker as `manage.py worker` runs it, with this engine in one slot."""
    import django

    django.setup()
    from worker.management.commands.worker import serve

    pool = StubPool(EngineSettings(Path(__file__), MODEL, 1, cancel_grace_seconds=1, window_cap_seconds=60))
    pool.start()
    try:
        asyncio.run(serve([pool]))
    finally:
        pool.close()


if __name__ == "__main__":
    work() if "--worker" in sys.argv else main()
