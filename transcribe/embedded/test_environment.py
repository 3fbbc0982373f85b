"""What commands find before Django reads its settings."""

import os
from pathlib import Path

import pytest

from transcribe.embedded import environment, places
from transcribe.embedded.stack import Stack, StackError


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty environment on a data folder of its own; restored afterwards."""
    for name in (*environment.CHOICES, "TRANSCRIBE_EMBEDDED"):
        monkeypatch.setenv(name, "-")
        monkeypatch.delenv(name)
    folder = places.scratch()
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.setattr(environment, "_ours", set())
    return folder


def test_up_needs_no_environment(data: Path) -> None:
    environment.prepare(["manage.py", "up"])
    assert os.environ["TRANSCRIBE_EMBEDDED"] == "true"
    assert os.environ["DATABASE_URL"].startswith("postgresql://transcribe@/transcribe?host=/")
    assert os.environ["SECRET_KEY"] == environment.secret_key(data)
    assert environment.given() == {}
    assert environment.needs_stack()


def test_what_the_operator_chose_stays_theirs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/house")
    environment.prepare(["manage.py", "up"])
    assert environment.given() == {"DATABASE_URL": "postgresql://elsewhere/house"}
    assert not environment.needs_stack()


def test_a_choice_in_a_file_is_a_choice_too(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "url").write_text("postgresql://elsewhere/house\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(data / "url"))
    environment.prepare(["manage.py", "up"])
    assert environment.given() == {"DATABASE_URL": "postgresql://elsewhere/house"}
    assert not environment.needs_stack()
    assert "DATABASE_URL" not in os.environ


def test_the_secret_key_is_made_once_and_private(data: Path) -> None:
    first = environment.secret_key(data)
    assert len(first) >= 32
    assert environment.secret_key(data) == first
    assert (data / "secret-key").stat().st_mode & 0o077 == 0


def test_while_it_starts_other_commands_are_told_to_wait_and_a_second_start_is_refused(data: Path) -> None:
    stack = Stack(data)
    stack._take_lock()
    with pytest.raises(SystemExit, match="just starting"):
        environment.prepare(["manage.py", "shell"])
    with pytest.raises(StackError, match=f"It runs already: process {os.getpid()}"):
        Stack(data).start()
    stack.stop()
    assert environment.running(data) is None


def test_a_data_folder_for_each_checkout() -> None:
    assert places.keyed(Path("/a")) != places.keyed(Path("/b"))


def test_only_missing_folders_get_our_mode(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir(mode=0o755)
    places.make(outer / "inner" / "most", 0o700)
    assert [path.stat().st_mode & 0o777 for path in (outer, outer / "inner", outer / "inner" / "most")] == [
        0o755, 0o700, 0o700,
    ]  # fmt: skip


def test_reachable_reads_the_modes_of_every_step(tmp_path: Path) -> None:
    stranger, inner = os.geteuid() + 1, tmp_path / "inner"
    inner.mkdir(mode=0o755)
    assert not places.reachable(inner, stranger, [])  # pytest's folder is closed to others
    root = Path("/usr/bin")
    assert places.reachable(root, stranger, [])
