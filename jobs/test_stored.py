"""What stands in rows and what is raised, said in the reader's language."""

from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from accounts.models import User
from jobs import words
from jobs.errors import TooLarge
from jobs.models import Run
from jobs.stored import said
from worker.refusals import REFUSALS
from worker.sentences import HOLES, SHORTER, TOO_LONG


@pytest.mark.parametrize("sentence", [sentence for _, sentence in REFUSALS.values()])
def test_every_refusal_of_a_recording_has_its_german(sentence: str) -> None:
    stored = sentence.format(limit="24 h")
    assert said(stored) == stored
    with translation.override("de"):
        german = said(stored)
    assert german != stored
    assert ("24 h" in german) == ("{limit}" in sentence)


@pytest.mark.parametrize(
    ("template", "values", "german"),
    [
        (SHORTER, {"read": "0:07", "stated": "1:02:03"}, "Nur 0:07 von 1:02:03 dieser Aufnahme"),
        (HOLES, {"lost": 3}, "Etwa 3 s ließen sich nicht lesen."),
        (TOO_LONG, {"limit": "90 min"}, "länger als 90 min, und"),
    ],
)
def test_what_was_inserted_is_found_again(template: str, values: dict[str, object], german: str) -> None:
    with translation.override("de"):
        assert german in said(template.format(**values))


@pytest.mark.parametrize("detail", ["", "A sentence of an older version."])
def test_what_nobody_translated_is_said_as_stored(detail: str) -> None:
    with translation.override("de"):
        assert said(detail) == detail


def test_a_code_of_the_engine_has_a_sentence_of_ours() -> None:
    run = Run(state="failed", reason="language_unknown", detail="This model knows English only.")
    with translation.override("de"):
        assert words.why(run) == "Das Modell kann diese Sprache nicht."


def test_a_refusal_is_said_in_the_language_of_its_reader() -> None:
    refusal = TooLarge("The file is larger than %(limit)s bytes, the most that can be uploaded here.", limit="7")
    with translation.override("de"):
        assert refusal.detail == "Die Datei ist größer als 7 Bytes, und mehr lässt sich hier nicht hochladen."
    assert refusal.detail == str(refusal) == "The file is larger than 7 bytes, the most that can be uploaded here."


def test_a_page_says_why_in_german(client: Client, alice: User, make_job: Any) -> None:
    client.force_login(alice)
    fields = {"reason": "no_audio", "detail": REFUSALS["no_audio"][1]}
    job = make_job(alice, state="failed", warnings=[{"code": "partial", "detail": HOLES.format(lost=3)}], **fields)
    page = client.get(f"/jobs/{job.pk}/", headers={"Accept-Language": "de"}).content.decode()
    assert "Diese Datei hat keine Tonspur." in page
    assert "Etwa 3 s ließen sich nicht lesen." in page
    assert "Diese Datei hat keine Tonspur." in client.get("/", headers={"Accept-Language": "de"}).content.decode()
