"""What the API says and takes, as pydantic models: their descriptions and examples are the documentation.

Not ninja's Schema: that asks each field through a getter made for Django's rows, which was half the time of a list.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from jobs.services.hints import HOT_WORDS, HOT_WORDS_CHARACTERS, PROMPT_CHARACTERS
from jobs.services.options import MOST, QUICK, THOROUGH
from jobs.states import RunState

Task = Literal["transcribe", "translate"]
PROMPT = "Text as if said just before the recording: it bends the odds towards its topic and style."
NAMES = "Names and terms to expect, parted by commas or lines."
BEAM = "Hypotheses followed at once: 1 is quick,"
TALK = "A talk about the storage of our servers."


class Problem(BaseModel):
    """Every refusal has this form. `code` is stable; `detail` is a sentence with the next step."""

    code: str = Field(examples=["not_found"])
    detail: str = Field(examples=["There is no such recording."])
    request_id: str = Field(
        description="Name it when you ask the operator.", examples=["5f0c6a0f0d5b4b5e8f5d0c2f1a7e9b3d"]
    )


class OptionsIn(BaseModel):
    """What may be chosen for a run. Left out: the language is heard, the model is the default one."""

    language: str | None = Field(None, description="Code of the spoken language; null: found out.", examples=["de"])
    model: str | None = Field(None, description="One of `GET /api/v1/models`; null: the default.", examples=["base"])
    task: Task = Field("transcribe", description="`translate`: into English, where the model can.")
    prompt: str = Field("", description=f"{PROMPT} At most {PROMPT_CHARACTERS} characters.", examples=[TALK])
    hot_words: str = Field(
        "",
        description=f"{NAMES} At most {HOT_WORDS} of them, {HOT_WORDS_CHARACTERS} characters.",
        examples=["Ngozi Adeyemi, NVMe, Bad Aibling"],
    )
    beam: int = Field(QUICK, description=f"{BEAM} {THOROUGH} is thorough and takes longer.", ge=QUICK, le=MOST)


class RunIn(OptionsIn):
    """The whole recording, or with `from` and `to` a part of it; its task is then that of the run before."""

    start: float | None = Field(None, alias="from", ge=0, description="Second the part begins at.", examples=[62.0])
    end: float | None = Field(None, alias="to", gt=0, description="Second it ends at.", examples=[100.0])


class PartOut(BaseModel):
    """Seconds of the recording, widened to whole segments; the rest of the text is that of the run `of`."""

    start: float = Field(examples=[61.8])
    end: float = Field(examples=[101.3])
    of: int | None = Field(description="Number of a run.", examples=[1])


class Warning(BaseModel):
    code: str = Field(examples=["partial"])
    detail: str


class RunOut(BaseModel):
    """One transcription of a recording."""

    id: UUID
    number: int = Field(description="1 for the first; run again makes the next.", examples=[1])
    state: RunState
    stage: str | None = Field(description="What a running run is doing.", examples=["transcribing"])
    model: str = Field(examples=["base"])
    mode: str | None = Field(
        description="How it was heard: `fast`, or `exact` as openai-whisper; null: not yet, or not known.",
        examples=["fast"],
    )
    task: Task
    language: str | None = Field(description="The spoken one, chosen or heard.", examples=["de"])
    text_language: str | None = Field(description="`en` after a translation.", examples=["de"])
    language_probability: float | None = Field(
        description="0 to 1 where it was heard; null where chosen.", examples=[0.98]
    )
    beam: int = Field(description="As asked for.", examples=[1])
    reason: str | None = Field(description="Code of the failure.", examples=[None])
    detail: str | None = Field(description="The failure as a sentence.", examples=[None])
    warnings: list[Warning]
    part: PartOut | None = Field(description="What was heard anew, where that was a part; null: all of it.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class EventOut(BaseModel):
    """A move in a run's history."""

    at: datetime
    state: RunState
    stage: str | None
    attempt: int | None
    reason: str | None
    detail: str | None


class RunDetail(RunOut):
    prompt: str = Field(description=PROMPT, examples=[TALK])
    hot_words: str = Field(description=NAMES, examples=["Ngozi Adeyemi, NVMe"])
    history: list[EventOut]


class JobOut(BaseModel):
    """A recording and its current run."""

    id: UUID
    title: str = Field(examples=["interview.mp3"])
    url: str = Field(description="Its page.", examples=["/jobs/018f.../"])
    size: int = Field(description="Bytes.", examples=[48_213_004])
    sha256: str
    duration: float | None = Field(description="Seconds, known after decoding.", examples=[3612.4])
    created_at: datetime
    kept: bool = Field(description="Never deleted by itself.", examples=[False])
    deleted_at: datetime | None = Field(
        description="Soon after it is deleted by itself, unless kept; null: never, or not while a run is open.",
        examples=["2026-04-01T09:30:00+00:00"],
    )
    state: RunState | None
    percent: int | None = Field(
        description="0 to 100 of the speech heard; null before the plan is known.", examples=[42]
    )
    seconds_left: float | None = Field(description="From measured speed.", examples=[95.0])
    work_seconds: float | None = Field(
        description="What all of it takes the workers there are, from their measured speed; while it runs.",
        examples=[720.0],
    )
    finish_at: datetime | None = Field(description="About when it will be done; null: nobody can say now.")
    place: int | None = Field(
        description="In the queue, 1 is next; 0: no worker has the model; -1: no worker runs.", examples=[None]
    )
    run: RunOut | None


class JobPage(BaseModel):
    jobs: list[JobOut]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null: this is the last.")


class WordOut(BaseModel):
    """As written, with its punctuation, and with a space before it where there is one."""

    start: float = Field(examples=[12.48])
    end: float = Field(examples=[12.61])
    text: str = Field(examples=[" The"])
    probability: float = Field(description="0 to 1: how sure the model was of it.", examples=[0.98])


class SegmentOut(BaseModel):
    """Words with their times in seconds of the recording, and the engine's scores."""

    id: int
    start: float = Field(examples=[12.48])
    end: float = Field(examples=[15.02])
    text: str = Field(examples=["The boat comes back before the evening."])
    average_log_probability: float | None
    no_speech_probability: float | None
    compression_ratio: float | None
    temperature: float | None
    words: list[WordOut] | None = Field(
        description="null: not asked for. Empty: not known, as for translations; else they make up the text."
    )
    notes: list[str] = Field(description="Codes of what speaks against these words.", examples=[["too_fast"]])


class EntryOut(BaseModel):
    """A moment to look at again, in seconds of the recording. What `measure` is, depends on the code: docs/api.md."""

    start: float = Field(examples=[62.5])
    end: float = Field(examples=[74.1])
    code: str = Field(examples=["low_confidence"])
    measure: float | None = Field(examples=[0.41])
    language: str | None = Field(None, description="That of `other_language`.", examples=["en"])


class ReportOut(BaseModel):
    """What stands out in the text of a run. Made at its end: before, and in older runs, there is nothing in it."""

    run: int = Field(description="Number of the run.")
    mode: str | None = Field(description="As in the run.", examples=["fast"])
    made: bool
    counts: dict[str, int] = Field(examples=[{"low_confidence": 1}])
    entries: list[EntryOut] = Field(description="In the order of time, at most 200.")
    more: int = Field(description="Entries left out.", examples=[0])


class TranscriptPage(BaseModel):
    run: int = Field(description="Number of the run.")
    state: RunState = Field(description="The text can still grow unless this is final.")
    segments: list[SegmentOut]
    next: str | None = Field(description="Pass it as `after`; null: nothing more for now.")


class ModelOut(BaseModel):
    name: str = Field(examples=["base"])
    default: bool
    translates: bool = Field(description="Into English.")
    english_only: bool


class Language(BaseModel):
    code: str = Field(examples=["de"])
    name: str = Field(examples=["German"])


class ModelsOut(BaseModel):
    models: list[ModelOut]
    languages: list[Language]


class LimitsOut(BaseModel):
    upload_bytes: int = Field(description="Of one recording.", examples=[1 << 30])
    duration_seconds: int = Field(description="Of one recording.", examples=[86_400])
    unfinished_upload_seconds: int = Field(description="How long one waits to be gone on with.", examples=[86_400])
    requests_per_minute: int = Field(description="Of one person; one token has half of it.", examples=[1200])
    retention_days: int = Field(
        description="So long after its last run a recording is deleted, unless kept; 0: never.", examples=[30]
    )
    formats: list[str] = Field(description="Of transcript downloads.", examples=[["txt", "srt", "vtt", "tsv", "json"]])


class Me(BaseModel):
    name: str
    email: str | None
    scopes: list[str] = Field(description="Of the token that asks.", examples=[["jobs:read"]])
