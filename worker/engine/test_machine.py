import os
import subprocess
from pathlib import Path

import pytest

from worker.engine import machine
from worker.engine.base import EXACT, FAST
from worker.engine.machine import available_memory, cores, environment, slots_on_cpu

GB = 1 << 30


@pytest.mark.parametrize(
    ("cores", "memory", "checkpoint", "slots"),
    [
        (2, 8 * GB, GB // 64, 2),  # as many as cores
        (8, 7 * GB, GB, 1),  # memory for one
        (8, 8 * GB, GB, 2),
        (2, GB // 4, 3 * GB, 1),  # at least one: loading it will tell
    ],
)
def test_slots(cores: int, memory: int, checkpoint: int, slots: int) -> None:
    assert slots_on_cpu(cores, memory, checkpoint) == slots


def test_exact_mode_needs_more_memory() -> None:
    assert (slots_on_cpu(8, 18 * GB, GB), slots_on_cpu(8, 18 * GB, GB, EXACT)) == (4, 2)


@pytest.mark.parametrize(("mode", "most"), [(FAST, 1330), (EXACT, 2120)])
def test_what_base_dimensions_took_at_most_fits(mode: str, most: int) -> None:
    """MB of one engine's own, by beams at every temperature."""
    for memory in range(most, 20_000):
        assert slots_on_cpu(8, memory << 20, 139 << 20, mode) * most <= memory


def test_a_container_counts_before_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host_cores, host_memory = cores(), available_memory()
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    for name, value in {"cpu.max": "100000 100000", "memory.max": str(GB), "memory.current": str(GB // 4)}.items():
        (tmp_path / name).write_text(f"{value}\n")
    assert cores() == 1 <= host_cores
    assert available_memory() == GB - GB // 4 < host_memory
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert cores() == len(os.sched_getaffinity(0))
    assert available_memory() > GB


def test_children_get_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    monkeypatch.setenv("DATABASE_URL", "postgresql://hidden")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    given = environment(3)
    assert "hidden" not in " ".join(given.values())
    assert given["CUDA_VISIBLE_DEVICES"] == "1"
    assert given["OMP_NUM_THREADS"] == "3"
    assert given["OMP_WAIT_POLICY"] == "PASSIVE"


def test_torch_is_asked_only_where_a_driver_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def answer(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, b'{"cuda": [{"name": "A card", "memory": 1}]}')

    monkeypatch.setattr(machine, "DEVICES", tmp_path)
    monkeypatch.setattr(subprocess, "run", answer)
    machine.probe.cache_clear()
    assert machine.probe() == ()
    assert asked == []
    (tmp_path / "nvidiactl").touch()
    machine.probe.cache_clear()
    assert machine.probe() == ("A card",)
    machine.probe.cache_clear()
