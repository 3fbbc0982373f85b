"""The upload island in real Chromium on the real server, over a network that can be cut."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, Dialog, Locator, Page, expect

from accounts.models import Session, User
from jobs.browsing import on_test_database
from jobs.models import Job, Upload
from transcribe.cutting import Network

MIB = 1 << 20
LIMIT = 16 * MIB
SIZE = 14 * MIB + 5  # more than the system takes in for a line that stands still
PART = 4 * MIB  # of it, let through at first
SENT_ONCE = SIZE + MIB // 2  # bytes: the file with its requests and pages, and what was on its way in a cut
QUICKLY = 10_000  # milliseconds

Recording = Callable[..., Path]


@pytest.fixture(scope="module")
def media_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def server_port(django_db_setup: None, media_root: Path) -> Iterator[int]:
    with on_test_database(media_root, UPLOAD_LIMIT_BYTES=str(LIMIT)) as address:
        yield urlsplit(address).port or 0


@pytest.fixture
def network(server_port: int) -> Iterator[Network]:
    network = Network(server_port)
    yield network
    network.close()


@dataclass
class Desk:
    """Someone at the upload page. A script that fails ends the test; what the network fails to load does not."""

    page: Page
    network: Network
    user: User

    def sign_in(self) -> None:
        client = Client()
        client.force_login(self.user)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.address}
        self.page.context.add_cookies([cookie])  # type: ignore[list-item] # a plain dictionary is what it takes

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.network.port}"

    def open(self, path: str = "/upload") -> None:
        """Wait until the island has asked what it could go on with."""
        with self.page.expect_response("**/api/v1/uploads/"):
            self.page.goto(path)

    def choose(self, *files: Path) -> None:
        self.page.locator("#upload-island input[type=file]").first.set_input_files(files)

    def row(self, name: str) -> Locator:
        return self.page.locator(".uploads .upload-row", has_text=name)

    def wait_for(self, name: str, state: str) -> None:
        expect(self.row(name)).to_have_attribute("data-state", state, timeout=QUICKLY)

    def send_part(self, file: Path) -> None:
        """Until some of it went up; the rest is held back."""
        self.network.allow(PART)
        self.choose(file)
        wait_until(self.page, lambda: arrived() > PART // 2)

    def drag(self, *files: Path) -> None:
        """Files from the desktop over the page and dropped there, as the system would."""
        link = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            link.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
            if kind == "dragEnter":
                self.page.locator("[data-dragging], .drop-veil").first.wait_for()


def wait_until(page: Page, happened: Callable[[], bool]) -> None:
    for _ in range(200):
        if happened():
            return
        page.wait_for_timeout(50)
    raise AssertionError("It did not happen.")


def arrived() -> int:
    """Bytes on disk of the one upload under way."""
    upload = Upload.objects.filter(job=None).first()
    return upload.path.stat().st_size if upload and upload.path.exists() else 0


@pytest.fixture
def desk(
    chromium: Browser, transactional_db: None, network: Network, media_root: Path, settings: Any, alice: User
) -> Iterator[Desk]:
    settings.MEDIA_ROOT = media_root
    context = chromium.new_context(base_url=f"http://127.0.0.1:{network.port}")
    desk = Desk(context.new_page(), network, alice)
    desk.sign_in()
    failures: list[str] = []
    desk.page.on("pageerror", lambda error: failures.append(str(error)))
    desk.page.on("console", lambda said: failures.append(said.text) if "Content Security" in said.text else None)
    yield desk
    network.restore()
    context.close()
    assert failures == []


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    def make(name: str = "talk.mp3", size: int = SIZE) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        return path

    return make


def check(job: Job, file: Path) -> None:
    """The recording is the file, byte for byte."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (job.title, job.sha256, hashlib.sha256(job.path.read_bytes()).hexdigest()) == (file.name, digest, digest)


def test_two_files_dragged_in_become_recordings(desk: Desk, recording: Recording) -> None:
    files = [recording("one.mp3", MIB), recording("two.wav", MIB)]
    desk.open()
    desk.page.get_by_text("Options", exact=True).click()
    desk.page.get_by_label("Spoken language").select_option("German")
    desk.drag(*files)
    for file in files:
        desk.wait_for(file.name, "done")
        job = Job.objects.select_related("current_run").get(title=file.name)
        check(job, file)
        assert job.current_run is not None
        assert job.current_run.options["language"] == "de"
        expect(desk.row(file.name).get_by_role("link")).to_have_attribute("href", re.compile(str(job.pk)))
    assert "two.wav is uploaded" in desk.page.get_by_role("log").inner_text()


def test_a_folder_is_read_to_its_depths_and_other_files_are_left_out(desk: Desk, recording: Recording) -> None:
    folder = recording("box/a.mp3", 1000).parent
    recording("box/deep/deeper/b.ogg", 1000)
    recording("box/notes.txt", 1000)
    desk.open()
    desk.drag(folder)
    desk.wait_for("a.mp3", "done")
    desk.wait_for("b.ogg", "done")
    expect(desk.page.locator(".uploads .upload-row")).to_have_count(2)
    assert "are not recordings were left out" in desk.page.get_by_role("log").inner_text()


def test_a_cut_network_costs_nothing(desk: Desk, network: Network, recording: Recording) -> None:
    file = recording()
    desk.open()
    desk.send_part(file)
    network.cut()
    desk.wait_for(file.name, "retrying")
    expect(desk.row(file.name)).to_contain_text("The connection was lost. It goes on by itself.")
    network.restore()
    desk.wait_for(file.name, "done")
    check(Job.objects.get(), file)
    assert network.sent < SENT_ONCE


def test_a_reload_in_between_goes_on_where_it_ended(desk: Desk, network: Network, recording: Recording) -> None:
    file = recording()
    desk.open()
    desk.send_part(file)
    questions: list[str] = []

    def leave(dialog: Dialog) -> None:
        questions.append(dialog.type)
        dialog.accept()

    desk.page.on("dialog", leave)
    desk.page.get_by_role("heading", name="Upload a recording").click()  # browsers ask only where a page was touched
    with desk.page.expect_event("domcontentloaded"):
        desk.page.evaluate("location.reload()")  # Playwright's own reload asks no questions
    assert questions == ["beforeunload"]
    expect(desk.page.locator(".unfinished")).to_contain_text(file.name)
    network.cut()
    network.restore()
    desk.choose(file)
    desk.wait_for(file.name, "done")
    check(Job.objects.get(), file)
    assert network.sent < SENT_ONCE
    expect(desk.page.locator(".unfinished")).to_have_count(0)


def test_after_a_sign_out_the_servers_list_knows_it(desk: Desk, network: Network, recording: Recording) -> None:
    file = recording()
    desk.open()
    desk.send_part(file)
    desk.page.on("dialog", lambda dialog: dialog.accept())
    desk.page.locator("button.account").click()
    desk.page.get_by_role("button", name="Sign out").click()
    desk.page.wait_for_url("**/sign-in/**")
    assert desk.page.evaluate("Object.keys(localStorage)") == []
    network.cut()
    network.restore()
    desk.sign_in()
    desk.open()
    expect(desk.page.locator(".unfinished")).to_contain_text(file.name)
    desk.choose(file)
    desk.wait_for(file.name, "done")
    check(Job.objects.get(), file)
    assert network.sent < SENT_ONCE


def test_a_session_that_ends_in_between_is_said_and_nothing_is_lost(
    desk: Desk, network: Network, recording: Recording
) -> None:
    file = recording()
    desk.open()
    desk.send_part(file)
    Session.objects.all().delete()
    network.cut()
    network.restore()
    desk.wait_for(file.name, "failed")
    expect(desk.row(file.name)).to_contain_text("You were signed out. Sign in again")
    desk.sign_in()
    desk.page.get_by_role("button", name="Try talk.mp3 again").click()
    desk.wait_for(file.name, "done")
    check(Job.objects.get(), file)


def test_a_newer_version_of_the_file_is_not_mixed_with_the_old_one(
    desk: Desk, network: Network, recording: Recording
) -> None:
    file = recording()
    desk.open()
    desk.send_part(file)
    desk.page.on("dialog", lambda dialog: dialog.accept())
    desk.page.evaluate("localStorage.clear()")
    desk.page.reload()
    file.write_bytes(os.urandom(SIZE))
    os.utime(file, (1_000_000_000, 1_000_000_000))
    network.cut()  # or what the old page had handed to the system would still arrive
    network.restore()
    desk.choose(file)
    desk.wait_for(file.name, "done")
    check(Job.objects.get(), file)
    assert Upload.objects.filter(job=None).count() == 1


def test_what_cannot_be_a_recording_is_refused_before_a_request(desk: Desk, recording: Recording) -> None:
    desk.open()
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url))
    desk.choose(recording("big.mp3", LIMIT + 1), recording("nothing.mp3", 0), recording("letter.pdf", 1000))
    expect(desk.row("big.mp3")).to_contain_text("This file is larger than 16 MB, the most that can be uploaded here.")
    expect(desk.row("nothing.mp3")).to_contain_text("This file is empty. Choose another one.")
    expect(desk.row("letter.pdf")).to_contain_text("This is not a recording. Choose an audio or video file.")
    assert asked == []
    assert not Upload.objects.exists()


def test_pause_go_on_and_cancel_by_keyboard(desk: Desk, network: Network, recording: Recording) -> None:
    file = recording()
    desk.open()
    desk.send_part(file)
    keys = desk.page.keyboard
    desk.page.get_by_role("button", name="Pause talk.mp3").focus()
    keys.press("Enter")
    desk.wait_for(file.name, "paused")
    expect(desk.page.get_by_role("button", name="Go on with talk.mp3")).to_be_focused()
    kept = arrived()
    keys.press("Enter")
    desk.wait_for(file.name, "uploading")
    assert arrived() >= kept
    keys.press("Tab")
    expect(desk.page.get_by_role("button", name="Cancel talk.mp3")).to_be_focused()
    keys.press("Enter")
    desk.wait_for(file.name, "cancelled")
    wait_until(desk.page, lambda: not Upload.objects.exists())
    assert desk.page.evaluate("Object.keys(localStorage)") == ["upload-token"]


def test_more_files_than_may_fly_wait_their_turn(desk: Desk, network: Network, recording: Recording) -> None:
    files = [recording(f"{n}.mp3", MIB) for n in range(4)]
    desk.open()
    network.allow(0)
    desk.choose(*files)
    desk.wait_for("3.mp3", "waiting")
    expect(desk.page.locator(".upload-row[data-state=waiting]")).to_have_count(2)
    network.allow(None)
    for file in files:
        desk.wait_for(file.name, "done")
    assert Job.objects.count() == 4


def test_unfinished_uploads_can_be_discarded(desk: Desk, network: Network, recording: Recording) -> None:
    desk.open()
    desk.send_part(recording())
    desk.page.on("dialog", lambda dialog: dialog.accept())
    desk.page.reload()
    desk.page.get_by_role("button", name="Discard talk.mp3").click()
    expect(desk.page.locator(".unfinished")).to_have_count(0)
    wait_until(desk.page, lambda: not Upload.objects.exists())


def test_a_file_dropped_on_the_list_of_recordings_is_uploaded(desk: Desk, recording: Recording) -> None:
    Job.objects.create(owner=desk.user, title="older.mp3", size=1, sha256="0" * 64)
    file = recording("dropped.mp3", MIB)
    desk.open("/")
    desk.drag(file)
    desk.wait_for(file.name, "done")
    desk.page.locator("#recordings .row-title", has_text="dropped.mp3").wait_for()
    check(Job.objects.get(title="dropped.mp3"), file)


def test_the_first_page_has_a_target_that_stays_while_rows_come(
    desk: Desk, network: Network, recording: Recording
) -> None:
    first, second = recording("first.mp3", MIB), recording("second.mp3", MIB)
    desk.open("/")
    desk.choose(first)
    desk.page.locator("#recordings .row-title", has_text="first.mp3").wait_for()
    expect(desk.page.get_by_text("No recordings yet")).to_have_count(0)
    desk.choose(second)
    desk.wait_for(second.name, "done")
    expect(desk.page.locator("#recordings .row-title")).to_have_text(["second.mp3", "first.mp3"])
    desk.wait_for(first.name, "done")


def test_the_form_works_without_scripts(chromium: Browser, desk: Desk, recording: Recording) -> None:
    context = chromium.new_context(java_script_enabled=False, storage_state=desk.page.context.storage_state())
    page = context.new_page()
    page.goto(f"{desk.address}/upload")
    page.locator("input[type=file]").set_input_files(recording("plain.mp3", 1000))
    page.get_by_label("Spoken language").select_option("German")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="plain.mp3").wait_for()
    context.close()
