"""How one machine is divided among several models, and that no more work at once than it has places."""

import os
import threading
from pathlib import Path

import pytest

from worker.engine import machine
from worker.engine.base import EXACT, FAST, Options, Piece
from worker.engine.conftest import CHECKPOINT
from worker.engine.machine import Layout
from worker.engine.shares import divide
from worker.engine.slots import EngineSettings, SlotPool

GB = 1 << 30


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight cores, 32 GB, no graphics processor."""
    monkeypatch.setattr(machine, "probe", lambda: ())
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "available_memory", lambda: 32 * GB)
    return monkeypatch


@pytest.mark.parametrize(
    ("wanted", "sizes", "slots", "threads"),
    [
        (0, [GB // 8], [8], 1),
        (0, [GB // 8, GB // 8, GB // 8], [3, 3, 2], 1),
        (0, [GB // 8, 3 * GB], [4, 1], 1),  # memory for one of the large ones
        (0, [GB // 8] * 9, [1] * 9, 1),  # more models than cores
        (2, [GB // 8, GB // 8, GB // 8], [1, 1, 1], 4),
        (1, [GB // 8], [1], 8),
    ],
)
def test_models_share_cores_and_memory(
    host: pytest.MonkeyPatch, wanted: int, sizes: list[int], slots: list[int], threads: int
) -> None:
    shares = divide(wanted, sizes)
    assert [len(share.layout.devices) for share in shares] == slots
    assert {share.layout.threads for share in shares} == {threads}
    assert {share.eager for share in shares} == {len(sizes) == 1}
    at_once = 0
    while shares[0].turns.acquire(blocking=False):
        at_once += 1
    assert at_once == min(wanted or 8, sum(slots))
    assert at_once * threads <= 8


def test_exact_mode_gets_fewer_slots(host: pytest.MonkeyPatch) -> None:
    found = [len(divide(0, [GB], mode)[0].layout.devices) for mode in (FAST, EXACT)]
    assert found == [8, 3]


def test_models_share_graphics_processors(host: pytest.MonkeyPatch) -> None:
    host.setattr(machine, "probe", lambda: ("one", "two", "three"))
    assert [share.layout for share in divide(0, [GB, GB])] == [
        Layout(["cuda:0", "cuda:1"], 2),
        Layout(["cuda:2"], 2),
    ]
    host.setattr(machine, "probe", lambda: ("one",))
    first, second = divide(0, [GB, GB])
    assert first.layout == second.layout == Layout(["cuda:0"], 8)
    assert first.turns is second.turns


class StopError(Exception):
    pass


def test_who_waits_for_a_turn_polls_and_may_leave(host: pytest.MonkeyPatch) -> None:
    """Two models on one place: while one is at work the other waits; its free slots wait with it."""
    host.setattr("worker.engine.shares.TURN_SECONDS", 0.01)
    shares = divide(1, [1, 1])
    asked = threading.Event()

    def stop() -> None:
        asked.set()
        raise StopError

    with shares[0].turn(stop), pytest.raises(StopError), shares[1].turn(stop):
        raise AssertionError
    assert asked.is_set()
    with shares[1].turn(stop):  # given back, also by the one that left
        pass


def test_what_a_process_holds() -> None:
    assert machine.resident(os.getpid()) > 20 << 20
    assert machine.resident(None) == 0


def test_beside_another_model_children_are_loaded_when_first_used(english: Path) -> None:
    """Four slots for two models: each holds one child until there is more to do."""
    settings = EngineSettings(CHECKPOINT, "demo", 0, 10, 60)
    pool = SlotPool(settings, divide(4, [CHECKPOINT.stat().st_size] * 2)[0])
    pool.start()
    try:
        assert pool.slots == 2
        with pool.slot() as first, pool.slot() as second:
            assert sorted([first.pid is None, second.pid is None]) == [False, True]
            assert second.hear(english, [Piece(0, 0.0, 3.0)], Options("en"), poll=lambda: None)
            assert second.pid is not None
    finally:
        pool.close()
