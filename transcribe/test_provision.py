"""Finding a browser, or naming what to install; and the programs behind `poe bench` and `poe prove`."""

import os
from pathlib import Path

import pytest

from transcribe import clamav, programs, provision, testing
from transcribe.embedded import places


def put(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, and nothing downloaded by Playwright."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    return tmp_path


def test_chromium_on_path_is_taken(path: Path) -> None:
    browser = put(path / "google-chrome")
    assert provision.bring_browser(lambda _line: None) == browser


def test_without_any_browser_it_fails_and_names_the_package(path: Path) -> None:
    said: list[str] = []
    with pytest.raises(RuntimeError, match="Install the package `chromium`"):
        provision.bring_browser(said.append)
    assert any("Playwright" in line for line in said)


def test_debians_package_is_the_last_resort(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root: apt-get stands in for itself by a script that puts the program where the package would."""
    monkeypatch.setattr(places, "is_root", lambda: True)
    browser = path / "chromium"
    script = f'#!/bin/sh\nif [ "$1" = install ]; then echo > {browser}; /bin/chmod 755 {browser}; fi\n'
    put(path / "apt-get", script)
    provision._install_package(lambda _line: None)
    assert provision.find_browser() == browser


def test_the_virus_scanner_is_found_or_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "is_root", lambda: False)
    monkeypatch.setattr(clamav, "ELSEWHERE", str(path / "sbin"))
    with pytest.raises(RuntimeError, match="Install the package `clamav-daemon`"):
        provision.bring_scanner(lambda _line: None)
    (path / "sbin").mkdir()
    scanner = put(path / "sbin" / "clamd")
    assert provision.bring_scanner(lambda _line: None) == scanner


def test_a_command_that_is_not_there_or_fails_is_said(path: Path) -> None:
    said: list[str] = []
    assert not provision._try([str(put(path / "broken", "#!/bin/sh\necho why >&2\nexit 1\n"))], said.append)
    assert "why" in said[0]


def test_an_unknown_program_lists_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("speed.py", "prove_kills.py", "_shared.py", "test_speed.py"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(programs, "FOLDER", tmp_path)
    assert programs.main("bench", ["nothing"]) == 2
    assert programs.main("prove", []) == 2
    assert capsys.readouterr().err.splitlines() == [
        "Usage: uv run poe bench NAME. There is: speed.",
        "Usage: uv run poe prove NAME. There is: kills.",
    ]


def test_ci_runs_what_a_newcomer_runs() -> None:
    script = places.CHECKOUT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line.split(" ||")[0] for line in script.read_text().splitlines() if line.startswith('"$uv"')]
    assert commands == ['"$uv" run poe test', '"$uv" run poe lint']


@pytest.mark.parametrize(
    ("codes", "code"),
    [([0, 0], 0), ([1, 0], 1), ([0, 1], 1), ([0, 5], 0), ([5, 0], 0), ([5, 2], 2), ([5], 5), ([-9], -9)],
)
def test_a_failure_in_either_pass_fails(codes: list[int], code: int) -> None:
    assert provision.verdict(codes) == code


def test_every_pass_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    put(tmp_path / "own.ini", "[pytest]\n")
    said = [put(tmp_path / f"test_{index}.py", f"def test_it():\n    assert {index}\n") for index in (0, 1)]
    assert provision.run([["-q", "-c", str(tmp_path / "own.ini"), str(path)] for path in said]) == 1


def test_the_process_that_hands_out_tests_has_no_database(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(pytestconfig.known_args_namespace, "numprocesses", 2)
    assert testing._hands_out(pytestconfig)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert not testing._hands_out(pytestconfig)
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    monkeypatch.setattr(pytestconfig.known_args_namespace, "numprocesses", None)
    assert not testing._hands_out(pytestconfig)
