"""The official client against a whole stack with the real engine: 30 s of a sample in every format."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from transcribe.drill import SAMPLES, Drill
from transcribe.embedded import places
from worker.demo.listening import word_errors, words

pytestmark = pytest.mark.alone
SECONDS = 30
BYTES = 40_000 // 8 * SECONDS  # the sample has a constant bit rate
WANTED = words((SAMPLES / "english.txt").read_text())


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    drill = Drill(tmp_path_factory.mktemp("openai"), say=lambda line: None)
    drill.start()
    yield drill
    drill.stop()


@pytest.fixture(scope="module")
def client(drill: Drill) -> Iterator[OpenAI]:
    """With a personal token, made as an operator makes one."""
    command = [sys.executable, "manage.py", "token", "make", "admin", "--name", "client"]
    scopes = ["--scope", "uploads:write", "--scope", "jobs:read"]
    environment = os.environ | drill.stack.environment()
    made = subprocess.run(
        [*command, *scopes], cwd=places.CHECKOUT, env=environment, capture_output=True, text=True, check=True
    )
    with OpenAI(api_key=made.stdout.strip(), base_url=f"{drill.stack.address}/v1", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def sample() -> tuple[str, bytes, str]:
    return "talk.mp3", (SAMPLES / "english.mp3").read_bytes()[:BYTES], "audio/mpeg"


def is_right(text: str) -> bool:
    """Nearly all words of the sample's beginning, nothing else; the last one may be cut."""
    said = words(text)
    return len(said) > 40 and word_errors(WANTED[: len(said)], said) <= 0.05 * len(said)


def test_every_format(client: OpenAI, sample: tuple[str, bytes, str]) -> None:
    create: Any = client.audio.transcriptions.create  # its overloads know no tables of fields

    def ask(**form: object) -> Any:
        return create(model="whisper-1", language="en", file=sample, **form)

    assert is_right(ask().text)
    assert is_right(ask(response_format="text"))
    for form in ("srt", "vtt"):
        lines = ask(response_format=form).splitlines()
        text = [line for line in lines if "-->" not in line and not line.isdigit() and line != "WEBVTT"]
        assert is_right(" ".join(text))
        assert sum("-->" in line for line in lines) > 5
    assert is_right("".join(event.delta for event in ask(stream=True) if event.type == "transcript.text.delta"))
    told = ask(response_format="verbose_json", timestamp_granularities=["segment", "word"])
    assert is_right(told.text)
    assert told.language == "english"
    assert is_right(" ".join(segment.text for segment in told.segments))
    assert is_right(" ".join(word.word for word in told.words))
    assert all(word.start <= word.end <= SECONDS + 1 for word in told.words)
