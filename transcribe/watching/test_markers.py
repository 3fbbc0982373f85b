"""What people say, type and send is found in no line of any process, no metric and no workflow's history.

A real stack at its most talkative. In mid-job Postgres refuses the text that was heard, and quotes it when it does.
"""

import base64
import json
import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client

from transcribe.drill import SAMPLES, Drill
from transcribe.embedded import places
from transcribe.embedded.ports import free_port

pytestmark = pytest.mark.alone
TYPED = {name: f"xylophone{name}marker" for name in ("title", "prompt", "names", "password", "token", "code", "path")}
REFUSES = "ALTER TABLE jobs_segment ADD CONSTRAINT refuses CHECK (length(text) < 1) NOT VALID"
TAKES = "ALTER TABLE jobs_segment DROP CONSTRAINT refuses"


class Watched:
    """A stack that says all it can, and where it says it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pages = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOG_FORMAT", "json")
            patch.setenv("LOG_LEVEL", "DEBUG")
            patch.setenv("ENGINE_SLOTS", "1")  # one model to load
            patch.setenv("WORKER_METRICS_ADDRESS", self.pages[0])
            patch.setenv("TEMPORAL_METRICS_ADDRESS", self.pages[1])
            self.drill = Drill(places.scratch(), say=self.lines.append)
            self.drill.start()

    def of(self, process: str) -> list[str]:
        """Its lines so far."""
        head = f"{process:<9}| "
        return [line.removeprefix(head) for line in list(self.lines) if line.startswith(head)]

    def logs(self) -> str:
        """Of all four processes."""
        stack = self.drill.stack
        assert stack.postgres is not None
        assert stack.temporal is not None
        files = [log.read_text() for log in (stack.postgres.log, stack.temporal.log)]
        return "\n".join([*self.of("web"), *self.of("worker"), *files])

    def metrics(self) -> str:
        """Of the web process, the worker and the Temporal SDK in it."""
        web = self.drill.stack.address.removeprefix("http://")
        return "\n".join(fetch(f"http://{page}/metrics") for page in (web, *self.pages))

    async def histories(self) -> str:
        """Of all workflows, payloads decoded."""
        client = await Client.connect(self.drill.stack.environment()["TEMPORAL_ADDRESS"])
        kept = [
            (await client.get_workflow_handle(one.id).fetch_history()).to_json()
            async for one in client.list_workflows()
        ]
        assert kept
        payloads = [
            base64.b64decode(data).decode(errors="replace") for data in re.findall(r'"data": ?"([^"]+)"', "".join(kept))
        ]
        return "\n".join([*kept, *payloads])

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.drill.stack.environment()["DATABASE_URL"]) as link:
            link.execute(statement.encode())


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.drill.stop()


def fetch(url: str, content: bytes | None = None, **headers: str) -> str:
    """Whatever is answered, refusals too. With content it is a POST."""
    try:
        asked = urllib.request.Request(url, content, headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return str(refused.read().decode())


def knock(watched: Watched) -> str:
    """Everything secret where people and programs put it; a token that is good."""
    drill, address = watched.drill, watched.drill.stack.address
    fetch(f"{address}/api/v1/jobs?token={TYPED['token']}", Authorization=f"Bearer {TYPED['token']}")
    fetch(f"{address}/metrics", Authorization=f"Bearer {TYPED['token']}", Cookie=f"sessionid={TYPED['token']}")
    fetch(f"{address}/oidc/callback/?code={TYPED['code']}&state={TYPED['code']}")
    fetch(f"{address}/sign-in/link/someone/{TYPED['path']}/")
    fetch(f"{address}/{TYPED['path']}?next={TYPED['code']}")
    with socket.create_connection(("127.0.0.1", drill.stack.port), 20) as rude:  # uvicorn tells of it
        rude.sendall(f"{TYPED['code']}\r\n\r\n".encode())
        rude.recv(1000)
    form = urllib.parse.urlencode({"username": TYPED["password"], "password": TYPED["password"]}).encode()
    assert "password" in fetch(f"{address}/sign-in/", form, **drill.headers())
    token = str(json.loads(fetch(f"{address}/token/", b"", **drill.headers()))["token"])
    assert "[" in fetch(f"{address}/api/v1/uploads/", Authorization=f"Bearer {token}")
    return token


def transcribe(watched: Watched, recording: Path) -> str:
    """The text of a recording that Postgres refused once."""
    watched.execute(REFUSES)
    asked = {"prompt": TYPED["prompt"], "hot_words": TYPED["names"]}
    job = watched.drill.upload(recording, title=f"{TYPED['title']}.mp3", **asked)
    watched.drill.wait(lambda: max(watched.drill.attempts(job), default=0) > 1, "a second attempt", 120)
    watched.execute(TAKES)
    assert watched.drill.wait_for_end(job) == ("succeeded", "")
    return " ".join(watched.drill.text(job))


def threes(text: str) -> set[str]:
    """Each three words that follow each other."""
    said = text.split()
    return {" ".join(said[at : at + 3]) for at in range(len(said) - 2)}


async def test_nothing_secret_is_anywhere_and_every_line_can_be_read(watched: Watched, tmp_path: Path) -> None:
    short = tmp_path / "short.mp3"
    short.write_bytes((SAMPLES / "english.mp3").read_bytes()[:250_000])
    token = knock(watched)
    heard = threes(transcribe(watched, short))
    assert len(heard) > 50
    link = watched.drill.stack.link.rstrip("/").rpartition("/")[2]
    secrets = {**TYPED, "a good token": token, "its signature": token.rpartition(".")[2], "the link": link}
    looks: dict[str, Callable[[], str]] = {"logs": watched.logs, "metrics": watched.metrics}
    found = {name: look() for name, look in looks.items()} | {"histories": await watched.histories()}
    for place, text in found.items():
        assert {name for name, secret in secrets.items() if secret in text} == set(), place
        assert {words for words in heard if words in text} == set(), place
    assert "CheckViolation: (23514)" in found["logs"]  # it was refused, and that is told
    assert "transcribe_engine_slots_busy" in found["metrics"]
    assert "temporal_activity_execution_failed" in found["metrics"]
    for process in ("web", "worker"):
        lines = [json.loads(line) for line in watched.of(process)]
        assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert [
        line for line in lines if line.get("run") and line.get("job") and line.get("attempt") and line.get("worker")
    ]
    web = [json.loads(line) for line in watched.of("web")]
    requests = [line for line in web if line["logger"] == "transcribe.watching.requests"]
    assert {line["route"] for line in requests} >= {"/sign-in/link/<str:uid>/<str:token>/", "unknown", "/api/v1/upload"}
    assert all(line["request_id"] for line in requests)
    assert "uvicorn.error" in {line["logger"] for line in web}
    assert [line for line in web if line["message"].endswith("was uploaded.") and line["job"] and line["request_id"]]
