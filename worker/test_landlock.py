"""The sandbox, asked from inside: every way out is tried by a process that shut itself in, and by one that did not."""

import errno
import json
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker import landlock

ROOT = str(Path(__file__).resolve().parent.parent)
TRY = """
import ctypes, json, os, socket, sys, threading
port, recording, root, lock = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
sys.path.insert(0, root)
from worker import landlock

def fork():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)

def thread():
    started = threading.Thread(target=int)
    started.start()
    started.join()

def call(number, *arguments):
    if landlock._libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")

ways = {
    "passwd": lambda: open("/etc/passwd").close(),
    "recording": lambda: open(recording).close(),
    "listing": lambda: os.listdir("/"),
    "new file": lambda: open(recording + ".new", "w").close(),
    "stat": lambda: os.stat("/etc/passwd"),
    "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("127.0.0.1", port)),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close(),
    "pair": lambda: [end.close() for end in socket.socketpair()],
    "signal": lambda: os.kill(os.getppid(), 0),
    "fork": fork,
    "thread": thread,
    "ring": lambda: call(425, 1, ctypes.create_string_buffer(120)),
    "exec": lambda: os.execv("/bin/true", ["true"]),
}
opened, errors = open(recording, "rb", buffering=0), {}
threading.excepthook = lambda problem: None
if lock == "all":
    landlock.shut_in()
elif lock == "landlock":
    landlock._libc.prctl(landlock.SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    landlock.refuse_files()
for name, way in ways.items():
    if name == "exec" and lock != "all":
        continue  # it would succeed, and end this program
    try:
        way()
        errors[name] = None
    except OSError as error:
        errors[name] = error.errno
    except RuntimeError:  # what Python makes of a thread that cannot start
        errors[name] = 1
print(json.dumps({"errors": errors, "read": opened.read().decode()}))
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A real listener: without the lock the connection would succeed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def inside(lock: str, port: int, folder: Path) -> dict[str, int | None]:
    """What each way out ended with: an error number, or None where it worked."""
    recording = folder / "recording"
    recording.write_text("what was open stays readable")
    words = [sys.executable, "-I", "-c", TRY, str(port), str(recording), ROOT, lock]
    answer = json.loads(subprocess.run(words, env={}, cwd=folder, capture_output=True, check=True, timeout=60).stdout)
    assert answer["read"] == "what was open stays readable"
    errors: dict[str, int | None] = answer["errors"]
    return errors


def test_shut_in_nothing_is_left(port: int, tmp_path: Path) -> None:
    errors = inside("all", port, tmp_path)
    assert len(errors) == 14
    assert set(errors.values()) == {errno.EPERM}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recording"]


def test_landlock_alone_takes_files_and_tcp(port: int, tmp_path: Path) -> None:
    errors = inside("landlock", port, tmp_path)
    assert [errors[name] for name in ("passwd", "recording", "listing", "new file", "tcp")] == [errno.EACCES] * 5
    assert errors["udp"] is None, "Landlock learned to refuse UDP: say so in worker/landlock.py"


def test_without_a_lock_the_same_ways_are_open(port: int, tmp_path: Path) -> None:
    errors = inside("none", port, tmp_path)
    open_ways = [name for name, error in errors.items() if error is None]
    assert {"passwd", "recording", "listing", "new file", "tcp", "udp", "fork", "thread"} <= set(open_ways)


def test_a_process_with_threads_is_refused() -> None:
    code = (
        "import sys, threading; sys.path.insert(0, sys.argv[1]); from worker import landlock\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "try: landlock.shut_in()\n"
        "except RuntimeError: open('/etc/passwd').close(); print('refused')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code, ROOT], capture_output=True, text=True, timeout=60)
    assert done.stdout == "refused\n", done.stderr


def test_this_machine_has_what_it_takes() -> None:
    assert landlock.supported() >= 1
    assert landlock.problem() is None


def test_a_machine_without_a_filter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "riscv64" in (landlock.problem() or "")


def test_both_architectures_allow_the_same_calls() -> None:
    counts = {name: len(set(calls.split())) for name, (_, calls) in landlock.ALLOWED.items()}
    assert counts == {"x86_64": 32, "aarch64": 32}
