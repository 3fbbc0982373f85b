"""A checkpoint comes from somewhere else: it must not run, nor take memory for what it does not hold."""

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from worker.engine.base import EngineRefused
from worker.engine.checkpoint import load_checkpoint
from worker.engine.conftest import CHECKPOINT


class Poison:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def refusal(path: Path) -> str:
    with pytest.raises(EngineRefused) as refused:
        load_checkpoint(path, "cpu")
    assert refused.value.detail.endswith(".")
    return refused.value.code


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(CHECKPOINT, weights_only=True)
    return loaded


def test_the_demo_checkpoint() -> None:
    model, sha256 = load_checkpoint(CHECKPOINT, "cpu")
    assert model.is_multilingual
    assert sha256 == hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()


@pytest.mark.parametrize("form", ["pickle", "torch", "torch, not zipped"])
def test_poison_does_not_run(tmp_path: Path, content: dict[str, Any], form: str) -> None:
    marker, path = tmp_path / "marker", tmp_path / "model.pt"
    if form == "pickle":
        path.write_bytes(pickle.dumps(Poison(marker), protocol=2))
    else:
        poisoned = content | {"extra": Poison(marker)}
        torch.save(poisoned, path, _use_new_zipfile_serialization=form == "torch")
    assert refusal(path) == "checkpoint_unreadable"
    assert not marker.exists()


@pytest.mark.parametrize("bytes_kept", [0, 100, 1_000_000])
def test_a_file_cut_short(tmp_path: Path, bytes_kept: int) -> None:
    (tmp_path / "model.pt").write_bytes(CHECKPOINT.read_bytes()[:bytes_kept])
    assert refusal(tmp_path / "model.pt") == "checkpoint_unreadable"


def test_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "model.pt") == "checkpoint_missing"


@pytest.mark.parametrize(
    "lie",
    [
        {"n_audio_state": 1_000_000, "n_text_state": 1_000_000},  # 60 TB of weights, if it were believed
        {"n_text_layer": 200},
        {"n_text_layer": 1_000_000_000},
        {"n_mels": 81},
        {"n_vocab": 7},
        {"n_audio_ctx": 3000},
        {"n_audio_head": "4"},
        {"n_text_ctx": -1},
    ],
)
def test_dimensions_that_lie(tmp_path: Path, content: dict[str, Any], lie: dict[str, Any]) -> None:
    torch.save(content | {"dims": content["dims"] | lie}, tmp_path / "model.pt")
    assert refusal(tmp_path / "model.pt") == "checkpoint_foreign"


@pytest.mark.parametrize("other", [[], {}, {"state_dict": {}}, {"dims": {}, "model_state_dict": {}}])
def test_another_kind_of_checkpoint(tmp_path: Path, other: object) -> None:
    torch.save(other, tmp_path / "model.pt")
    assert refusal(tmp_path / "model.pt") == "checkpoint_foreign"


def test_reading_one_brings_no_compiler() -> None:
    """It takes longer than torch itself, and 80 MB in each engine."""
    code = (
        "import sys; from pathlib import Path; from worker.engine.checkpoint import read_checkpoint; "
        "read_checkpoint(Path(sys.argv[1])); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code, CHECKPOINT], capture_output=True, text=True, check=True)
    assert {"torch._dynamo", "sympy"} & set(found.stdout.split()) == set()
