"""`manage.py up` as people start it: a process of its own, on a data folder of its own, everything real."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import psutil
import psycopg
import pytest

from transcribe.embedded import environment, places
from transcribe.embedded.ports import HOST, free_port
from transcribe.embedded.stack import DEMO
from transcribe.embedded.test_postgres import until
from transcribe.embedded.test_supervise import alive

pytestmark = pytest.mark.alone
NOT_INHERITED = ("DATABASE_URL", "SECRET_KEY", "TRANSCRIBE_EMBEDDED", "WHISPER_MODEL", "TEMPORAL_ADDRESS")


def empty_environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {**kept, "DATA_DIR": str(data), **more}


def manage(data: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=places.CHECKOUT, env=empty_environment(data, **more), capture_output=True, text=True, check=False
    )


class Up:
    """One life of the stack; `lines` is all it says."""

    def __init__(self, data: Path, **more: str) -> None:
        self.data = data
        self.lines: list[str] = []
        self.port = free_port()
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        environ = empty_environment(data, WHISPER_MODEL=str(DEMO), **more)
        self.process = subprocess.Popen(
            command, cwd=places.CHECKOUT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(line.rstrip())

    def said(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]

    def wait_until_ready(self) -> "Up":
        until(lambda: bool(self.said("Ready: ")) or self.process.poll() is not None, 180)
        assert self.said("Ready: "), "\n".join(self.lines)
        return self

    def children(self) -> dict[str, int]:
        state = environment.running(self.data)
        assert state is not None
        return dict(state["children"])

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(90)
        self.reader.join()
        return code


@contextlib.contextmanager
def life(data: Path) -> Iterator[Up]:
    stack = Up(data)
    try:
        yield stack.wait_until_ready()
    finally:
        if stack.process.poll() is None:
            stack.end(signal.SIGTERM)


def test_two_lives() -> None:
    """Start, use, crash and end by SIGTERM; then start again with all data, and be killed."""
    data = places.scratch()
    with life(data) as up:
        link = sign_in(up)
        others_find_it(up)
        children = crashed_and_back(up)
        assert environment.state_file(data).stat().st_mode & 0o077 == 0
        assert up.end(signal.SIGTERM) == 0
        assert not any(alive(pid) for pid in children.values())
        assert environment.running(data) is None
        nothing_leaked(up, link)
    with life(data) as up:
        assert not up.said("password")
        family = psutil.Process(up.process.pid).children(recursive=True)  # those of worker and database included
        assert set(up.children().values()) < {process.pid for process in family}
        up.end(signal.SIGKILL)
        until(lambda: not any(process.is_running() and alive(process.pid) for process in family))


def sign_in(up: Up) -> str:
    """The link leads in, and past the sign-in page."""
    assert len(up.said("never for production")) == 1
    link = up.said("one click")[0].rsplit(" ", 1)[1]
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(link) as page:
        page.read()
    with browser.open(f"http://{HOST}:{up.port}/admin/") as page:
        assert page.url.endswith("/admin/")
    return link


def others_find_it(up: Up) -> None:
    code = "from accounts.models import User; print(User.objects.get().username)"
    shell = manage(up.data, "shell", "-v", "0", "-c", code)
    assert (shell.stdout.strip(), shell.returncode) == ("admin", 0), shell.stderr
    again = manage(up.data, "up", "--port", str(free_port()))
    assert again.returncode == 1
    assert f"It runs already: http://{HOST}:{up.port}." in again.stderr


def crashed_and_back(up: Up) -> dict[str, int]:
    """Kill Postgres and web; all pids there were and are."""
    before = up.children()
    assert set(before) == {"postgres", "temporal", "worker", "web"}
    url = json.loads(environment.state_file(up.data).read_text())["environment"]["DATABASE_URL"]
    os.kill(before["postgres"], signal.SIGKILL)
    until(lambda: bool(up.said("postgres ended unexpectedly")))
    until(lambda: answers(url))
    os.kill(before["web"], signal.SIGKILL)
    until(lambda: up.children()["web"] != before["web"])
    after = {f"{name} again": pid for name, pid in up.children().items()}
    return before | after


def nothing_leaked(up: Up, link: str) -> None:
    """Password and link are said once, the secret key never, and no log holds any of them."""
    password = up.said("password")[0].split("password ")[1].split()[0]
    everything = "\n".join([*up.lines, *(path.read_text(errors="replace") for path in up.data.glob("logs/*"))])
    assert everything.count(password) == everything.count(link) == 1
    assert environment.secret_key(up.data) not in everything


def answers(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(url).close()
        return True
    return False


def test_a_taken_port_is_said_before_anything_starts() -> None:
    folder = places.scratch()
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        done = manage(folder, "up", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken by another program. Choose another with --port." in done.stderr
    assert not (folder / "postgres").exists()


def test_a_named_model_that_is_not_there_is_an_error() -> None:
    folder = places.scratch()
    done = manage(folder, "up", "--port", str(free_port()), WHISPER_MODEL="/nowhere/model.pt")
    assert done.returncode == 1
    assert "There is no checkpoint at /nowhere/model.pt" in done.stderr
    assert environment.running(folder) is None


def test_without_a_stack_other_commands_say_what_to_do() -> None:
    done = manage(places.scratch(), "check")
    assert done.returncode == 1
    assert done.stderr.strip() == "Set DATABASE_URL, or start the embedded stack with `uv run manage.py up`."
