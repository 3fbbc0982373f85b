"""What a person may choose for a run; stored at submission and never changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jobs.errors import JobError
from jobs.services.languages import LANGUAGES
from jobs.services.offers import Offer, offers

TRANSCRIBE, TRANSLATE = "transcribe", "translate"
TASKS = (TRANSCRIBE, TRANSLATE)
FIELDS = ("language", "model", "task")  # as forms, tus metadata and stored rows name them


@dataclass(frozen=True)
class Options:
    language: str | None = None  # a Whisper language code; None: decided by vote over the speech
    model: str | None = None  # None: the default one when the run is queued
    task: str = TRANSCRIBE  # or TRANSLATE: into English

    def as_json(self) -> dict[str, str | None]:
        return asdict(self)


def read_options(fields: Mapping[str, Any]) -> Options:
    """Options from a form, upload metadata or a command; missing and empty fields mean the default.

    Raises JobError: `bad_language`, `bad_task`, and what `check_options` raises. Asks the database.
    """
    options = stored_options(fields)
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
        language=said["language"].lower() or None, model=said["model"] or None, task=said["task"].lower() or TRANSCRIBE
    )


def check_options(options: Options) -> None:
    """Raises JobError: `model_not_offered`, `english_only` or `cannot_translate`. Asks the database."""
    if options in (Options(), Options("en")):
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
