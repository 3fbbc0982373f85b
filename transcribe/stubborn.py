"""For tests and proofs: a tus client that asks where the upload is and goes on, whatever happens to its connections."""

import hashlib
import http.client
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.1
Refusals = (OSError, http.client.HTTPException)


@dataclass
class Stubborn:
    """Uploads through a port of this machine. `again` are the bytes that each disturbance made it send once more."""

    port: int
    headers: dict[str, str]
    chunk: int
    again: list[int] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)  # why pieces were not acknowledged, and how often

    def upload(self, file: Path) -> str:
        """The id of the job it became. Raises TimeoutError when nothing answers, RuntimeError for a refusal."""
        size = file.stat().st_size
        told = {"Upload-Length": str(size), "Content-Length": "0"}
        path = self._ask("POST", "/api/v1/uploads/", told)["location"]
        reached = 0  # behind the last piece that was begun
        while True:
            facts = self._ask("HEAD", path, {})
            offset = int(facts["upload-offset"])
            if reached > offset:
                self.again.append(reached - offset)
            if "x-job" in facts:
                return facts["x-job"].rstrip("/").rpartition("/")[2]
            reached = self._send(path, file, offset)

    def _send(self, path: str, file: Path, offset: int) -> int:
        """Pieces over one connection, to the end or until it breaks; the byte behind the last that was begun."""
        with file.open("rb") as source:
            source.seek(offset)
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                while piece := source.read(self.chunk):
                    told = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                    offset += len(piece)
                    link.request("PATCH", path, piece, self.headers | told)
                    answer = link.getresponse()
                    answer.read()
                    if answer.status != 204:
                        self.ended[f"{answer.status} {answer.reason}"] += 1
                        break
            except Refusals as error:
                self.ended[type(error).__name__] += 1
            finally:
                link.close()
        return offset

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> dict[str, str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                link.request(method, path, headers=self.headers | headers)
                answer = link.getresponse()
                said = answer.read()
                if answer.status in (200, 201):
                    return {name.lower(): value for name, value in answer.getheaders()}
                if answer.status not in (423, 503):
                    raise RuntimeError(f"{method} was answered {answer.status}: {said[:300]!r}")
            except Refusals:
                pass
            finally:
                link.close()
            time.sleep(PAUSE_SECONDS)
        raise TimeoutError(f"{method} {path} was not answered within {PATIENCE_SECONDS} s")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
