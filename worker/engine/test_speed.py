"""What is known of a worker's speed is that of one hypothesis, whatever it is asked for."""

from pathlib import Path

from worker.engine.base import Options, Piece
from worker.engine.slots import SlotPool


def test_beams_do_not_count(pool: SlotPool, english: Path) -> None:
    pieces, before = [Piece(0, 0, 10)], pool.speed()
    with pool.slot() as slot:
        slot.hear(english, pieces, Options("en", beam=2), poll=lambda: None)
        assert pool.speed() == before
        slot.hear(english, pieces, Options("en"), poll=lambda: None)
        assert pool.speed() != before
