import pytest

from jobs.errors import JobError
from jobs.models import Checkpoint
from jobs.services.checkpoints import admit_checkpoint, confirm_checkpoint

pytestmark = pytest.mark.django_db


def test_the_first_load_records_the_hash_and_the_same_hash_is_welcome() -> None:
    admit_checkpoint("base", "a" * 64)
    admit_checkpoint("base", "a" * 64)
    assert Checkpoint.objects.get(name="base").sha256 == "a" * 64


def test_other_weights_under_a_known_name_are_refused_until_confirmed() -> None:
    admit_checkpoint("base", "a" * 64)
    with pytest.raises(JobError) as refusal:
        admit_checkpoint("base", "b" * 64)
    assert refusal.value.code == "model_changed"
    assert "confirm_model base" in refusal.value.detail
    confirm_checkpoint("base", "b" * 64)
    admit_checkpoint("base", "b" * 64)
    assert Checkpoint.objects.get(name="base").confirmed_at is not None
