"""Recordings over HTTP, from the real server: the right bytes, no page, nobody else's, and nothing held on to."""

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from jobs.live import announce
from jobs.models import Job
from jobs.services.files import remove_recording
from jobs.speaking import speak
from jobs.states import Rendition
from transcribe.serving import Answer, Server, sign_in

CONTENT = bytes(range(256)) * 1000  # 256,000 bytes; each knows its place
SIZE = len(CONTENT)
PAGE = b"<!doctype html><title>mine</title><script>alert(document.domain)</script>"
Make = Callable[..., Job]


class Listener:
    """Somebody's browser, asking the server about recordings."""

    def __init__(self, server: Server, user: User | None) -> None:
        self.server = server
        self.session = sign_in(server, user).session if user else ""

    def head(self, job: Job, what: str = "media", method: str = "GET", **headers: str) -> str:
        own = {"Host": f"127.0.0.1:{self.server.port}", "Cookie": f"sessionid={self.session}", "Connection": "close"}
        named = own | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\n" for name, value in named.items())
        return f"{method} /recordings/{job.pk}/{what} HTTP/1.1\n{lines}\n"

    def ask(self, job: Job, what: str = "media", method: str = "GET", **headers: str) -> Answer:
        return self.server.send(self.head(job, what, method, **headers))


@pytest.fixture
def listener(server: Server, alice: User) -> Listener:
    return Listener(server, alice)


@pytest.fixture
def make(server: Server, make_job: Make, settings: Any) -> Make:
    """make_job, in the folder that the server looks into."""
    settings.MEDIA_ROOT = server.media
    return make_job


@pytest.fixture
def job(make: Make, alice: User) -> Job:
    return keep(make(alice, state="succeeded", content=CONTENT, title="Über\r\nuns.mp3"))


def keep(job: Job, container: str = "mp3", codec: str = "mp3", **facts: str) -> Job:
    """What the decode child would have found in it."""
    digest = hashlib.sha256(job.path.read_bytes()).hexdigest()
    Job.objects.filter(pk=job.pk).update(container=container, codec=codec, sha256=digest, **facts)
    job.refresh_from_db()
    return job


def test_the_whole_recording(listener: Listener, job: Job) -> None:
    answer = listener.ask(job)
    assert (answer.status, answer.body) == (200, CONTENT)
    wanted = {
        "content-type": "audio/mpeg",
        "content-length": str(SIZE),
        "accept-ranges": "bytes",
        "etag": f'"{job.sha256}"',
        "content-disposition": "attachment; filename*=utf-8''%C3%9Cber%20uns.mp3",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "private, no-cache",
        "vary": "Accept-Language, Cookie",
    }
    assert {name: answer.headers.get(name) for name in wanted} == wanted
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1000-1999", 1000, 1999),
        ("bytes=255999-", SIZE - 1, SIZE - 1),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=-7", SIZE - 7, SIZE - 1),
        ("bytes=-999999999", 0, SIZE - 1),
        ("bytes=255990-999999999", SIZE - 10, SIZE - 1),
    ],
)
def test_one_range(listener: Listener, job: Job, asked: str, first: int, last: int) -> None:
    answer = listener.ask(job, Range=asked)
    assert (answer.status, answer.body) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last + 1 - first)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0"])
def test_a_range_beyond_the_end(listener: Listener, job: Job, asked: str) -> None:
    answer = listener.ask(job, Range=asked)
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-2", "seconds=1-2", "bytes=x-"])
def test_what_is_not_one_range_is_the_whole(listener: Listener, job: Job, asked: str) -> None:
    answer = listener.ask(job, Range=asked)
    assert (answer.status, len(answer.body)) == (200, SIZE)
    assert "content-range" not in answer.headers


def test_a_range_counts_only_for_the_same_file(listener: Listener, job: Job) -> None:
    tag = f'"{job.sha256}"'
    for condition, status in [(tag, 206), ('"other"', 200), (f"W/{tag}", 200), ("Sun, 22 Nov 2026 10:00:00 GMT", 200)]:
        assert listener.ask(job, Range="bytes=0-9", If_Range=condition).status == status


def test_what_the_browser_has_is_not_sent_again(listener: Listener, job: Job) -> None:
    answer = listener.ask(job, If_None_Match=f'"{job.sha256}"', Range="bytes=0-9")
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", f'"{job.sha256}"')
    assert listener.ask(job, If_Match='"other"').status == 412


def test_head_tells_and_sends_nothing(listener: Listener, job: Job) -> None:
    answer = listener.ask(job, method="HEAD", Range="bytes=0-9")  # RFC 9110: a range counts for GET alone
    assert (answer.status, answer.body) == (200, b"")
    assert (answer.headers["content-length"], answer.headers["accept-ranges"]) == (str(SIZE), "bytes")


@pytest.mark.parametrize("what", ["media", "captions.vtt"])
def test_nobody_else_hears_it(client: Client, alice: User, bob: User, charlie: User, make_job: Make, what: str) -> None:
    address = f"/recordings/{make_job(alice).pk}/{what}"
    for stranger in (bob, charlie):
        client.force_login(stranger)
        assert client.get(address, headers={"Range": "bytes=0-9"}).status_code == 404
    client.logout()
    assert client.get(address)["Location"].startswith("/sign-in")


@pytest.mark.parametrize("what", ["media", "captions.vtt"])
def test_what_is_not_there_and_what_is_not_done(client: Client, alice: User, make_job: Make, what: str) -> None:
    client.force_login(alice)
    assert client.get(f"/recordings/{uuid4()}/{what}").status_code == 404
    job = make_job(alice)
    assert client.post(f"/recordings/{job.pk}/{what}").status_code == 405
    remove_recording(job)
    assert client.get(f"/recordings/{job.pk}/media").status_code == 404
    assert client.get(f"/recordings/{job.pk}/captions.vtt").status_code == 200


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "failed"])
def test_a_page_named_as_a_recording_is_never_shown(listener: Listener, alice: User, make: Make, state: str) -> None:
    hostile = make(alice, state=state, content=PAGE, title="talk.html")
    answer = listener.ask(hostile)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"].startswith("sandbox;")


def test_the_rendition_comes_in_its_place(listener: Listener, job: Job) -> None:
    before = listener.ask(job).headers["etag"]
    job.rendition_path.write_bytes(b"playable")
    keep(job, "amr", "amr_nb", rendition=Rendition.READY)
    answer = listener.ask(job, Range="bytes=0-3")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (206, b"play", "audio/mpeg")
    assert answer.headers["content-disposition"].endswith("uns.mp3")
    assert answer.headers["etag"] != before
    assert listener.ask(job, Range="bytes=0-3", If_Range=before).status == 200


def test_captions_follow_the_text(listener: Listener, job: Job) -> None:
    speak(job.current_run, ["Good <i>morning</i>."])
    answer = listener.ask(job, "captions.vtt")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/vtt; charset=utf-8")
    assert answer.body == b"WEBVTT\n\n00:00:00.000 --> 00:00:04.000\nGood &lt;i&gt;morning&lt;/i&gt;.\n\n"
    assert "content-disposition" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    assert listener.ask(job, "captions.vtt", If_None_Match=tag).status == 304
    speak(job.current_run, ["More."], start=5.0)
    announce(job.pk)
    assert b"More." in listener.ask(job, "captions.vtt", If_None_Match=tag).body


@pytest.fixture
def long_job(job: Job) -> Job:
    """256 MiB of holes: no disk is used."""
    with job.path.open("r+b") as file:
        file.truncate(256 << 20)
    return job


def test_a_long_recording_is_sent_at_flat_memory(listener: Listener, long_job: Job) -> None:
    server = listener.server
    listener.ask(long_job, Range="bytes=0-9")
    before, received = server.memory(), 0
    with closing(server.connect()) as reader:
        reader.sendall(listener.head(long_job, Range="bytes=10-").replace("\n", "\r\n").encode())
        while piece := reader.recv(1 << 20):
            received += len(piece)
    assert received > (256 << 20) - 10
    assert server.memory() - before < 16 << 20


def test_a_paused_player_holds_no_database_connection_and_a_gone_one_no_file(listener: Listener, long_job: Job) -> None:
    server = listener.server
    head = listener.head(long_job).replace("\n", "\r\n").encode()
    idle = connections()
    readers = [server.connect() for _ in range(20)]
    for reader in readers:
        reader.sendall(head)
        assert reader.recv(12) == b"HTTP/1.1 200"
    try:
        wait_until(lambda: opened(server, long_job) == 20)
        wait_until(lambda: connections() <= idle)
    finally:
        for reader in readers:
            reader.close()
    wait_until(lambda: opened(server, long_job) == 0)


def opened(server: Server, job: Job) -> int:
    """How often the server holds this recording open."""
    folder, found = f"/proc/{server.pid}/fd", 0
    for name in os.listdir(folder):
        try:
            found += os.readlink(f"{folder}/{name}") == str(job.path)
        except FileNotFoundError:
            continue
    return found


def connections() -> int:
    """To the test database, this one included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
