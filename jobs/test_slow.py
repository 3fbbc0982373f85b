"""The operators' page "Why is it slow?": its one answer in each situation, its figures, and who sees it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.models import User
from jobs.admin.answer import answer
from jobs.admin.standing import standing
from jobs.models import Job, Run, Window, Worker

Make = Callable[..., Job]


@pytest.fixture
def operator(client: Client, charlie: User) -> Client:
    client.force_login(charlie)
    return client


def said() -> str:
    return answer(standing())


def queued(owner: User, make_job: Make, count: int, seconds: float | None = 600.0, **fields: Any) -> None:
    for _ in range(count):
        job = make_job(owner, **fields)
        Job.objects.filter(pk=job.pk).update(duration=seconds)


def busy(owner: User, make_job: Make, *, left: float = 300.0) -> Run:
    """A run in the hands of an engine."""
    run = make_job(owner, state="running", stage="transcribing").runs.get()
    Window.objects.create(run=run, index=0, span=0, batch=0, start=0, end=left, attempts=1)
    return run


def test_nothing_waits(alice: User, make_job: Make, make_worker: Callable[..., Worker]) -> None:
    make_worker()
    assert said() == "Nothing waits."
    busy(alice, make_job)
    assert said() == "Nothing waits. 1 recording is being transcribed."


def test_no_worker(alice: User, make_job: Make, make_worker: Callable[..., Worker]) -> None:
    make_worker(ended_at=timezone.now())
    assert said() == "No worker is alive: start one with `manage.py worker`."
    queued(alice, make_job, 2)
    assert said().endswith("`manage.py worker`. 2 recordings wait for it.")


def test_no_worker_with_the_model(alice: User, make_job: Make, make_worker: Callable[..., Worker]) -> None:
    make_worker("small")
    queued(alice, make_job, 1)
    assert said() == (
        "1 recording waits for the model demo, which no worker has. "
        "Start a worker with it: `manage.py worker --model demo`."
    )


def test_a_full_disk(alice: User, make_job: Make, make_worker: Callable[..., Worker], settings: Any) -> None:
    make_worker()
    queued(alice, make_job, 1)
    settings.DISK_RESERVE_BYTES = 1 << 60
    assert said().startswith("The disk is nearly full, so nothing new begins.")


def test_work_that_nobody_begins(alice: User, make_job: Make, make_worker: Callable[..., Worker]) -> None:
    make_worker()
    queued(alice, make_job, 1)
    assert said() == "1 recording waits. There is room, so it goes on in a moment."
    Run.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert said().startswith("Recordings wait although workers have room. Temporal may be away")


def test_busy_workers_and_when_the_last_begins(alice: User, make_job: Make, make_worker: Callable[..., Worker]) -> None:
    make_worker(slots=1, speed=None)
    busy(alice, make_job)
    queued(alice, make_job, 1)
    assert said() == "1 recording waits because the only worker is busy."
    Worker.objects.update(speed=2.0)
    assert said().endswith("is busy. At the present speed it begins in about 2 min.")
    make_worker(slots=1, speed=0.0, host="other")
    busy(alice, make_job)
    queued(alice, make_job, 3)  # before the last: 3 of 600 s, and 600 s under way, at 2 s a second
    assert said() == (
        "4 recordings wait because both workers are busy. At the present speed the last begins in about 20 min."
    )
    queued(alice, make_job, 4, seconds=None)  # as long as the others, as far as anybody knows
    make_worker(slots=1, speed=0.0, host="third")
    busy(alice, make_job, left=0.0)
    assert said() == (
        "8 recordings wait because all 3 workers are busy. At the present speed the last begins in about 40 min."
    )
    with translation.override("de"):
        assert said().startswith("8 Aufnahmen warten, weil alle 3 Worker beschäftigt sind. Beim jetzigen Tempo")


def test_the_page_says_what_workers_do_and_what_failed(
    operator: Client, alice: User, make_job: Make, make_worker: Callable[..., Worker]
) -> None:
    run = busy(alice, make_job)
    Window.objects.create(run=run, index=1, span=0, batch=0, start=300, end=600, done_at=timezone.now())
    make_worker(slots=2, speed=3.0, runs=[str(run.pk)])
    failed = {"state": "failed", "finished_at": timezone.now()}
    make_job(alice, title="private.mp3", reason="no_audio", detail="This file has no sound.", **failed)
    page = " ".join(operator.get("/admin/slow/").content.decode().replace("\xa0", " ").split())
    assert "<dd>1.0 <small>minutes a minute</small>" in page
    assert "<dd>1 <small>of 2</small>" in page
    assert f"{str(run.pk)[:8]}</a> Writing down what is said: 50 % done" in page
    assert "<code>no_audio</code></a></th><td>This file has no sound.</td>" in page
    assert "private" not in page
    assert 'href="/admin/slow/"' in operator.get("/admin/").content.decode()


def test_it_asks_as_often_for_much_as_for_little(
    operator: Client, alice: User, make_job: Make, make_worker: Callable[..., Worker]
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert operator.get("/admin/slow/").status_code == 200
        return len(found)

    def more() -> None:
        make_worker(f"model-{Worker.objects.count()}", runs=[str(busy(alice, make_job).pk)])
        queued(alice, make_job, 1)
        make_job(alice, state="failed", reason=f"r{Run.objects.count()}", finished_at=timezone.now())

    more()
    few = queries()
    for _ in range(8):
        more()
    assert queries() == few


def test_it_is_for_operators_alone(client: Client, alice: User, charlie: User) -> None:
    assert client.get("/admin/slow/").status_code == 302
    client.force_login(alice)
    assert client.get("/admin/slow/").status_code == 404
    User.objects.filter(pk=charlie.pk).update(is_superuser=False)
    client.force_login(charlie)
    assert client.get("/admin/slow/").status_code == 404
