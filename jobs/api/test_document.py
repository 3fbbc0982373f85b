"""`docs/api.md` says the truth: its lines are run as they stand, against the real web server."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from accounts import personal
from accounts.grants import Grant
from accounts.models import User
from jobs.hearing import hear, worker
from jobs.models import Job, Run
from jobs.services.finish import finish
from transcribe.serving import Server

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_every_line_of_the_page_runs(server: Server, alice: User, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    recording = tmp_path / "talk.mp3"
    recording.write_bytes(os.urandom(200_000))
    environment = os.environ | {
        "SERVER": f"http://127.0.0.1:{server.port}",
        "TOKEN": personal.make(alice, "script", frozenset(Grant), 1)[1],
        "FILE": str(recording),
    }
    script = ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)]
    with worker(hear_at_first, runs=8):
        done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "talk.txt").read_text().split() == ["Eins", "zwei.", "Drei.", "Vier", "fünf."]
    assert len(blocks) >= 9
    assert Job.objects.filter(owner=alice).count() == 5, (
        "one deleted; one heard with care, one under a key, one by tus, two through /v1 left"
    )


def hear_at_first(run: Run) -> None:
    """What is asked for again stays under way, so that the page can cancel it, however slow it is to ask."""
    if run.number == 1:
        hear(run)
    elif run.parent is not None:  # a part in which nobody speaks
        finish(run.pk, attempt=1, worker="test")
