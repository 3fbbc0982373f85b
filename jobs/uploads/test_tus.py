"""The resumable door over a real server: what it speaks, and what it refuses."""

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from django.utils import timezone
from tusclient.client import TusClient

from accounts.models import User
from jobs.models import Job, Upload, Worker
from jobs.services.options import Options
from jobs.services.sweep import sweep
from transcribe.resuming import BASE, CONTENT, MIB, Tus, metadata, piece, the_one_job
from transcribe.serving import LIMIT, Server, chunked, zeros

pytestmark = pytest.mark.django_db(transaction=True)


def test_anyone_may_ask_what_the_door_can(server: Server) -> None:
    answer = server.send(f"OPTIONS {BASE} HTTP/1.1\nHost: 127.0.0.1:{server.port}\n\n")
    assert answer.status == 204
    assert answer.headers["tus-version"] == answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(LIMIT)
    assert set(answer.headers["tus-extension"].split(",")) >= {"creation", "termination", "expiration"}


def test_pieces_become_a_job(tus: Tus, alice: User) -> None:
    told = metadata(filename="../über\u202e.mp3", filetype="audio/mpeg", language="de")
    path = tus.create(len(CONTENT), {"Upload-Metadata": told})
    assert tus.offset(path) == 0
    first = tus.patch(path, 0, CONTENT[:MIB])
    assert (first.status, first.headers["upload-offset"]) == (204, str(MIB))
    assert first.headers["upload-expires"].endswith("GMT")
    assert "x-job" not in first.headers
    assert "connection" not in first.headers  # the next piece may use the same one
    assert tus.ask("HEAD", path).headers["upload-metadata"] == told
    last = tus.patch(path, MIB, CONTENT[MIB:])
    job = the_one_job(tus)
    assert (last.status, last.headers["x-job"]) == (204, f"/jobs/{job.pk}/")
    assert (job.owner, job.title) == (alice, "über.mp3")
    assert job.current_run is not None
    assert job.current_run.options == Options("de").as_json()
    assert tus.listed() == []


def test_refusals_are_said_in_the_language_of_the_reader(tus: Tus) -> None:
    asked = {"Upload-Length": "10", "Upload-Metadata": metadata(language="klingon"), "Accept-Language": "de"}
    assert "Es gibt keine Sprache „klingon“" in tus.ask("POST", BASE, asked).content["detail"]
    assert "There is no language" in tus.ask("POST", BASE, {**asked, "Accept-Language": "xx"}).content["detail"]


def test_an_upload_is_not_lost_with_the_worker_it_was_meant_for(tus: Tus, make_worker: Callable[..., Worker]) -> None:
    make_worker("demo")
    large = make_worker("large")
    path = tus.create(
        len(CONTENT), {"Upload-Metadata": metadata(model="large", task="translate", hot_words="Łódź", beam="5")}
    )
    large.delete()
    assert tus.patch(path, 0, CONTENT).status == 204
    run = the_one_job(tus).current_run
    assert run is not None
    assert (run.model, run.task, run.language) == ("large", "translate", "")
    assert (run.options["hot_words"], run.options["beam"]) == ("Łódź", 5)


def test_what_can_go_on_is_listed(tus: Tus, stranger: Tus, alice: User) -> None:
    path = tus.create(10, {"Upload-Metadata": metadata(name="talk.mp3")})
    tus.patch(path, 0, b"1234")
    Upload.objects.create(owner=alice, title="one-shot", expires_at=timezone.now() + timedelta(hours=1))
    (entry,) = tus.listed()
    upload = Upload.objects.get(resumable=True)
    assert entry == {
        "id": str(upload.pk),
        "url": path,
        "title": "talk.mp3",
        "length": 10,
        "offset": 4,
        "expires_at": upload.expires_at.isoformat(),
    }
    assert upload.offset == 4
    assert stranger.listed() == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Tus-Resumable": ""}, 412, "wrong_version"),
        ({"Tus-Resumable": "0.2.2"}, 412, "wrong_version"),
        ({"X-CSRFToken": ""}, 403, "forbidden"),
        ({"X-CSRFToken": "x" * 32}, 403, "forbidden"),
        ({"Origin": "https://elsewhere.example"}, 403, "forbidden"),
        ({"Cookie": ""}, 401, "not_signed_in"),
        ({"Authorization": "Bearer x.y.z"}, 401, "bad_token"),
        ({"Upload-Metadata": metadata(language="klingon")}, 400, "bad_language"),
        ({"Upload-Metadata": metadata(model="large")}, 400, "model_not_offered"),
        ({"Upload-Metadata": metadata(task="summarise")}, 400, "bad_task"),
        ({"Upload-Metadata": "filename !!"}, 400, "bad_upload"),
        ({"Upload-Metadata": "filename eA==,filename eQ=="}, 400, "bad_upload"),
        ({"Upload-Metadata": "filename " + "A" * 10_000}, 400, "bad_upload"),
        ({"Upload-Length": ""}, 400, "bad_upload"),
        ({"Upload-Length": "-1"}, 400, "bad_upload"),
        ({"Upload-Length": "1e9"}, 400, "bad_upload"),
        ({"Upload-Length": "9" * 5000}, 400, "bad_upload"),
        ({"Upload-Length": "0"}, 400, "empty"),
        ({"Upload-Length": "", "Upload-Defer-Length": "1"}, 400, "bad_upload"),
        ({"Upload-Length": str(LIMIT + 1)}, 413, "too_large"),
    ],
    ids=lambda value: None if isinstance(value, str | int) else "-".join(value),
)
def test_creations_that_are_refused_leave_nothing(tus: Tus, headers: dict[str, str], status: int, code: str) -> None:
    answer = tus.ask("POST", BASE, {"Upload-Length": "10"} | headers)
    assert (answer.status, answer.content["code"]) == (status, code)
    assert answer.content["detail"].endswith(".")
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert tus.server.files() == []
    assert not Upload.objects.exists()


def test_every_change_needs_the_token_of_our_pages(tus: Tus) -> None:
    path = tus.create(10)
    for answer in (tus.patch(path, 0, b"x", {"X-CSRFToken": ""}), tus.ask("DELETE", path, {"X-CSRFToken": "y" * 32})):
        assert answer.content["code"] == "forbidden"
    assert tus.offset(path) == 0


@pytest.mark.parametrize(("method", "below"), [("PUT", True), ("GET", True), ("PATCH", False), ("DELETE", False)])
def test_other_methods_are_refused(tus: Tus, method: str, below: bool) -> None:
    path = tus.create(10)
    answer = tus.ask(method, path if below else BASE)
    assert answer.status == 405
    assert method not in answer.headers["allow"]


def test_a_method_may_come_in_a_header(tus: Tus) -> None:
    path = tus.create(10)
    assert tus.ask("POST", path, piece(0, 4) | {"X-HTTP-Method-Override": "PATCH"}, [b"1234"]).status == 204
    assert tus.offset(path) == 4


def test_creation_may_bring_the_whole_file(tus: Tus) -> None:
    headers = piece(0, len(CONTENT)) | {"Upload-Length": str(len(CONTENT))}
    answer = tus.ask("POST", BASE, headers, [CONTENT])
    assert (answer.status, answer.headers["upload-offset"]) == (201, str(len(CONTENT)))
    assert answer.headers["x-job"] == f"/jobs/{the_one_job(tus).pk}/"


def test_creation_with_more_than_announced_leaves_nothing(tus: Tus) -> None:
    for extra, body in (({}, [CONTENT]), ({"Content-Length": "", "Transfer-Encoding": "chunked"}, chunked([CONTENT]))):
        answer = tus.ask("POST", BASE, piece(0, len(CONTENT)) | {"Upload-Length": "5"} | extra, body)
        assert answer.status == 413
    assert tus.server.files() == []
    assert not Upload.objects.exists()


def test_an_aborted_upload_is_gone(tus: Tus) -> None:
    path = tus.create(10)
    tus.patch(path, 0, b"1234")
    assert tus.ask("DELETE", path).status == 204
    assert tus.server.files() == []
    for method in ("HEAD", "DELETE"):
        assert tus.ask(method, path).status == 404
    assert tus.patch(path, 4, b"5").status == 404


@pytest.mark.parametrize("offset", [0, 3, 5])
def test_a_wrong_offset_is_refused_and_nothing_kept(tus: Tus, offset: int) -> None:
    path = tus.create(10)
    tus.patch(path, 0, b"1234")
    answer = tus.patch(path, offset, b"56")
    assert (answer.status, answer.content["code"]) == (409, "wrong_offset")
    assert tus.offset(path) == 4


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Type": "video/mp4"}, 415), ({"Upload-Offset": ""}, 400), ({"Upload-Offset": "-4"}, 400)],
)
def test_a_patch_that_is_none_is_refused(tus: Tus, headers: dict[str, str], status: int) -> None:
    path = tus.create(10)
    assert tus.patch(path, 0, b"1234", headers).status == status
    assert tus.offset(path) == 0


@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
def test_nothing_is_kept_of_a_body_longer_than_promised(tus: Tus, told: bool) -> None:
    """Untold, more than fits is on disk before the excess arrives: that goes too."""
    path = tus.create(len(CONTENT))
    tus.patch(path, 0, CONTENT[:9])
    excess = [CONTENT[9:], b"more"]
    if told:
        answer = tus.patch(path, 9, b"".join(excess))
    else:
        untold = {"Content-Length": "", "Transfer-Encoding": "chunked"}
        answer = tus.ask("PATCH", path, piece(9, 0) | untold, chunked(excess))
    assert (answer.status, answer.content["code"]) == (413, "too_large")
    assert tus.offset(path) == 9
    assert tus.patch(path, 9, CONTENT[9:]).status == 204
    the_one_job(tus)


def test_the_limit_is_inclusive_and_memory_stays_flat(tus: Tus) -> None:
    step, digest = 8 * MIB, hashlib.sha256()
    tus.patch(tus.create(step), 0, bytes(step - 1))  # everything imported, every pool filled
    path = tus.create(LIMIT)
    before = highest = tus.server.memory()
    began = time.monotonic()
    for offset in range(0, LIMIT, step):
        answer = tus.ask("PATCH", path, piece(offset, step), zeros(step))
        assert answer.status == 204
        highest = max(highest, tus.server.memory())
    grown = (highest - before) / MIB
    print(f"{LIMIT >> 20} MiB in 8 MiB pieces: {time.monotonic() - began:.1f} s, memory grew by {grown:.1f} MiB")
    for block in zeros(LIMIT):
        digest.update(block)
    assert Job.objects.get().sha256 == digest.hexdigest()
    assert grown <= 64


def test_strangers_find_nothing(tus: Tus, stranger: Tus) -> None:
    path = tus.create(10)
    key = path.rpartition("/")[2]
    for place in (path, BASE + key.upper(), BASE + "{" + key + "}", BASE + "%2e%2e", BASE + "%00", BASE + "x" * 5000):
        client = stranger if place == path else tus
        assert client.ask("HEAD", place).status == 404
        assert client.patch(place, 0, b"1234").status == 404
        assert client.ask("DELETE", place).status == 404
    assert tus.offset(path) == 0


def test_an_expired_upload_cannot_go_on(tus: Tus) -> None:
    path = tus.create(10)
    tus.patch(path, 0, b"1234")
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tus.ask("HEAD", path).status == 410
    assert tus.patch(path, 4, b"5").status == 410
    assert tus.listed() == []
    assert sweep().uploads == 1
    assert tus.ask("HEAD", path).status == 404
    assert tus.server.files() == []


def test_tuspy_uploads_in_pieces_and_goes_on(tus: Tus) -> None:
    """A client that others wrote, as it is installed."""
    browser = tus.browser
    headers = {
        "Cookie": f"sessionid={browser.session}; csrftoken={browser.secret}",
        "X-CSRFToken": browser.secret,
    }
    client = TusClient(f"http://127.0.0.1:{tus.server.port}{BASE}", headers)
    told = {"filename": "talk.mp3", "filetype": "audio/mpeg", "language": "en"}
    first = client.uploader(file_stream=BytesIO(CONTENT), chunk_size=MIB, metadata=told)
    first.upload(stop_at=2 * MIB)
    assert tus.offset(str(first.url).partition(f":{tus.server.port}")[2]) == 2 * MIB
    second = client.uploader(file_stream=BytesIO(CONTENT), chunk_size=MIB, url=first.url)
    assert second.offset == 2 * MIB
    second.upload()
    assert the_one_job(tus).title == "talk.mp3"
