"""The order in which the server's program is looked for. Programs are small scripts, downloads meet a dead proxy."""

import os
from pathlib import Path

import pytest

from transcribe.embedded.temporal_binary import VERSION, kept, temporal_binary

GO = """#!/bin/sh
test "$*" = "install github.com/temporalio/cli/cmd/temporal@{version}" || exit 2
printf '#!/bin/sh\\n' > "$GOBIN/temporal"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, an empty cache, and no way out to the network."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TEMPORAL_CLI_PATH", raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return folder


def put(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_named_program_comes_first(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs / "temporal")
    named = put(tmp_path / "mine")
    monkeypatch.setenv("TEMPORAL_CLI_PATH", str(named))
    assert temporal_binary() == named


def test_a_wrong_name_is_an_error(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs / "temporal")
    monkeypatch.setenv("TEMPORAL_CLI_PATH", "/nowhere/temporal")
    with pytest.raises(RuntimeError, match="TEMPORAL_CLI_PATH names /nowhere/temporal"):
        temporal_binary()


def test_path_comes_before_the_kept_copy(programs: Path) -> None:
    put(kept())
    assert temporal_binary() == kept()
    assert temporal_binary() != put(programs / "temporal")
    assert temporal_binary() == programs / "temporal"


def test_without_network_it_is_built_with_go_and_kept(programs: Path) -> None:
    put(programs / "go", GO.format(version=VERSION))
    said: list[str] = []
    assert temporal_binary(said.append) == kept()
    assert os.access(kept(), os.X_OK)
    assert [entry.name for entry in kept().parent.iterdir()] == ["temporal"]
    assert said[0].startswith("Downloading")
    assert any("with Go" in line for line in said)
    assert temporal_binary(said.append) == kept()
    assert len(said) == 3


def test_a_failed_build_says_why_and_what_to_install(programs: Path) -> None:
    put(programs / "go", "#!/bin/sh\necho no such module >&2\nexit 1\n")
    said: list[str] = []
    with pytest.raises(RuntimeError, match="Install the Temporal CLI"):
        temporal_binary(said.append)
    assert any("no such module" in line for line in said)
    assert not kept().exists()
