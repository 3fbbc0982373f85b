"""A stack of a test's or proof's own, and a person who uses it: signs in, uploads, looks, cancels. Rows by SQL."""

import http.cookiejar
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg

from transcribe.embedded.stack import SKIP_CHECKS, Stack

SAMPLES = Path(__file__).resolve().parent.parent / "worker" / "demo" / "samples"
DEMO = SAMPLES.parent / "demo.pt"
LOOK_SECONDS = 0.2
WINDOWS = "FROM jobs_window w JOIN jobs_run r ON r.id = w.run_id WHERE r.job_id = %s"


def long_recording(target: Path, minutes: int, language: str = "english") -> Path:
    """An MP3 of about `minutes`: the five-minute sample, again and again. MP3 frames may simply follow each other."""
    sample = (SAMPLES / f"{language}.mp3").read_bytes()
    with target.open("wb") as file:
        for _ in range(max(1, minutes // 5)):
            file.write(sample)
    return target


class Drill:
    """One running stack and its first user. `data` is best `places.scratch()`: it leaves nothing behind."""

    def __init__(self, data: Path, *, say: Callable[[str], None] = print) -> None:
        self.stack = Stack(data, given={"WHISPER_MODEL": str(DEMO)}, say=say)

    def start(self) -> None:
        """Raises StackError."""
        self.stack.start()
        jar = http.cookiejar.CookieJar()
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self._browser.open(self.stack.link, timeout=20).read()
        self._cookies = jar

    def stop(self) -> None:
        self.stack.stop()

    def upload(self, path: Path, *, title: str = "", language: str = "en", key: str = "", **options: str) -> str:
        """Through the one-shot door, as a script would; the id of the job. `options`: further fields of the form.

        `key`: however often it is sent under it, it is one recording.
        """
        fields = {"language": language, **options}
        answer = self.post("/api/v1/upload", path.read_bytes(), title or path.name, fields, key)
        return str(answer["id"])

    def post(self, url: str, content: bytes, title: str, fields: Mapping[str, str], key: str = "") -> dict[str, Any]:
        """A multipart POST; the JSON answer. Raises urllib.error.HTTPError for a refusal."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in {"csrfmiddlewaretoken": self._csrf(), **fields}.items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{title}"\r\n\r\n'.encode()
        body = b"".join([*parts, head, content, f"\r\n--{boundary}--\r\n".encode()])
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        with self._browser.open(self._request(url, body, headers), timeout=120) as answer:
            return dict(json.load(answer))

    def press(self, url: str) -> None:
        """A button of the page: a form POST."""
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": self._csrf()}).encode()
        self._browser.open(self._request(url, body, {}), timeout=30).read()

    def headers(self) -> dict[str, str]:
        """What makes a request of another client this person's: for the resumable door."""
        secret = self._csrf()
        return {"Cookie": "; ".join(f"{one.name}={one.value}" for one in self._cookies), "X-CSRFToken": secret}

    def get(self, url: str) -> str:
        return str(self._browser.open(self.stack.address + url, timeout=30).read().decode())

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database says, asked again while it is away."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(self.stack.environment()["DATABASE_URL"]) as link:
                    return link.execute(query.encode(), values).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_SECONDS)

    def run(self, job: str) -> tuple[str, str]:
        """State and reason of the job's current run."""
        query = "SELECT r.state, r.reason FROM jobs_run r JOIN jobs_job j ON j.current_run_id = r.id WHERE j.id = %s"
        state, reason = self.rows(query, job)[0]
        return str(state), str(reason)

    def done_windows(self, job: str) -> int:
        return int(self.rows(f"SELECT count(*) {WINDOWS} AND w.done_at IS NOT NULL", job)[0][0])

    def attempts(self, job: str) -> list[int]:
        """How often each window was handed to an engine."""
        return [row[0] for row in self.rows(f"SELECT w.attempts {WINDOWS} ORDER BY w.index", job)]

    def text(self, job: str) -> list[str]:
        query = (
            "SELECT s.text FROM jobs_segment s JOIN jobs_window w ON w.id = s.window_id "
            "JOIN jobs_run r ON r.id = w.run_id WHERE r.job_id = %s ORDER BY w.index, s.index"
        )
        return [str(row[0]) for row in self.rows(query, job)]

    def faults(self, *arguments: str) -> list[tuple[str, list[str]]]:
        """What `manage.py check_integrity` calls wrong: codes with ids. Raises RuntimeError where it could not ask."""
        command = [sys.executable, "manage.py", "check_integrity", SKIP_CHECKS, "--deep", "--json", *arguments]
        done = subprocess.run(command, env=self.stack.environment(), capture_output=True, text=True, check=False)
        if not done.stdout:
            raise RuntimeError(done.stderr)
        answer = json.loads(done.stdout)
        if answer["temporal"] != "asked":
            raise RuntimeError("Temporal was not asked")
        return [(fault["code"], fault["ids"]) for fault in answer["faults"]]

    def wait_for_windows(self, job: str, count: int, seconds: float = 300) -> None:
        self.wait(lambda: self.done_windows(job) >= count, f"{count} windows of {job}", seconds)

    def wait_for_end(self, job: str, seconds: float = 600, look: float = LOOK_SECONDS) -> tuple[str, str]:
        """State and reason, once final."""
        ends = ("succeeded", "failed", "cancelled")
        self.wait(lambda: self.run(job)[0] in ends, f"the end of {job}", seconds, look)
        return self.run(job)

    def wait(self, happened: Callable[[], bool], what: str, seconds: float, look: float = LOOK_SECONDS) -> None:
        """Until `happened`. Raises TimeoutError that says what was waited for. `look`: seconds between two looks, each
        of which is a new connection to Postgres: five a second are felt where processor time is measured."""
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}")
            time.sleep(look)

    def _csrf(self) -> str:
        page = self.get("/upload")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        if found is None:
            raise RuntimeError("the upload page has no form")
        return found[1]

    def _request(self, url: str, body: bytes, headers: Mapping[str, str]) -> urllib.request.Request:
        origin = {"Origin": self.stack.address, "Referer": self.stack.address + "/upload"}
        return urllib.request.Request(self.stack.address + url, body, {**origin, **headers})  # noqa: S310
