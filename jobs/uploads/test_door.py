"""The one-shot door over a real server: what it takes, what it refuses, and that a refusal leaves nothing."""

import hashlib
import itertools
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress

import pytest

from accounts.models import User
from jobs.models import Job, Upload, Worker
from jobs.services.options import Options
from transcribe.serving import (
    LIMIT,
    SILENCE_SECONDS,
    Answer,
    Browser,
    Server,
    chunked,
    ending,
    field_part,
    file_part,
    sign_in,
    zeros,
)

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"a recording \r\n--of sorts\r\n" * 100


def assert_nothing_left(server: Server) -> None:
    """The client's answer, or its going away, may come first; the server clears up at once after."""
    deadline = time.monotonic() + 5
    while (server.files() or Upload.objects.exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.files() == []
    assert not Upload.objects.exists()
    assert not Job.objects.exists()


@pytest.fixture
def browser(server: Server, alice: User) -> Browser:
    for path in server.files():
        path.unlink()
    return sign_in(server, alice)


def test_a_script_gets_the_job_as_json(browser: Browser, alice: User) -> None:
    parts = [browser.token(), field_part("language", "de"), file_part("../über\u202e.mp3"), CONTENT]
    answer = browser.upload(*parts)
    assert answer.status == 201
    job = Job.objects.get()
    assert answer.content == {"id": str(job.pk), "url": f"/jobs/{job.pk}/", "state": "queued"}
    assert answer.headers["location"] == f"/jobs/{job.pk}/"
    assert (job.owner, job.title, job.size) == (alice, "über.mp3", len(CONTENT))
    assert job.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert job.current_run is not None
    assert job.current_run.options["language"] == "de"
    stored = browser.server.media / "jobs" / str(job.pk) / "source"
    assert stored.read_bytes() == CONTENT
    assert browser.server.files() == [stored]


def test_a_browser_goes_on_to_the_page_of_the_recording(browser: Browser) -> None:
    answer = browser.upload_file(CONTENT, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.status == 303
    assert answer.headers["location"] == f"/jobs/{Job.objects.get().pk}/"


def test_fields_may_follow_the_file_but_its_bytes_stay_its_own(browser: Browser) -> None:
    answer = browser.upload(
        browser.token(), file_part(), CONTENT, b"\r\n", field_part("language", "en"), end=ending()[2:]
    )
    assert answer.status == 201
    job = Job.objects.select_related("current_run").get()
    assert job.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert job.current_run is not None
    assert job.current_run.options["language"] == "en"


def test_refusals_are_said_in_the_language_of_the_reader(browser: Browser) -> None:
    answer = browser.upload(browser.token(), field_part("language", "de"), headers={"Accept-Language": "de"})
    assert answer.content["detail"] == "Im Formular ist keine Datei. Wählen Sie zuerst eine Aufnahme."


def test_options_are_fields_and_refused_before_the_file_is_kept(
    browser: Browser, make_worker: Callable[..., Worker]
) -> None:
    make_worker("demo")
    make_worker("turbo", translates=False)
    chosen = [browser.token(), field_part("model", "turbo")]
    refused = browser.upload(*chosen, field_part("task", "translate"), file_part(), CONTENT)
    assert (refused.status, refused.content["code"]) == (400, "cannot_translate")
    assert_nothing_left(browser.server)
    refused = browser.upload(*chosen, field_part("prompt", "x" * 801), file_part(), CONTENT)
    assert (refused.status, refused.content["code"]) == (400, "prompt_too_long")
    assert_nothing_left(browser.server)
    chosen += [field_part("prompt", "A\r\ntalk."), field_part("hot_words", "Łódź\r\nNVMe"), field_part("beam", "5")]
    assert browser.upload(*chosen, field_part("language", ""), file_part(), CONTENT).status == 201
    told = Options(model="turbo", prompt="A talk.", hot_words="Łódź, NVMe", beam=5)
    assert Job.objects.get().runs.get().options == told.as_json()


def test_a_header_may_carry_the_token(browser: Browser) -> None:
    assert browser.upload(file_part(), CONTENT, headers={"X-CSRFToken": browser.secret}).status == 201


def test_a_body_of_untold_length_is_taken(browser: Browser) -> None:
    head = browser.head("/api/v1/upload", {"Transfer-Encoding": "chunked"}) + "\n"
    pieces = [browser.token(), file_part(), CONTENT, ending()]
    assert browser.server.send(head, chunked(pieces)).status == 201
    assert Job.objects.get().size == len(CONTENT)


def test_a_stranger_does_not_see_the_job(browser: Browser, bob: User) -> None:
    browser.upload_file(CONTENT)
    assert not Job.objects.visible_to(bob).exists()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://elsewhere.example"}, "forbidden"),
        ({"Origin": "null"}, "forbidden"),
        ({"Origin": "http://127.0.0.1:1"}, "forbidden"),
        ({"X-CSRFToken": "x" * 32}, "forbidden"),
        ({"Cookie": ""}, "not_signed_in"),
        ({"Authorization": "Bearer x.y.z"}, "bad_token"),
        ({"Content-Type": "application/json"}, "wrong_type"),
    ],
)
def test_requests_that_are_not_ours_are_refused(browser: Browser, headers: dict[str, str], code: str) -> None:
    answer = browser.upload_file(CONTENT, headers=headers)
    assert (answer.status, answer.content["code"]) == (
        {"forbidden": 403, "not_signed_in": 401, "bad_token": 401, "wrong_type": 415}[code],
        code,
    )
    assert_nothing_left(browser.server)


def test_our_own_origin_is_taken(browser: Browser) -> None:
    own = {"Origin": f"http://127.0.0.1:{browser.server.port}"}
    assert browser.upload_file(CONTENT, headers=own).status == 201


def test_a_form_without_its_token_is_refused_before_the_file(browser: Browser) -> None:
    for parts in ([file_part(), CONTENT], [field_part("csrfmiddlewaretoken", "y" * 32), file_part(), CONTENT]):
        assert browser.upload(*parts).content["code"] == "forbidden"
    assert_nothing_left(browser.server)


def test_a_disabled_person_is_refused(browser: Browser, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert browser.upload_file(CONTENT).content["code"] == "not_signed_in"
    assert_nothing_left(browser.server)


def test_other_methods_are_refused(browser: Browser) -> None:
    answer = browser.server.send(browser.head("/api/v1/upload").replace("POST", "GET", 1) + "\n")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("parts", "end", "code"),
    [
        ([], None, "no_file"),
        ([file_part(""), b""], None, "no_file"),  # a browser with no file chosen
        ([file_part(), b""], None, "empty"),
        ([file_part(), b"one\r\n", file_part("b.mp3"), b"two"], None, "two_files"),
        ([field_part("language", "klingon"), file_part(), b"x"], None, "bad_language"),
        ([file_part(), b"x" * 2_000_000], b"", "bad_upload"),  # no closing boundary
        ([file_part()[:40], b"X-Flood: y\r\n" * 1000], None, "bad_upload"),
        ([field_part("language", "x" * 100_000)], None, "bad_upload"),
    ],
    ids=["no file", "none chosen", "empty", "two", "language", "cut", "flood", "long field"],
)
def test_forms_that_cannot_be_used_leave_nothing(
    browser: Browser, parts: list[bytes], end: bytes | None, code: str
) -> None:
    answer = browser.upload(browser.token(), *parts, end=end)
    assert (answer.status, answer.content["code"]) == (400, code)
    assert answer.content["detail"].endswith(".")
    assert_nothing_left(browser.server)


def test_a_client_that_goes_away_leaves_nothing(browser: Browser) -> None:
    head = browser.head("/api/v1/upload", {"Content-Length": str(100 << 20)}) + "\n"
    with closing(browser.server.connect()) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + browser.token() + file_part() + bytes(3 << 20))
        wait_for_bytes(browser.server, 1 << 20)
    assert_nothing_left(browser.server)


def test_a_client_that_falls_silent_is_dropped(browser: Browser) -> None:
    head = browser.head("/api/v1/upload", {"Content-Length": str(100 << 20)}) + "\n"
    began = time.monotonic()
    answer = browser.server.send(head, [browser.token(), file_part(), b"x"])
    assert (answer.status, answer.content["code"]) == (408, "too_slow")
    assert time.monotonic() - began >= SILENCE_SECONDS
    assert_nothing_left(browser.server)


def test_exactly_the_limit_is_taken_in_flat_memory(browser: Browser) -> None:
    browser.upload_file(bytes(4 << 20))  # everything imported, every pool filled
    before = highest = browser.server.memory()

    def watched() -> Iterator[bytes]:
        nonlocal highest
        for piece in zeros(LIMIT):
            highest = max(highest, browser.server.memory())
            yield piece

    began = time.monotonic()
    answer = send_of_size(browser, LIMIT, watched())
    print(f"{LIMIT >> 20} MiB in {time.monotonic() - began:.1f} s, memory grew by {(highest - before) / 2**20:.1f} MiB")
    assert answer.status == 201
    digest = hashlib.sha256()
    for piece in zeros(LIMIT):
        digest.update(piece)
    assert Job.objects.get(size=LIMIT).sha256 == digest.hexdigest()
    assert highest - before <= 64 << 20


def test_bytes_after_the_end_of_the_form_have_an_end_too(browser: Browser) -> None:
    head = browser.head("/api/v1/upload", {"Transfer-Encoding": "chunked"}) + "\n"
    form = browser.token() + file_part() + CONTENT + ending()
    answer = browser.server.send(head, chunked(itertools.chain([form], zeros(LIMIT + (2 << 20)))))
    assert (answer.status, answer.content["code"]) == (413, "too_large")
    assert_nothing_left(browser.server)


@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
def test_one_byte_more_than_the_limit_is_refused(browser: Browser, told: bool) -> None:
    answer = send_of_size(browser, LIMIT + 1, zeros(LIMIT + 1), told=told)
    assert (answer.status, answer.content["code"]) == (413, "too_large")
    assert_nothing_left(browser.server)


def test_a_disk_without_room_is_said_and_nothing_is_kept(browser: Browser) -> None:
    """A file size limit is the full disk that needs no disk: the same error path, in the running server."""
    sizes = resource.prlimit(browser.server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(browser.server.pid, resource.RLIMIT_FSIZE, (2 << 20, sizes[1]))
    try:
        answer = browser.upload_file(bytes(5 << 20))
    finally:
        resource.prlimit(browser.server.pid, resource.RLIMIT_FSIZE, sizes)
    assert (answer.status, answer.content["code"]) == (507, "storage_full")
    assert_nothing_left(browser.server)


@pytest.mark.parametrize("path", ["/api/v1/upload", "/", "/sign-in/", "/admin/login/", "/nowhere"])
def test_a_large_anonymous_body_is_refused_unread(server: Server, path: str) -> None:
    """512 MiB are promised; at most 1 MiB is taken, within a second, wherever it is sent."""
    size, sent = 512 << 20, 0
    head = Browser(server).head(path, {"Content-Length": str(size), "Cookie": ""}) + "\n"
    before, began = server.memory(), time.monotonic()
    with closing(server.connect()) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        connection.settimeout(1)
        answered = connection.recv(12)  # the answer comes before a byte of the body was sent
        with suppress(OSError):
            for piece in zeros(size, 64 << 10):
                sent += connection.send(piece)
    elapsed = time.monotonic() - began
    assert answered in (b"HTTP/1.1 401", b"HTTP/1.1 413")
    print(f"{path}: {sent / 2**20:.2f} MiB left the client in {elapsed:.2f} s")
    assert elapsed < 1
    assert sent < 8 << 20  # what the two socket buffers hold on loopback, beside what the server read
    assert server.memory() - before <= 16 << 20
    assert_nothing_left(server)


def test_a_large_body_to_a_page_is_refused_for_members_too(browser: Browser) -> None:
    for head, pieces in [
        ({"Content-Length": str(64 << 20)}, zeros(64 << 20)),
        ({"Transfer-Encoding": "chunked"}, chunked(zeros(64 << 20))),
    ]:
        answer = browser.server.send(browser.head("/", head) + "\n", pieces)
        assert (answer.status, answer.content["code"]) == (413, "too_large")


def send_of_size(browser: Browser, size: int, content: Iterable[bytes], *, told: bool = True) -> Answer:
    """A form whose file has this many bytes."""
    first, last = browser.token() + file_part(), ending()
    pieces = itertools.chain([first], content, [last])
    if told:
        head = browser.head("/api/v1/upload", {"Content-Length": str(len(first) + size + len(last))}) + "\n"
        return browser.server.send(head, pieces)
    return browser.server.send(browser.head("/api/v1/upload", {"Transfer-Encoding": "chunked"}) + "\n", chunked(pieces))


def wait_for_bytes(server: Server, size: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if sum(path.stat().st_size for path in server.files()) >= size:
            return
        time.sleep(0.02)
    raise AssertionError("The server stored nothing.")
