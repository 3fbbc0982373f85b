"""Restarts with growing delays, holding, and the end in order. Small real processes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from transcribe.embedded import supervise
from transcribe.embedded.child import spawn, stop
from transcribe.embedded.supervise import Service, Supervisor
from transcribe.embedded.test_postgres import until


def sleeper() -> subprocess.Popen[bytes]:
    return spawn(["sleep", "600"], output=subprocess.DEVNULL)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervise, "FIRST_DELAY", 0.01)
    supervisor = Supervisor(said.append)
    supervisor.watch()
    yield supervisor
    supervisor.end()


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def pid_of(service: Service) -> int:
    assert service.process is not None
    return service.process.pid


def test_a_crash_is_said_and_the_child_starts_again(supervisor: Supervisor, said: list[str]) -> None:
    service = Service("sleeper", sleeper)
    supervisor.add(service)
    first = pid_of(service)
    supervisor.kill("sleeper")
    until(lambda: pid_of(service) != first)
    assert alive(pid_of(service))
    assert [line.split(".")[0] for line in said] == ["sleeper ended unexpectedly (signal SIGKILL)"]


def test_delays_grow_while_it_goes_on(supervisor: Supervisor, said: list[str]) -> None:
    service = Service("broken", lambda: spawn(["sh", "-c", "exit 3"], output=subprocess.DEVNULL))
    supervisor.add(service)
    until(lambda: len(said) >= 4)
    assert service.delay >= 0.08
    assert "exit code 3" in said[0]


def test_a_steady_life_starts_with_the_first_delay_again(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "STEADY_SECONDS", 0.0)
    service = Service("broken", lambda: spawn(["sh", "-c", "exit 3"], output=subprocess.DEVNULL))
    supervisor.add(service)
    until(lambda: len(said) >= 3)
    assert service.delay == supervise.FIRST_DELAY


def test_held_it_stays_stopped_until_released(supervisor: Supervisor, said: list[str]) -> None:
    held, other = Service("held", sleeper), Service("other", sleeper)
    supervisor.add(held)
    supervisor.add(other)
    first, second = pid_of(held), pid_of(other)
    supervisor.hold("held")
    assert not alive(first)
    supervisor.kill("other")  # the loop has looked at both when this one is back
    until(lambda: pid_of(other) != second)
    assert pid_of(held) == first
    supervisor.release("held")
    assert alive(pid_of(held))
    assert not any("held" in line for line in said)


def test_the_end_leaves_nothing_and_goes_backwards(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name in ("first", "second"):
        script = f"trap 'echo {name} >> {order}; exit' TERM; echo up > {tmp_path / name}; while :; do sleep 0.05; done"
        supervisor.add(Service(name, partial(spawn, ["sh", "-c", script], output=subprocess.DEVNULL)))
        until((tmp_path / name).exists)
    supervisor.end()
    assert order.read_text().split() == ["second", "first"]
    assert not any(alive(pid_of(service)) for service in supervisor.services.values())


def test_a_deaf_child_is_killed_with_its_own_children(tmp_path: Path) -> None:
    pid, part = tmp_path / "pid", tmp_path / "part"
    script = f"trap '' TERM; sleep 600 & echo $! > {part}; mv {part} {pid}; wait"
    process = spawn(["sh", "-c", script], output=subprocess.DEVNULL)
    until(pid.exists)
    stop(process, signal.SIGTERM, 0.1)
    until(lambda: not alive(int(pid.read_text())))
    assert process.returncode == -signal.SIGKILL


def test_no_child_of_a_killed_parent_lives_on() -> None:
    code = (
        "import subprocess, sys, time; from transcribe.embedded.child import spawn; "
        "print(spawn(['sleep', '600'], output=subprocess.DEVNULL).pid, flush=True); time.sleep(600)"
    )
    root = Path(supervise.__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    until(lambda: not alive(pid))
