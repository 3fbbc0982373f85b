"""The official client, unchanged, against the real web server; this test plays the worker through the verbs."""

import json
from collections.abc import Iterator

import openai
import pytest
from channels.db import database_sync_to_async
from openai import OpenAI

from accounts import personal
from accounts.grants import Grant
from accounts.models import User
from jobs.hearing import hear, worker
from jobs.live import hub
from jobs.models import Job, Run
from jobs.openai.door import AudioDoor
from jobs.services.cancel import cancel, finish_cancel
from jobs.services.finish import fail
from jobs.services.options import Options
from jobs.uploads.wire import Scope
from transcribe.serving import Communicator, Server

pytestmark = pytest.mark.django_db(transaction=True)
RECORDING = ("talk.mp3", b"a recording", "audio/mpeg")


@pytest.fixture
def client(server: Server, alice: User) -> Iterator[OpenAI]:
    for path in server.files():
        path.unlink()
    token = personal.make(alice, "script", frozenset(Grant), 1)[1]
    with OpenAI(api_key=token, base_url=f"http://127.0.0.1:{server.port}/v1", max_retries=1) as made:
        yield made


def test_json_and_text(client: OpenAI, alice: User) -> None:
    with worker(hear):
        answer = client.audio.transcriptions.create(model="whisper-1", file=RECORDING)
    assert answer.text == "Eins zwei. Drei. Vier fünf."
    job = Job.objects.get()
    assert (job.owner, job.title) == (alice, "talk.mp3")
    with worker(hear):
        text = client.audio.transcriptions.create(model="whisper-1", file=RECORDING, response_format="text")
    assert text.split() == ["Eins", "zwei.", "Drei.", "Vier", "fünf."]


def test_subtitles(client: OpenAI) -> None:
    with worker(hear):
        srt = client.audio.transcriptions.create(model="whisper-1", file=RECORDING, response_format="srt")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:01,000\nEins zwei.\n")
    with worker(hear):
        vtt = client.audio.transcriptions.create(model="whisper-1", file=RECORDING, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n")


def test_verbose_json(client: OpenAI) -> None:
    with worker(hear):
        answer = client.audio.transcriptions.create(model="whisper-1", file=RECORDING, response_format="verbose_json")
    assert (answer.language, answer.duration) == ("german", 20.0)
    assert answer.segments is not None
    assert [(s.id, s.start, s.end, s.text) for s in answer.segments] == [
        (0, 0.0, 1.0, " Eins zwei."),
        (1, 1.0, 2.0, " Drei."),
        (2, 12.0, 14.5, " Vier fünf."),
    ]
    assert (answer.segments[2].seek, answer.segments[2].avg_logprob) == (1000, -0.2)


def test_prompt_hot_words_and_beam_go_with_the_run(client: OpenAI) -> None:
    """Of a prompt longer than ours may be, the end counts, as theirs; temperature changes nothing."""
    with worker(hear):
        client.audio.transcriptions.create(
            model="whisper-1",
            file=RECORDING,
            prompt="word " * 200 + "end.",
            temperature=0.2,
            extra_body={"hot_words": "Łódź\nNVMe", "beam": 5},
        )
    told = Run.objects.get().options
    assert told == Options(prompt="word " * 159 + "end.", hot_words="Łódź, NVMe", beam=5).as_json()


def test_times_of_words(client: OpenAI) -> None:
    with worker(hear):
        both = client.audio.transcriptions.create(
            model="whisper-1",
            file=RECORDING,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    assert both.words is not None
    assert [(w.word, w.start, w.end) for w in both.words] == [("Vier", 12.0, 13.0), ("fünf.", 13.25, 14.5)]
    assert both.segments is not None
    assert len(both.segments) == 3
    with worker(hear):
        alone = client.audio.transcriptions.create(
            model="whisper-1", file=RECORDING, response_format="verbose_json", timestamp_granularities=["word"]
        )
    assert alone.words == both.words
    assert alone.segments is None


def test_a_translation_is_one(client: OpenAI) -> None:
    with worker(hear), pytest.warns(DeprecationWarning, match="deprecated"):  # the client says so of its whole method
        client.audio.translations.create(model="whisper-1", file=RECORDING)
    assert Run.objects.get().task == "translate"


def test_a_stream_brings_the_text_in_order(client: OpenAI) -> None:
    with worker(hear), client.audio.transcriptions.create(model="whisper-1", file=RECORDING, stream=True) as events:
        said = list(events)
    assert "".join(e.delta for e in said if e.type == "transcript.text.delta") == "Eins zwei. Drei. Vier fünf."
    assert said[-1].type == "transcript.text.done"
    assert said[-1].text == "Eins zwei. Drei. Vier fünf."


def test_a_failure_says_why_and_is_not_tried_again(client: OpenAI) -> None:
    def refuse(run: Run) -> None:
        fail(run.pk, reason="no_audio", detail="There is no sound in this file.")

    with worker(refuse), pytest.raises(openai.UnprocessableEntityError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=RECORDING)
    assert refused.value.code == "no_audio"
    assert "There is no sound in this file." in str(refused.value)
    assert Job.objects.count() == 1


def test_a_cancelled_one_is_not_sent_again(client: OpenAI) -> None:
    def stop(run: Run) -> None:
        run.refresh_from_db()
        run.job.current_run = run
        cancel(run.job)
        finish_cancel(run.pk)

    with worker(stop), pytest.raises(openai.ConflictError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=RECORDING)
    assert refused.value.code == "cancelled"
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "gpt-99"}, "model_not_offered"),
        ({"model": "whisper-1", "language": "xx"}, "bad_language"),
        ({"model": "whisper-1", "extra_body": {"beam": 9}}, "bad_beam"),
        ({"model": "whisper-1", "response_format": "diarized_json"}, "bad_format"),
        ({"model": "whisper-1", "timestamp_granularities": ["word"]}, "bad_granularity"),
        ({"model": "whisper-1", "timestamp_granularities": ["letter"]}, "bad_granularity"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_kept(
    client: OpenAI, server: Server, fields: dict[str, object], code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(file=RECORDING, **fields)  # type: ignore[call-overload]  # a table of fields
    assert refused.value.code == code
    assert not Job.objects.exists()
    assert server.files() == []


def test_the_words_of_a_translation_have_no_times(client: OpenAI) -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
    with (
        pytest.raises(openai.BadRequestError) as refused,
        pytest.warns(DeprecationWarning, match="deprecated"),
    ):
        client.audio.translations.create(model="whisper-1", file=RECORDING, extra_body=fields)
    assert refused.value.code == "no_word_times"
    assert not Job.objects.exists()


def test_models(client: OpenAI) -> None:
    (only,) = client.models.list().data
    assert client.models.retrieve(only.id).id == only.id
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-99")


def test_no_key_and_a_key_without_the_scope(client: OpenAI, alice: User) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="nothing").audio.transcriptions.create(model="whisper-1", file=RECORDING)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="nothing").models.list()
    reader = personal.make(alice, "reader", frozenset({Grant.JOBS_READ}), 1)[1]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.with_options(api_key=reader).audio.transcriptions.create(model="whisper-1", file=RECORDING)
    assert refused.value.code == "scope_missing"


async def test_who_waits_too_long_is_told_where_the_text_will_be(alice: User, settings: object, media: object) -> None:
    settings.OPENAI_WAIT_SECONDS = 0.2  # type: ignore[attr-defined]  # pytest-django's

    async def known(_scope: Scope) -> User:
        return alice

    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nsound\r\n--x--\r\n'
    headers = [(b"authorization", b"Bearer x"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/audio/transcriptions",
        "query_string": b"",
        "headers": headers,
    }
    talk = Communicator(AudioDoor("transcribe", known), scope)
    await talk.send_input({"type": "http.request", "body": body, "more_body": False})
    start = await talk.receive_output(20)
    said = json.loads((await talk.receive_output(5))["body"])["error"]
    await hub().stop()
    job = await database_sync_to_async(Job.objects.get, thread_sensitive=False)()
    assert (start["status"], said["code"]) == (504, "still_running")
    assert (b"x-should-retry", b"false") in start["headers"]
    assert f"/api/v1/jobs/{job.pk}/download" in said["message"]
