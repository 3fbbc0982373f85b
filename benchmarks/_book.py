"""A client that uploads all the time and its own book of what was acknowledged: the truth that a stack is judged by.

Every upload has a key of its own and is sent until it is acknowledged; some are sent twice at once, some once more
afterwards, some through the resumable door in small pieces. The book is a file, so a proof that is cut goes on with it.
"""

import json
import threading
import time
import uuid
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np

from transcribe.drill import Drill
from transcribe.stubborn import Stubborn

PIECE_BYTES = 64 << 10
PAUSE_SECONDS = 0.3
WAIT_SECONDS = 30
MAY_COME_AGAIN = {409, 423, 429, 503}  # answers that ask for another try; any other refusal is a finding
DOORS = ("form", "twins", "again", "pieces")  # twins: two requests at once; again: once more when it was acknowledged


@dataclass(frozen=True)
class Entry:
    """An upload that was acknowledged: its key, what was sent, through which door, and the id of its recording."""

    key: str
    sample: str
    door: str
    job: str


class Book:
    """Entries in a file of `folder`, one a line. `refused` are answers that should not have been given, in another."""

    def __init__(self, folder: Path) -> None:
        self._entries, self._refused = folder / "book.jsonl", folder / "refused.txt"
        self.entries = [Entry(**json.loads(line)) for line in _lines(self._entries)]
        self.under_way = False
        self.doubled: list[str] = []  # keys that two recordings were acknowledged for
        self._lock = threading.Lock()

    def note(self, entry: Entry) -> None:
        with self._lock:
            self.entries.append(entry)
            _add(self._entries, json.dumps(asdict(entry)))

    def refuse(self, line: str) -> None:
        with self._lock:
            _add(self._refused, line.replace("\n", " "))

    @property
    def refused(self) -> Counter[str]:
        return Counter(_lines(self._refused))

    @property
    def jobs(self) -> dict[str, str]:
        """Sample by id of the recording."""
        return {entry.job: entry.sample for entry in list(self.entries)}


class Client:
    """Signed in once, on threads of its own; goes on whatever happens to the stack."""

    def __init__(self, drill: Drill, book: Book, samples: Mapping[str, Path], seed: int) -> None:
        self._drill, self._book, self._samples = drill, book, samples
        self._headers = drill.headers()
        self._chance = np.random.default_rng(seed)
        self._stop, self._may = threading.Event(), threading.Event()
        self._busy = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="client", daemon=True)
        self._thread.start()

    def go_on(self, wanted: bool) -> None:
        """Whether there is room for one more; told again and again."""
        self._may.set() if wanted else self._may.clear()

    def rest(self) -> None:
        """Until the next `go_on`; back when the upload in hand is acknowledged."""
        self._may.clear()
        with self._busy:
            return

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        names = sorted(self._samples)
        while not self._stop.is_set():
            self._may.wait(PAUSE_SECONDS)
            with self._busy:
                if self._may.is_set():
                    self._book.under_way = True
                    self.send(names[self._chance.integers(len(names))], DOORS[self._chance.integers(len(DOORS))])
                    self._book.under_way = False

    def send(self, sample: str, door: str) -> str:
        """One upload until it is acknowledged, and noted; the id of its recording."""
        key = uuid.uuid4().hex
        with ThreadPoolExecutor(2) as both:
            copies = [both.submit(self._acknowledged, key, sample, door) for _ in range(2 if door == "twins" else 1)]
        jobs = {copy.result() for copy in copies}
        if door == "again":
            jobs.add(self._acknowledged(key, sample, door))
        if len(jobs) > 1:
            self._book.doubled.append(key)
        self._book.note(Entry(key, sample, door, min(jobs)))
        return min(jobs)

    def _acknowledged(self, key: str, sample: str, door: str) -> str:
        while True:
            job = (self._pieces if door == "pieces" else self._form)(key, self._samples[sample])
            if job is not None:
                return job
            time.sleep(PAUSE_SECONDS)

    def _form(self, key: str, file: Path) -> str | None:
        """In one request; None: no answer, or one that asks for another try."""
        told = {**self._headers, "Idempotency-Key": key, "Accept": "application/json"}
        told["Origin"] = self._drill.stack.address
        url = f"{self._drill.stack.address}/api/v1/upload"
        try:
            files = {"file": (f"{key}.mp3", file.read_bytes())}
            answer = httpx.post(url, headers=told, data={"language": "en"}, files=files, timeout=WAIT_SECONDS)
        except httpx.TransportError:
            return None
        if answer.status_code == 201:
            return str(answer.json()["id"])
        if answer.status_code not in MAY_COME_AGAIN:
            self._book.refuse(f"{answer.status_code}: {answer.text[:200]}")
        return None

    def _pieces(self, key: str, file: Path) -> str | None:
        """Through the resumable door; None: it did not come to its end."""
        said = ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in _told(key).items())
        own = {"Tus-Resumable": "1.0.0", "Idempotency-Key": key, "Upload-Metadata": said}
        try:
            return Stubborn(self._drill.stack.port, {**self._headers, **own}, PIECE_BYTES).upload(file)
        except (RuntimeError, TimeoutError) as error:
            self._book.refuse(f"{type(error).__name__}: {str(error)[:200]}")
            return None


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _add(file: Path, line: str) -> None:
    with file.open("a") as out:
        out.write(line + "\n")


def _told(key: str) -> dict[str, str]:
    return {"filename": f"{key}.mp3", "language": "en"}
