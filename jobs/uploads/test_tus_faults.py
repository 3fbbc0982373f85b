"""The resumable door when things go wrong: cuts, kills, two at once, a full disk. Nothing lost, nothing twice."""

import fcntl
import os
import resource
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jobs.models import Upload
from transcribe.embedded.ports import free_port
from transcribe.resuming import CONTENT, MIB, Tus, piece, the_one_job
from transcribe.serving import LOCK_WAIT_SECONDS, Browser, serve

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_repeated_last_patch_makes_one_job(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    tus.patch(path, 0, CONTENT[:MIB])
    answers = [tus.patch(path, MIB, CONTENT[MIB:]) for _ in range(3)]
    answers += [tus.patch(path, len(CONTENT), b""), tus.ask("HEAD", path)]
    job = the_one_job(tus)
    assert [answer.status for answer in answers] == [204, 204, 204, 204, 200]
    for answer in answers:
        assert answer.headers["upload-offset"] == answer.headers["upload-length"] == str(len(CONTENT))
        assert answer.headers["x-job"] == f"/jobs/{job.pk}/"
    assert tus.patch(path, 0, CONTENT[:MIB]).status == 409
    assert tus.ask("DELETE", path).status == 409
    the_one_job(tus)


def test_an_upload_whose_server_died_at_the_last_step_is_completed(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    tus.file(path).write_bytes(CONTENT)
    assert tus.offset(path) == len(CONTENT)
    the_one_job(tus)


def test_a_cut_keeps_what_arrived(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    with tus.half_sent(path, 0, CONTENT[: 2 * MIB + 5], len(CONTENT)):
        pass
    kept = tus.offset(path)
    assert MIB + 5 <= kept <= 2 * MIB + 5
    assert Upload.objects.get().offset == kept == tus.file(path).stat().st_size
    assert tus.patch(path, kept, CONTENT[kept:]).status == 204
    the_one_job(tus)


def test_a_client_that_falls_silent_is_dropped_and_its_bytes_kept(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    answer = tus.ask("PATCH", path, piece(0, len(CONTENT)), [CONTENT[:1000]])
    assert (answer.status, answer.content["code"]) == (408, "too_slow")
    assert tus.offset(path) == 1000


def test_a_newcomer_takes_over_from_a_connection_that_hangs(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    with tus.half_sent(path, 0, CONTENT[: 2 * MIB], len(CONTENT)) as connection:
        kept = tus.offset(path)
        assert b'"code": "interrupted"' in b"".join(iter(lambda: connection.recv(MIB), b""))
    assert MIB <= kept <= 2 * MIB
    assert tus.patch(path, kept, CONTENT[kept:]).status == 204
    the_one_job(tus)


def test_a_request_that_was_overtaken_disturbs_nobody(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    with tus.half_sent(path, 0, CONTENT[: 2 * MIB], len(CONTENT)) as connection:
        assert tus.patch(path, 0, CONTENT).status == 409
        connection.sendall(CONTENT[2 * MIB :])
        assert connection.recv(MIB).startswith(b"HTTP/1.1 204")
    the_one_job(tus)


def test_a_writer_that_does_not_yield_locks_the_upload(tus: Tus) -> None:
    path = tus.create(10)
    with tus.file(path).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for answer in (tus.patch(path, 0, b"1"), tus.ask("HEAD", path), tus.ask("DELETE", path)):
            assert answer.status == 423
        began = time.monotonic()
        tus.ask("HEAD", path)
        assert time.monotonic() - began >= LOCK_WAIT_SECONDS
    assert tus.offset(path) == 0


def test_clients_that_fight_for_an_upload_make_one_whole_file(tus: Tus) -> None:
    """Each asks where it is and sends the rest, again and again, until it is told that the recording is there."""
    path = tus.create(len(CONTENT))

    def stubborn(_: int) -> str:
        while True:
            answer = tus.ask("HEAD", path)
            if "x-job" in answer.headers:
                return answer.headers["x-job"]
            if answer.status == 200:
                offset = int(answer.headers["upload-offset"])
                tus.patch(path, offset, CONTENT[offset : offset + MIB // 2])

    with ThreadPoolExecutor(3) as clients:
        told = set(clients.map(stubborn, range(3)))
    assert told == {f"/jobs/{the_one_job(tus).pk}/"}


def test_a_full_disk_keeps_what_fitted(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    sizes = resource.prlimit(tus.server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(tus.server.pid, resource.RLIMIT_FSIZE, (2 * MIB, sizes[1]))
    try:
        answer = tus.patch(path, 0, CONTENT)
    finally:
        resource.prlimit(tus.server.pid, resource.RLIMIT_FSIZE, sizes)
    assert (answer.status, answer.content["code"]) == (507, "storage_full")
    kept = tus.offset(path)
    assert kept == 2 * MIB
    assert tus.patch(path, kept, CONTENT[kept:]).status == 204
    the_one_job(tus)


def test_a_killed_server_tells_the_truth_when_it_is_back(tus: Tus, tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    port = free_port()
    with serve(tmp_path, port) as server:
        doomed = Tus(Browser(server, tus.browser.session, tus.browser.secret))
        path = doomed.create(len(CONTENT))
        doomed.patch(path, 0, CONTENT[:100])
        with doomed.half_sent(path, 100, CONTENT[100 : 2 * MIB + 100], len(CONTENT) - 100):
            os.kill(server.pid, signal.SIGKILL)
    with serve(tmp_path, port) as server:
        again = Tus(Browser(server, tus.browser.session, tus.browser.secret))
        kept = again.offset(path)
        assert kept == Upload.objects.get().offset == again.file(path).stat().st_size
        assert kept >= MIB + 100
        assert again.patch(path, kept, CONTENT[kept:]).status == 204
        the_one_job(again)
