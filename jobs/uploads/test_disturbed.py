"""The short form of `poe prove upload`: resets at random bytes, and the server killed and started again."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from jobs.models import Job
from transcribe.breaking import Cutter, random_places
from transcribe.embedded.ports import free_port
from transcribe.resuming import MIB
from transcribe.serving import serve, sign_in
from transcribe.stubborn import Stubborn, sha256_of

pytestmark = pytest.mark.django_db(transaction=True)
SIZE, CHUNK, CUTS, KILLS = 12 * MIB, MIB, 12, 2


def test_cuts_and_kills_lose_nothing_and_make_one_job(alice: User, tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    file = tmp_path / "recording"
    file.write_bytes(os.urandom(SIZE))
    keeper = Keeper(settings.MEDIA_ROOT)
    try:
        browser = sign_in(keeper.server, alice)
        cutter = Cutter(keeper.port, random_places(SIZE, CUTS, KILLS, seed=4), keeper.kill)
        headers = {
            "Cookie": f"sessionid={browser.session}; csrftoken={browser.secret}",
            "X-CSRFToken": browser.secret,
            "Tus-Resumable": "1.0.0",
        }
        client = Stubborn(cutter.port, headers, CHUNK)
        key = client.upload(file)
    finally:
        keeper.close()
    print(f"{cutter.passed / SIZE:.2f} x on the wire; pieces ended by {dict(client.ended)}")
    assert (cutter.cuts, cutter.kills) == (CUTS, KILLS)
    job = Job.objects.get()
    assert str(job.pk) == key
    assert (job.size, job.sha256) == (SIZE, sha256_of(file))
    assert sha256_of(job.path) == job.sha256
    assert max(client.again) <= CHUNK
    assert cutter.passed - SIZE <= (CUTS + KILLS) * CHUNK


class Keeper:
    """A server that is started again, on the same port and folder, when it was killed."""

    def __init__(self, media: Path) -> None:
        self.port, self._media = free_port(), media
        self._start()

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        self.close()
        self._start()

    def close(self) -> None:
        self._running.__exit__(None, None, None)

    def _start(self) -> None:
        self._running = serve(self._media, self.port)
        self.server = self._running.__enter__()
