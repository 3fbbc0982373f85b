from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from jobs.errors import BadUpload, TooLarge
from jobs.models import Job, Upload
from jobs.services.options import Options
from jobs.services.take_in import take_in


def test_a_file_on_disk_becomes_a_job_and_stays_where_it_was(alice: User, media: Path, tmp_path: Path) -> None:
    source = tmp_path / "talk.mp3"
    source.write_bytes(b"sound" * 1000)
    job = take_in(source, owner_id=alice.pk, title="talk.mp3", options=Options(language="en"))
    assert (job.owner_id, job.size, job.path.read_bytes()) == (alice.pk, 5000, b"sound" * 1000)
    assert source.exists()


@pytest.mark.parametrize(("content", "refusal"), [(b"", BadUpload), (b"x" * 11, TooLarge)])
def test_a_refused_file_leaves_nothing(
    content: bytes, refusal: type[Exception], alice: User, media: Path, tmp_path: Path, settings: Any
) -> None:
    settings.UPLOAD_LIMIT_BYTES = 10
    source = tmp_path / "talk.mp3"
    source.write_bytes(content)
    with pytest.raises(refusal):
        take_in(source, owner_id=alice.pk, title="talk.mp3", options=Options())
    assert not Upload.objects.exists()
    assert not Job.objects.exists()
    assert not any(path.is_file() for path in media.rglob("*"))
