import hashlib
from pathlib import Path

import pytest

from worker.engine.base import EngineRefused
from worker.engine.files import find_checkpoint, sha256_of


def test_every_name_of_openai_whisper_is_looked_up_where_it_downloads_to(tmp_path: Path) -> None:
    import whisper

    for name, address in whisper._MODELS.items():
        file = tmp_path / Path(address).name
        file.touch()
        assert find_checkpoint(name, tmp_path) == file


def test_a_path_is_itself(tmp_path: Path) -> None:
    (tmp_path / "own.pt").touch()
    assert find_checkpoint(str(tmp_path / "own.pt")) == tmp_path / "own.pt"


@pytest.mark.parametrize("model", ["base", "missing.pt", "../base", "/etc/passwd"])
def test_what_is_not_there_is_refused_with_a_sentence(tmp_path: Path, model: str) -> None:
    (tmp_path.parent / "base.pt").touch()
    with pytest.raises(EngineRefused) as refused:
        find_checkpoint(model, tmp_path)
    assert refused.value.code == "checkpoint_missing"
    assert refused.value.detail.endswith(".")


def test_sha256(tmp_path: Path) -> None:
    content = b"x" * 3_000_000
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()
