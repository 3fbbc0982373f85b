"""The real server of the wheel: whom it lets in, what it leaves alone, how it ends."""

import importlib.util
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from transcribe.embedded import places
from transcribe.embedded.binaries import INSTALL, PACKAGE
from transcribe.embedded.postgres import Postgres
from transcribe.embedded.supervise import Supervisor


@pytest.fixture
def server() -> Iterator[Postgres]:
    server = Postgres(places.scratch(), durable=False)
    server.start()
    yield server
    server.stop()


def until(found: Callable[[], bool], seconds: int = 60) -> None:
    """Wait for a condition; the limit only ends a test that has failed already."""
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def modes(*paths: Path) -> dict[Path, int]:
    return {step: step.stat().st_mode for path in paths for step in (path, *path.parents)}


def test_no_mode_of_an_existing_folder_changes() -> None:
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    wheel = Path(found.origin).parent / INSTALL / "bin"
    outer = places.scratch() / "closed"  # to the server's account: root's data goes elsewhere then
    outer.mkdir(mode=0o700)
    before = modes(outer, wheel)
    server = Postgres(outer / "data", durable=False)
    server.start()
    server.stop()
    assert modes(outer, wheel) == before
    assert server.data.stat().st_mode & 0o077 == 0
    shutil.rmtree(server.folder)


def test_a_long_data_path_works_although_sockets_must_be_short() -> None:
    folder = places.scratch() / ("long" * 40)
    server = Postgres(folder, durable=False)
    server.start()
    try:
        assert len(str(server.folder)) > 150
        psycopg.connect(server.url).close()
        assert server.url == Postgres(folder, durable=False).url
    finally:
        server.stop()
    assert not server.socket.exists()


def test_only_our_account_gets_in_and_no_port_is_open(server: Postgres) -> None:
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT system_user").fetchone() == (f"peer:{places.account_name()}",)
    assert server.socket.stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError, match="eer authentication failed"):
        psycopg.connect(server.url.replace("//transcribe@", "//postgres@"))


def test_killed_it_comes_back_with_its_data(server: Postgres) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.add(server.service())
    supervisor.watch()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    supervisor.kill("postgres")
    until(lambda: bool(said))
    until(server.answers)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    supervisor.end()
    assert "postgres ended unexpectedly (signal SIGKILL). It starts again in 1 s." in said
    assert not server.answers()


def test_a_new_start_waits_until_the_last_server_has_ended(server: Postgres) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)  # as the leash does when the stack is killed: nobody waits for it
    again = Postgres(server.folder, durable=False)
    again.start()
    assert again.answers()
    again.stop()


def test_it_dies_with_a_parent_that_is_killed() -> None:
    code = "from transcribe.embedded.postgres import start_for_tests as start; import time; "
    code += "print(start(), flush=True); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=places.CHECKOUT)
    with parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        folder = Path(url.split("host=")[1].split("&")[0]).parent
        pid = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        parent.send_signal(signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists())
    places.scratch()
    assert not folder.exists()
