"""Replaced weights are refused until the operator confirms them."""

import hashlib
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from jobs.errors import JobError
from jobs.models import Checkpoint
from jobs.services.checkpoints import admit_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "house.pt"
    path.write_bytes(b"second")
    admit_checkpoint("house", hashlib.sha256(b"first").hexdigest())
    return path


def confirm(*arguments: str) -> str:
    out = StringIO()
    call_command("confirm_model", *arguments, stdout=out)
    return out.getvalue()


def test_confirmed_weights_are_admitted(weights: Path) -> None:
    second = hashlib.sha256(b"second").hexdigest()
    with pytest.raises(JobError, match="confirm_model house"):
        admit_checkpoint("house", second)
    said = confirm("house", "--file", str(weights), "--yes")
    assert hashlib.sha256(b"first").hexdigest() in said
    assert second in said
    admit_checkpoint("house", second)
    assert Checkpoint.objects.get().confirmed_at is not None


def test_unchanged_weights_need_no_confirmation(weights: Path) -> None:
    weights.write_bytes(b"first")
    assert "Nothing to confirm" in confirm("house", "--file", str(weights))
    assert Checkpoint.objects.get().confirmed_at is None


def test_a_no_changes_nothing(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    with pytest.raises(CommandError, match="Not confirmed"):
        confirm("house", "--file", str(weights))
    assert Checkpoint.objects.get().sha256 == hashlib.sha256(b"first").hexdigest()


def test_an_unknown_name_lists_the_recorded_ones(weights: Path) -> None:
    with pytest.raises(CommandError, match="Recorded names: house"):
        confirm("hose", "--file", str(weights))


def test_the_configured_model_is_found_without_a_file(weights: Path) -> None:
    Checkpoint.objects.update(name="demo")
    assert "Confirmed" in confirm("demo", "--yes")
