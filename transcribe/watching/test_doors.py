"""`/readyz` and `/metrics` through the whole application."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from jobs.models import Job, Worker
from jobs.uploads.wire import App, Receive, Scope, Send
from transcribe.asgi import application
from transcribe.embedded.ports import free_port
from transcribe.serving import Communicator
from transcribe.watching import ready
from transcribe.watching.doors import metrics
from transcribe.watching.doors import ready as ready_door
from transcribe.watching.requests import Watched

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "q8-a-token-of-many-different-characters"


def scope(path: str, client: str = "127.0.0.1", method: str = "GET", **headers: str) -> dict[str, Any]:
    sent = {"host": "127.0.0.1:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "client": (client, 1),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }


async def ask(app: Any, asked: dict[str, Any]) -> tuple[int, str]:
    talk = Communicator(app, asked)
    await talk.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await talk.receive_output(20)
    return start["status"], (await talk.receive_output(20))["body"].decode()


async def readiness(app: App | None = None) -> tuple[int, dict[str, Any]]:
    status, body = await ask(app or ready_door(), scope("/readyz"))
    return status, json.loads(body)


@pytest.fixture
def place(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    settings.DISK_RESERVE_BYTES = 1
    settings.TEMPORAL_ADDRESS = f"127.0.0.1:{free_port()}"
    ready._migrated = False
    return tmp_path


async def test_without_temporal_it_is_degraded_and_still_ready(
    place: Path, temporal_address: str, settings: Any
) -> None:
    all_well = dict.fromkeys(("database", "migrations", "media", "disk", "temporal"), "ok")
    assert await readiness() == (200, {"status": "degraded", "parts": {**all_well, "temporal": "down"}})
    settings.TEMPORAL_ADDRESS = temporal_address
    assert await readiness() == (200, {"status": "ok", "parts": all_well})
    settings.DISK_RESERVE_BYTES = 1 << 60
    assert await readiness() == (200, {"status": "degraded", "parts": {**all_well, "disk": "low"}})


async def test_without_a_folder_it_can_write_to_it_is_not_ready(place: Path, settings: Any) -> None:
    (place / "file").touch()
    settings.MEDIA_ROOT = place / "file"  # in the place of the folder, so nothing can be made in it, even by root
    status, said = await readiness()
    assert (status, said["status"], said["parts"]["media"]) == (503, "down", "down")


async def test_a_migration_that_is_not_applied_is_seen_and_one_that_was_is_believed(place: Path) -> None:
    applied = MigrationRecorder.Migration.objects.filter(app="jobs").order_by("-name")
    newest = await applied.afirst()
    assert newest is not None
    await applied.filter(pk=newest.pk).adelete()
    try:
        status, said = await readiness()
        assert (status, said["parts"]["migrations"]) == (503, "missing")
    finally:
        await database_sync_to_async(newest.save)(force_insert=True)
    assert (await readiness())[0] == 200


async def test_a_database_that_is_away_makes_it_unready_and_leaves_metrics_that_say_so(
    place: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {**connections.settings["default"], "HOST": "127.0.0.1", "PORT": free_port()}
    monkeypatch.setitem(connections.settings, "default", away)
    status, said = await readiness()
    assert (status, said["status"]) == (503, "down")
    assert (said["parts"]["database"], said["parts"]["migrations"]) == ("down", "unknown")
    page = await page_of(metrics())
    assert page["transcribe_database_up"] == {(): 0}
    assert "transcribe_runs" not in page


async def page_of(app: Any = application) -> dict[str, dict[tuple[str, ...], float]]:
    """By name of the metric, then by values of its labels."""
    status, text = await ask(app, scope("/metrics"))
    assert status == 200
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


async def test_metrics_say_how_the_work_stands(
    alice: User, make_job: Callable[..., Job], make_worker: Callable[..., Worker]
) -> None:
    from channels.db import database_sync_to_async

    def rows() -> None:
        make_job(alice, state="queued", title="xylophone.mp3")
        make_job(alice, state="failed", reason="not_media", finished_at=timezone.now())
        make_worker("small", slots=2, speed=3.0)

    await database_sync_to_async(rows)()
    page = await page_of(metrics())
    assert page["transcribe_database_up"] == {(): 1}
    assert page["transcribe_runs"][("queued",)] == page["transcribe_runs"][("failed",)] == 1
    assert page["transcribe_queue_length"] == {(): 1}
    assert page["transcribe_failed_1d"] == {("not_media",): 1, ("other",): 0}
    assert page["transcribe_speed"] == {("small",): 6}
    assert page["process_resident_memory_bytes"][()] > 0
    _status, text = await ask(metrics(), scope("/metrics"))
    assert "xylophone" not in text


async def test_a_page_that_was_read_is_kept_for_a_moment(alice: User, make_job: Callable[..., Job]) -> None:
    door = metrics()
    before = (await page_of(door))["transcribe_queue_length"]
    await database_sync_to_async(make_job)(alice, state="queued")
    assert (await page_of(door))["transcribe_queue_length"] == before


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({}, 200),
        ({"client": "::1", "host": "[::1]:8000"}, 200),
        ({"host": "localhost"}, 200),
        ({"client": "10.0.0.7"}, 404),
        ({"host": "rebound.example"}, 404),
        ({"x_forwarded_for": "127.0.0.1"}, 404),
        ({"forwarded": "for=127.0.0.1"}, 404),
        ({"authorization": f"Bearer {TOKEN}", "client": "10.0.0.7"}, 404),  # none is set, so none counts
    ],
)
async def test_without_a_token_only_this_machine_reads_them(told: dict[str, str], status: int) -> None:
    found, body = await ask(application, scope("/metrics", **told))
    assert found == status
    assert ("transcribe_" in body) is (status == 200)


@pytest.mark.parametrize(
    ("sent", "status"),
    [(f"Bearer {TOKEN}", 200), ("Bearer ", 404), (f"Bearer {TOKEN}x", 404), (TOKEN, 404), ("", 404)],
)
async def test_a_token_is_asked_of_everybody_once_it_is_set(settings: Any, sent: str, status: int) -> None:
    settings.METRICS_TOKEN = TOKEN
    for client in ("127.0.0.1", "10.0.0.7"):
        assert (await ask(application, scope("/metrics", client, authorization=sent)))[0] == status


async def test_requests_sockets_and_uploads_are_counted_and_lines_name_routes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        taken = await receive() if scope["type"] == "http" else {}
        inside.append(await page_of(metrics()))
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": taken.get("body", b"")})

    inside: list[dict[str, dict[tuple[str, ...], float]]] = []
    before = await page_of(metrics())
    with caplog.at_level(logging.INFO, "transcribe.watching.requests"):
        status, _ = await ask(Watched(answers), scope("/sign-in/link/u/xylophone/", method="POST"))
        talk = Communicator(Watched(answers), scope("/api/v1/upload", method="POST"))
        await talk.send_input({"type": "http.request", "body": b"12345", "more_body": False})
        await talk.wait(20)
        live = Communicator(Watched(answers), {**scope("/live/"), "type": "websocket"})
        await live.wait(20)
    assert status == 418
    first, upload, socket = inside
    assert upload["transcribe_uploads_in_flight"] == {(): 1}
    assert first["transcribe_uploads_in_flight"] == {(): 0}
    assert socket["transcribe_sockets_open"][()] == before["transcribe_sockets_open"][()] + 1
    after = await page_of(metrics())
    name = "transcribe_uploaded_bytes"
    assert after[name][()] == before[name][()] + 5
    assert after["transcribe_requests"][("POST", "418")] == 2
    lines = [record.getMessage() for record in caplog.records if record.name == "transcribe.watching.requests"]
    assert lines == ["POST /sign-in/link/<str:uid>/<str:token>/ 418", "POST /api/v1/upload 418"]


async def test_a_request_that_breaks_is_counted_as_such(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    with caplog.at_level(logging.INFO, "transcribe.watching.requests"), pytest.raises(RuntimeError):
        await Communicator(Watched(breaks), scope("/upload")).wait(20)
    assert [record.getMessage() for record in caplog.records] == ["GET /upload 500"]
