"""Clients that others wrote, as they are installed: tus-js-client in Node and in Chromium, and tuspy."""

import fcntl
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import sync_playwright
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from jobs.models import Job, Upload
from transcribe import peers
from transcribe.provision import find_browser
from transcribe.resuming import BASE, MIB, Tus

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = bytes((index * 31 + (index >> 8)) & 255 for index in range(300_000))  # as conformance.js makes it


@pytest.fixture
def places(tus: Tus, stranger: Tus) -> Iterator[dict[str, str]]:
    """An upload that is locked, one of somebody else, and one that waited too long."""
    found = {"locked": tus.create(len(CONTENT)), "foreign": stranger.create(10), "expired": tus.create(10)}
    Upload.objects.filter(pk=found["expired"].rpartition("/")[2]).update(expires_at=timezone.now() - timedelta(days=1))
    with tus.file(found["locked"]).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # a writer that does not give way
        yield {name: address(tus) + path for name, path in found.items()}


def address(tus: Tus) -> str:
    return f"http://127.0.0.1:{tus.server.port}"


def in_node(tus: Tus, given: dict[str, Any]) -> Any:
    cookies = {"Cookie": f"sessionid={tus.browser.session}; csrftoken={tus.browser.secret}"}
    command, environment = peers.command("conformance.mjs", json.dumps(given | {"headers": given["headers"] | cookies}))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_chromium(tus: Tus, given: dict[str, Any]) -> Any:
    """On a page of ours: its origin and cookies are those of the site."""
    peers.command("")
    scripts = [peers.FOLDER / "node_modules/tus-js-client/dist/tus.min.js", peers.FOLDER / "conformance.js"]
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop of its own in this thread
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        context = browser.new_context(base_url=address(tus), bypass_csp=True)  # its own policy lets no script in
        values = {"sessionid": tus.browser.session, "csrftoken": tus.browser.secret}
        context.add_cookies([{"name": name, "value": value, "url": address(tus)} for name, value in values.items()])
        page = context.new_page()
        page.goto("/healthz")
        for script in scripts:
            page.evaluate(f"(0, eval)({json.dumps(script.read_text())})")
        found = page.evaluate("given => conformance(tus, given, bytes => new Blob([bytes]))", given)
        browser.close()
        return found


@pytest.mark.parametrize("where", [in_node, in_chromium], ids=["node", "chromium"])
def test_tus_js_client(tus: Tus, places: dict[str, str], where: Callable[[Tus, dict[str, Any]], Any]) -> None:
    headers = {"X-CSRFToken": tus.browser.secret}
    found = where(tus, {"endpoint": address(tus) + BASE, "headers": headers, **places})
    for name in ("whole", "atOnce", "again"):
        assert found[name]["done"], (name, found[name])
        assert found[name]["job"].startswith("/jobs/"), name
    assert found["resumed"] == {"sentBefore": 100_000, "offset": 200_000}
    statuses = {name: seen.get("status") for name, seen in found.items() if "done" in seen and not seen["done"]}
    assert statuses == {
        "terminated": 404,
        "wrongOffset": 409,
        "wrongLength": 413,
        "locked": 423,
        "foreign": 404,
        "expired": 410,
    }
    jobs = list(Job.objects.all())
    assert len(jobs) == 3
    for job in jobs:
        assert (tus.server.media / "jobs" / str(job.pk) / "source").read_bytes() == CONTENT


def test_tuspy(tus: Tus, places: dict[str, str]) -> None:
    cookies = f"sessionid={tus.browser.session}; csrftoken={tus.browser.secret}"
    client = TusClient(address(tus) + BASE, {"Cookie": cookies, "X-CSRFToken": tus.browser.secret})

    def uploader(**options: Any) -> Any:
        return client.uploader(file_stream=BytesIO(CONTENT), chunk_size=MIB // 4, **options)

    first = uploader()
    first.upload_chunk()  # and stops: an aborted one
    second = uploader(url=first.url)
    assert second.offset == MIB // 4
    second.upload()
    assert Job.objects.get().size == len(CONTENT)

    wrong = uploader()
    wrong.set_url(wrong.create_url())
    wrong.offset = 7
    assert refused(wrong.upload_chunk) == 409
    short = uploader(url=address(tus) + tus.create(5))
    assert refused(short.upload_chunk) == 413
    for name, status in {"locked": 423, "foreign": 404, "expired": 410}.items():
        with pytest.raises(TusCommunicationError) as refusal:
            uploader(url=places[name]).upload()
        assert refusal.value.status_code == status, name


def refused(step: Callable[[], Any]) -> int | None:
    """The status of the answer that ended it."""
    with pytest.raises((TusCommunicationError, TusUploadFailed)) as refusal:
        step()
    status: int | None = refusal.value.status_code
    return status
