"""Real children: what they hear, and what happens when they are killed, slow, or not wanted any more."""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from worker.engine.base import Options, Piece
from worker.engine.child import HEARING, IDLE
from worker.engine.conftest import CHECKPOINT, DEMO, cut_at_pauses
from worker.engine.machine import ROOT
from worker.engine.slots import EngineDied, EngineRefused, EngineSettings, Slot, SlotPool
from worker.engine.test_checkpoint import Poison

ENGLISH = Options("en")
SHORT = [Piece(0, 0.0, 5.0)]
LONG = [Piece(index, 0.0, 30.0) for index in range(2000)]  # minutes of work


class StopError(Exception):
    pass


@pytest.fixture
def slot(pool: SlotPool) -> Iterator[Slot]:
    with pool.slot() as slot:
        yield slot


def nothing() -> None:
    pass


def stop() -> None:
    raise StopError


def works(slot: Slot, samples: Path) -> bool:
    return bool(slot.hear(samples, SHORT, ENGLISH, poll=nothing)[0])


def kill(pid: int) -> None:
    """Gone when this returns, but not reaped: its parent has not looked yet."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def word_errors(heard: Sequence[str], said: Sequence[str]) -> int:
    """Fewest insertions, deletions and replacements between `heard` and some beginning of `said`."""
    row = list(range(len(said) + 1))
    for count, word in enumerate(heard, start=1):
        diagonal, row[0] = row[0], count
        for place, other in enumerate(said, start=1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other))
    return min(row)


@pytest.mark.parametrize(("name", "language", "errors"), [("english", "en", 0.02), ("german", "de", 0.02)])
def test_speech_is_heard(
    pool: SlotPool, slot: Slot, speech: Callable[[str], Path], name: str, language: str, errors: float
) -> None:
    """Bounds for this path through the engine; how well the demo model hears is measured where it is trained."""
    samples = speech(name)
    pieces = cut_at_pauses(samples, 90)[:-1]  # the last one ends in a word
    vote = slot.vote_language(samples, pieces, poll=nothing)
    assert vote.language == language
    heard = slot.hear(samples, pieces, Options(vote.language), poll=nothing)
    words = [word for segments in heard.values() for segment in segments for word in segment.text.split()]
    said = (DEMO / "samples" / f"{name}.txt").read_text().split()
    assert len(words) > 100
    assert word_errors(words, said) <= errors * len(words)
    assert pool.speed() > 1


def test_what_the_pool_says_of_itself(pool: SlotPool) -> None:
    assert (pool.slots, pool.device, pool.loaded.device) == (1, "cpu", "cpu")
    assert pool.loaded.model == "demo"
    assert pool.loaded.sha256 == hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()
    assert pool.loaded.speed > 1
    assert pool.threads >= 1


def test_a_slot_about_to_come_free_makes_room_for_who_follows(pool: SlotPool, english: Path) -> None:
    told: list[int] = []
    pool.on_room = lambda: told.append(pool.room)
    with pool.slot() as slot:
        slot.hear(english, SHORT, ENGLISH, poll=nothing)
        assert (pool.room, told) == (1, [])
        slot.hear(english, SHORT, ENGLISH, poll=nothing, last=True)
        assert (pool.room, told) == (2, [2])
    assert pool.room == 1


def test_long_work_makes_no_room_before_its_end_is_near(pool: SlotPool, english: Path) -> None:
    with pool.slot() as slot, pytest.raises(StopError):
        slot.hear(english, LONG, ENGLISH, poll=stop, last=True)
    with pool.slot() as slot:
        works(slot, english)
    assert pool.room == 1


def test_who_waits_for_a_slot_polls(pool: SlotPool) -> None:
    with pool.slot(), pytest.raises(StopError), pool.slot(stop):
        pass


def test_the_name_of_the_process_says_what_it_does(slot: Slot, english: Path) -> None:
    def stop_when_seen() -> None:
        if psutil.Process(slot.pid).name() == HEARING:
            raise StopError

    assert works(slot, english)
    assert psutil.Process(slot.pid).name() == IDLE
    with pytest.raises(StopError):
        slot.hear(english, LONG[:16], ENGLISH, poll=stop_when_seen)
    assert psutil.Process(slot.pid).name() == IDLE  # it came to its end within the time it is given


def test_who_stops_waiting_for_a_model_leaves_it_loading_for_the_next(slot: Slot, english: Path) -> None:
    slot.close()
    with pytest.raises(StopError):
        slot.warm(stop)
    pid = slot.pid
    assert psutil.Process(pid).name() != HEARING
    assert works(slot, english)
    assert slot.pid == pid


def test_killed_in_a_request_and_replaced(slot: Slot, english: Path) -> None:
    assert works(slot, english)
    pid = slot.pid
    assert pid

    with pytest.raises(EngineDied, match="SIGKILL"):
        slot.hear(english, LONG, ENGLISH, poll=lambda: os.kill(pid, signal.SIGKILL))
    assert not is_alive(pid)
    assert works(slot, english)
    assert slot.pid != pid


def test_killed_while_idle_is_nobodys_fault_and_replaced_for_good(slot: Slot, english: Path) -> None:
    """The kernel kills a child when the thread that started it ends; so that thread is never the caller's."""
    assert works(slot, english)
    assert slot.pid
    kill(slot.pid)
    thread = threading.Thread(target=works, args=(slot, english))
    thread.start()
    thread.join()
    replaced = slot.pid
    assert works(slot, english)
    assert slot.pid == replaced


def test_a_cancelled_request_may_come_to_its_end(slot: Slot, english: Path) -> None:
    """Within the grace: the answer is thrown away and the warm child stays."""
    assert works(slot, english)
    pid = slot.pid
    with pytest.raises(StopError):
        slot.hear(english, LONG[:16], ENGLISH, poll=stop)
    assert slot.pid == pid
    assert works(slot, english)
    assert slot.pid == pid


def test_a_cancelled_request_that_goes_on_is_killed(
    pool: SlotPool, slot: Slot, english: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert works(slot, english)
    pid = slot.pid
    assert pid
    monkeypatch.setattr(pool, "settings", replace(pool.settings, cancel_grace_seconds=0.1))
    with pytest.raises(StopError):
        slot.hear(english, LONG, ENGLISH, poll=stop)
    assert not is_alive(pid)
    assert slot.pid is None


def test_a_request_that_takes_too_long_is_killed_however_many_windows_it_has(
    pool: SlotPool, slot: Slot, english: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert works(slot, english)
    pid = slot.pid
    assert pid
    monkeypatch.setattr(pool, "settings", replace(pool.settings, window_cap_seconds=0.1, cancel_grace_seconds=0.1))
    looks = iter(range(9, -1, -1))  # two a second: a cap for each of the windows would be minutes
    with pytest.raises(EngineDied, match="longer"):
        slot.hear(english, LONG, ENGLISH, poll=lambda: stop() if not next(looks) else None)
    assert not is_alive(pid)


def test_a_refused_request_leaves_the_child(slot: Slot, english: Path) -> None:
    assert works(slot, english)
    pid = slot.pid
    with pytest.raises(EngineRefused) as refused:
        slot.hear(english, SHORT, Options("klingon"), poll=nothing)
    assert refused.value.code == "language_unknown"
    assert works(slot, english)
    assert slot.pid == pid


def test_another_checkpoint_under_the_same_path_is_refused(
    pool: SlotPool, slot: Slot, english: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    content = torch.load(CHECKPOINT, weights_only=True)
    torch.save(content | {"dims": dict(reversed(content["dims"].items()))}, tmp_path / "demo.pt")
    assert works(slot, english)
    assert slot.pid
    kill(slot.pid)
    with monkeypatch.context() as changed:
        changed.setattr(pool, "settings", replace(pool.settings, checkpoint=tmp_path / "demo.pt"))
        with pytest.raises(EngineRefused) as refused:
            works(slot, english)
    assert refused.value.code == "checkpoint_changed"
    assert works(slot, english)


def test_memory_does_not_grow(slot: Slot, english: Path) -> None:
    """KiB of its own after 30 and after 130 windows. One window's features and keys kept would be 1 MiB and more each;
    the allocator alone moves by up to 40 MiB between two looks."""
    pieces = [Piece(index, 2.0 * index, 2.0 * index + 3) for index in range(130)]
    slot.hear(english, pieces[:30], ENGLISH, poll=nothing)
    before = own_memory(slot)
    slot.hear(english, pieces[30:], ENGLISH, poll=nothing)
    assert own_memory(slot) < before + (80 << 10)


def own_memory(slot: Slot) -> int:
    lines = Path(f"/proc/{slot.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def test_poison_is_refused_and_does_not_run(tmp_path: Path) -> None:
    marker, path = tmp_path / "marker", tmp_path / "model.pt"
    path.write_bytes(pickle.dumps(Poison(marker), protocol=2))
    pool = SlotPool(EngineSettings(path, "poison", 1, 1, 1))
    with pytest.raises(EngineRefused) as refused:
        pool.start()
    assert refused.value.code == "checkpoint_unreadable"
    assert not marker.exists()


def test_closed_while_it_hears(english: Path) -> None:
    pool = SlotPool(EngineSettings(CHECKPOINT, "demo", 1, 10, 60))
    pool.start()
    with pool.slot() as slot:
        pid = slot.pid
        with pytest.raises(EngineDied):
            slot.hear(english, LONG, ENGLISH, poll=pool.close)
    assert pid
    assert not is_alive(pid)
    with pool.slot() as slot, pytest.raises(EngineDied, match="shut down"):
        works(slot, english)
    pool.close()


def test_children_share_a_folder_for_compiled_code_that_nobody_else_may_enter() -> None:
    pool = SlotPool(EngineSettings(CHECKPOINT, "demo", 1, 10, 60))
    pool.start()
    with pool.slot() as slot:
        before = folder_of(slot)
        slot.close()
        slot.warm(nothing)
        assert folder_of(slot) == before
    assert before.stat().st_mode & 0o777 == 0o700
    pool.close()
    assert not before.exists()


def folder_of(slot: Slot) -> Path:
    assert slot.pid
    return Path(psutil.Process(slot.pid).environ()["NUMBA_CACHE_DIR"])


def test_no_checkpoint(tmp_path: Path) -> None:
    pool = SlotPool(EngineSettings(tmp_path / "none.pt", "none", 1, 1, 1))
    with pytest.raises(EngineRefused, match="checkpoint_missing"):
        pool.start()


PARENT = """
import sys, threading, time
from pathlib import Path
from worker.engine.base import Options, Piece
from worker.engine.slots import EngineSettings, SlotPool
pool = SlotPool(EngineSettings(Path(sys.argv[1]), "demo", 2, 10, 60))
pool.start()
with pool.slot() as one, pool.slot() as other:
    def hear(slot, pieces):
        return slot.hear(Path(sys.argv[2]), pieces, Options("en"), poll=lambda: None)
    first = [Piece(0, 0.0, 5.0)]
    assert hear(one, first) == hear(other, first)
    heavy = {"torch", "whisper", "django", "av", "numpy", "jobs", "temporalio"}
    print(one.pid, other.pid, sorted(heavy & {name.split(".")[0] for name in sys.modules}), flush=True)
    hear(one, [Piece(i, 0.0, 30.0) for i in range(2000)])
"""


def test_children_die_with_their_parent_and_it_loads_nothing_heavy(english: Path) -> None:
    """One child in a request, one idle, when the parent is killed."""
    command = [sys.executable, "-c", PARENT, str(CHECKPOINT), str(english)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        one, other, heavy = parent.stdout.readline().split(maxsplit=2)
        assert heavy.strip() == "[]"
        assert is_alive(int(one))
        assert is_alive(int(other))
        parent.kill()
    while is_alive(int(one)) or is_alive(int(other)):  # for ever, if they live on: the runner's time limit ends it
        time.sleep(0.02)
