"""`poe screenshots`: the pages in light and dark, wide and narrow, as they look with recordings of every state.

A stack of its own hears both samples for real; what cannot be had in a minute (a run in its middle, one that failed) is
made up beside them. Without an argument the pictures of the documentation are drawn anew; `poe screenshots OUT` draws
every page there, to judge how it looks. Every picture is a check too: a complaint in the browser's console (a failing
script, something the content security policy refused) ends it with an error.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import product
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from transcribe import web
from transcribe.embedded.ports import free_port

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

    from accounts.models import User
    from jobs.models import Job
    from transcribe.drill import Drill

CHECKOUT = Path(__file__).resolve().parent.parent
DOCUMENTED = CHECKOUT / "docs" / "screenshots"
SHOWN = ("dashboard", "upload", "job", "error", "empty")  # in the documentation
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}
COLOURS = 256  # of a picture: pages have few, and a palette makes their files a third as large
AGES = (3, 6, 200, 1500, 1560, 4400, 7300)  # minutes, of the recordings from the newest on
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400 << 10}
SENTENCE = 4.5  # seconds of each made-up sentence


def main(out: Path | None) -> int:
    """0 when every page was drawn without a complaint."""
    from transcribe.drill import Drill
    from transcribe.embedded import places

    drill = Drill(places.scratch())
    drill.stack.start()
    try:
        os.environ.update({**drill.stack.environment(), "DJANGO_SETTINGS_MODULE": "transcribe.settings"})
        pages, links = _prepare(drill)
        wanted = pages if out else {name: pages[name] for name in SHOWN if name in pages}
        complaints = draw(drill.stack.address, wanted, links, out or DOCUMENTED)
    finally:
        drill.stack.stop()
    print("\n".join(complaints), file=sys.stderr)
    return 1 if complaints else 0


def _prepare(drill: "Drill") -> tuple[dict[str, str], dict[str, str]]:
    """Real transcripts first, then the rest while no worker is there to do something about it."""
    import django

    django.setup()
    from accounts.models import User
    from jobs.models import Worker
    from jobs.samples import submit_sample

    anna = User.objects.create_user("anna", is_staff=True, is_superuser=True)
    real = [submit_sample(anna, name) for name in ("german", "english")]
    for job in real:
        drill.wait_for_end(str(job.pk))
    drill.stack.hold("worker")
    Worker.objects.update(seen_at=datetime.now(UTC) + timedelta(days=1))  # its model can be chosen all the same
    pages, links = fill()
    return pages | {"job": f"/jobs/{real[1].pk}/"}, links


def fill() -> tuple[dict[str, str], dict[str, str]]:
    """Recordings in every state: the paths to draw by name, and a sign-in link for who has some and who has none."""
    from django.utils import timezone

    from accounts import personal
    from accounts.links import sign_in_link
    from accounts.models import User
    from jobs.models import Worker

    Worker.objects.filter(host="screenshots").delete()
    seen = timezone.now() + timedelta(hours=1)  # it stays alive while pages are drawn
    offered = {"host": "screenshots", "pid": 1, "device": "cpu", "slots": 1, "speed": 4.2, "seen_at": seen}
    for model, able in [("small", True), ("turbo", False)]:
        Worker.objects.create(model=model, translates=able, **offered)
    anna = User.objects.get_or_create(username="anna", defaults={"is_staff": True, "is_superuser": True})[0]
    nobody = User.objects.create_user("nobody")
    cancelled = recording(anna, "Voice memo at the station with a very long name that does not end.ogg", 3, "cancelled")
    why = "This file has no sound track. Upload a recording that has sound."
    failed = recording(anna, "scan_0231.mp3", None, "failed", reason="no_audio", detail=why)
    done = recording(anna, "Lecture 7: rivers and their towns.m4a", 48, "succeeded", heard=1.0)
    running = recording(anna, "Interview with the harbour master.mp3", 62, "running", heard=0.42)
    queued = recording(anna, "Board meeting, part two.wav", None, "queued")
    Worker.objects.filter(host="screenshots").update(runs=[str(running.runs.get().pk)])
    for job, age in zip(anna.jobs.order_by("-created_at"), AGES, strict=False):
        _put_back(job, timedelta(minutes=age))
    pages = {"dashboard": "/", "search": "/?q=nothing", "upload": "/upload", "error": "/nothing-here"}
    states = {"queued": queued, "running": running, "done": done, "failed": failed, "cancelled": cancelled}
    pages |= {name: f"/jobs/{job.pk}/" for name, job in states.items()}
    personal.make(anna, "Nightly backup", frozenset({"jobs:read", "jobs:write"}), 90)
    personal.revoke(personal.make(anna, "Old laptop", frozenset({"uploads:write"}), 7)[0])
    pages |= {"account": "/account/", "delete": f"/jobs/{done.pk}/delete/", "administration": "/admin/jobs/run/"}
    pages |= {"slow": "/admin/slow/"}
    return pages, {"anna": sign_in_link(anna), "nobody": sign_in_link(nobody)}


def _put_back(job: "Job", age: timedelta) -> None:
    """As if it had been uploaded so long ago; what is still under way keeps its history, which tells its pace."""
    from django.db.models import F

    from jobs.models import Job, RunEvent
    from jobs.states import FINAL

    Job.objects.filter(pk=job.pk).update(created_at=F("created_at") - age)
    RunEvent.objects.filter(run__job=job, run__state__in=FINAL).update(at=F("at") - age)


def recording(
    owner: "User", title: str, minutes: int | None, state: str, *, heard: float = 0.0, **fields: str
) -> "Job":
    """A recording with its run, history, and text for the part that was heard."""
    from django.utils import timezone

    from jobs.models import Job, Run, RunEvent
    from jobs.services.quality import report_of

    now = timezone.now()
    job = Job.objects.create(owner=owner, title=title, size=(minutes or 2) * 960_000, sha256="0" * 64)
    rested = None if state in ("queued", "running") else now - timedelta(days=26)  # where retention is on: soon gone
    stage = "transcribing" if state == "running" else ""
    run = Run.objects.create(job=job, number=1, model="small", model_sha256="9ecf779972d90ba4", state=state, **fields)
    Run.objects.filter(pk=run.pk).update(stage=stage, language="en" if heard else "")
    Run.objects.filter(pk=run.pk).update(language_probability=0.98 if heard else None)
    Job.objects.filter(pk=job.pk).update(current_run=run, duration=minutes * 60 if minutes else None, idle_since=rested)
    moves = [("queued", ""), ("running", "preparing"), ("running", "listening"), ("running", "transcribing")]
    moves = moves[: 4 if heard else 1] + ([(state, "")] if state not in ("queued", "running") else [])
    for index, (moved, entered) in enumerate(moves):
        detail = fields.get("detail", "") if moved == state else ""
        event = RunEvent.objects.create(run=run, state=moved, stage=entered, detail=detail)
        RunEvent.objects.filter(pk=event.pk).update(at=now - timedelta(seconds=70 * (len(moves) - index)))
    if minutes and heard:
        speak(run, minutes * 60, heard)
        Run.objects.filter(pk=run.pk, state="succeeded").update(report=report_of(run))
        job.folder.mkdir(parents=True, exist_ok=True)
        copyfile(CHECKOUT / "worker" / "demo" / "samples" / "english.mp3", job.path)
        Job.objects.filter(pk=job.pk).update(container="mp3", codec="mp3")
    return job


def speak(run: Any, seconds: float, heard: float) -> None:
    """Windows of 30 s, the first part of them done, with the sample's sentences in them."""
    from django.utils import timezone

    from jobs.models import Segment, Window

    text = (CHECKOUT / "worker" / "demo" / "samples" / "english.txt").read_text(encoding="utf-8")
    sentences = text.split("\n")
    for index in range(int(seconds / 30)):
        start = 30.0 * index
        done = timezone.now() if start < seconds * heard else None
        window = Window.objects.create(
            run=run, index=index, span=index // 10, batch=index // 2, start=start, end=start + 30, done_at=done,
            attempts=1 if start - 30 < seconds * heard else 0,
        )  # fmt: skip
        for place in range(6 if done else 0):
            at, words = start + place * 5, sentences[(index * 6 + place) % len(sentences)]
            sure = -1.1 if (index * 6 + place) % 17 == 4 else -0.2
            fields = {"start": at, "end": at + SENTENCE, "text": words, "average_log_probability": sure}
            Segment.objects.create(run=run, window=window, index=place, **fields)


@contextmanager
def served() -> Iterator[str]:
    """The real web server on a free port."""
    port = free_port()
    server = subprocess.Popen(web.command("--port", str(port)), cwd=CHECKOUT)
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def draw(address: str, pages: dict[str, str], links: dict[str, str], out: Path) -> list[str]:
    """Every page in every look as OUT/name-size-scheme.png; the console's complaints."""
    from playwright.sync_api import ViewportSize, sync_playwright

    from transcribe.provision import find_browser

    complaints: list[str] = []
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        states = {name: _signed_in(browser, address + link) for name, link in links.items()}
        shots = [(name, path, states["anna"]) for name, path in pages.items()]
        shots += [("empty", "/", states["nobody"])]
        if len(pages) > len(SHOWN):
            shots.append(("sign-in", "/sign-in/", None))
        looks: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for (size, (width, height)), scheme in product(SIZES.items(), looks):
            viewport = ViewportSize(width=width, height=height)
            for name, path, state in shots:
                context = browser.new_context(viewport=viewport, color_scheme=scheme, storage_state=state)
                page = context.new_page()
                _watch(page, name, complaints)
                page.goto(address + path)
                page.wait_for_timeout(400)  # the socket's first message and the rest of the transcript
                if name == "upload":
                    send_files(page)
                keep(page.screenshot(), out / f"{name}-{size}-{scheme}.png")
                if name == "upload":
                    take_back(page)
                context.close()
        browser.close()
    return sorted(set(complaints))


def send_files(page: "Page") -> None:
    """Files on their way over a slow line, and one that is none."""
    from playwright.sync_api import FilePayload

    line = page.context.new_cdp_session(page)
    line.send("Network.emulateNetworkConditions", SLOW)
    sound = (CHECKOUT / "worker" / "demo" / "samples" / "english.mp3").read_bytes()
    names = {"Town hall, first evening.mp3": sound, "Town hall, second evening.mp3": sound, "Empty.mp3": b""}
    files = [FilePayload(name=name, mimeType="audio/mpeg", buffer=content) for name, content in names.items()]
    page.locator("input[type=file]").first.set_input_files(files)
    page.locator(".upload-told", has_text=re.compile(r"[2-9]\d %")).first.wait_for()


def take_back(page: "Page") -> None:
    """Else the next picture would show them as left unfinished."""
    cancel = page.get_by_role("button", name=re.compile("^Cancel"))
    while cancel.count():
        cancel.first.click()
    page.wait_for_timeout(500)  # for the server to hear of it


def keep(picture: bytes, target: Path) -> None:
    """With a palette, which makes it small."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)


def _signed_in(browser: Any, link: str) -> Any:
    page = browser.new_page()
    page.goto(link)
    return page.context.storage_state()


def _watch(page: "Page", name: str, complaints: list[str]) -> None:
    def note(said: "ConsoleMessage") -> None:
        expected = name == "error" and re.search(r"\b404\b", said.text)
        if said.type in ("error", "warning") and not expected:
            complaints.append(f"{name}: {said.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))


def _wait(port: int) -> None:
    for _ in range(150):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError("The web server did not start within 30 s.")


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if sys.argv[1:] else None))
