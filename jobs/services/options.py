"""What a person may choose for a run; stored at submission and never changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from jobs.errors import JobError
from jobs.services.hints import read_hot_words, read_prompt
from jobs.services.languages import LANGUAGES
from jobs.services.offers import Offer, offers

TRANSCRIBE, TRANSLATE = "transcribe", "translate"
TASKS = (TRANSCRIBE, TRANSLATE)
QUICK, THOROUGH, MOST = 1, 5, 8  # hypotheses followed at once
FIELDS = ("language", "model", "task", "prompt", "hot_words", "beam")  # as forms, tus metadata and stored rows say
PRIVATE = ("prompt", "hot_words")  # people's own text: in no log, and no operator's without the right to see titles


A_BEAM = 0.15  # of a window's time, for each hypothesis after the first


def work_of(beam: int) -> float:
    """How many times as long an engine takes for so many hypotheses as for one.

    The whole window, encoder and all, took 1.1 times as long for 2 and 1.5 to 1.65 times for 5 (base dimensions,
    8 windows, 60 and 100 tokens, one thread, 8-bit weights).
    """
    return 1 + (beam - 1) * A_BEAM


@dataclass(frozen=True)
class Options:
    language: str | None = None  # a Whisper language code; None: decided by vote over the speech
    model: str | None = None  # None: the default one when the run is queued
    task: str = TRANSCRIBE  # or TRANSLATE: into English
    prompt: str = ""  # as if said before the recording
    hot_words: str = ""  # names and terms to expect, parted by commas
    beam: int = QUICK  # up to MOST; people choose between QUICK and THOROUGH

    def as_json(self) -> dict[str, str | int | None]:
        return asdict(self)


def read_options(fields: Mapping[str, Any]) -> Options:
    """Options from a form, upload metadata or a command; missing and empty fields mean the default.

    Raises JobError: `bad_language`, `bad_task`, `bad_beam`, and what `jobs.services.hints` and `check_options` raise.
    Asks the database.
    """
    asked = {name: str(fields.get(name) or "") for name in FIELDS}  # by `get`: Django's form data unpack as lists
    asked |= {"prompt": read_prompt(asked["prompt"]), "hot_words": read_hot_words(asked["hot_words"])}
    _check_beam(asked["beam"])
    options = stored_options(asked)
    if options.language is not None and options.language not in LANGUAGES:
        raise JobError(
            "There is no language “%(language)s”. Use a code such as en or de.",
            code="bad_language",
            language=options.language,
        )
    if options.task not in TASKS:
        raise JobError(
            "There is no task “%(task)s”. Choose transcribe or translate.", code="bad_task", task=options.task
        )
    check_options(options)
    return options


def stored_options(fields: Mapping[str, Any]) -> Options:
    """Options as they were accepted once, of a row that may be older than some of them. Nothing is checked again: the
    workers of that time may be gone, and an upload must not be lost over it."""
    said = {name: str(fields.get(name) or "").strip() for name in FIELDS}
    return Options(
        language=said["language"].lower() or None,
        model=said["model"] or None,
        task=said["task"].lower() or TRANSCRIBE,
        prompt=said["prompt"],
        hot_words=said["hot_words"],
        beam=int(said["beam"] or QUICK),
    )


def _check_beam(said: str) -> None:
    if said.strip() not in ("", *map(str, range(QUICK, MOST + 1))):
        raise JobError(
            "There is no beam “%(beam)s”. Choose a number from 1 (quick) to %(most)d.",
            code="bad_beam",
            beam=said[:20],
            most=MOST,
        )


def check_options(options: Options) -> None:
    """Raises JobError: `model_not_offered`, `english_only` or `cannot_translate`. Asks the database."""
    if replace(options, prompt="", hot_words="", beam=QUICK) in (Options(), Options("en")):
        return  # every model can do that
    offered = offers()
    chosen = next((offer for offer in offered if options.model in (None, offer.model)), None)
    if chosen is None:
        raise JobError(
            "The model “%(model)s” is not offered now. Choose one of these: %(models)s.",
            code="model_not_offered",
            model=options.model,
            models=", ".join(offer.model for offer in offered),
        )
    if chosen.english_only and options.language not in (None, "en"):
        raise JobError(
            "The model “%(model)s” knows English only. Choose English or another model.",
            code="english_only",
            model=chosen.model,
        )
    if options.task == TRANSLATE and not chosen.translates:
        raise _cannot_translate(chosen, ", ".join(offer.model for offer in offered if offer.translates))


def _cannot_translate(chosen: Offer, able: str) -> JobError:
    code, model = "cannot_translate", chosen.model
    if not able:
        return JobError("The model “%(model)s” cannot translate. Choose no translation.", code=code, model=model)
    return JobError(
        "The model “%(model)s” cannot translate. Choose one of these, or no translation: %(models)s.",
        code=code,
        model=model,
        models=able,
    )
