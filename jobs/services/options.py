"""What a person may choose for a run; stored at submission and never changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from jobs.errors import JobError
from jobs.services.languages import LANGUAGES


@dataclass(frozen=True)
class Options:
    language: str | None = None  # a Whisper language code; None: decided by vote over the speech

    def as_json(self) -> dict[str, str | None]:
        return asdict(self)


def read_options(fields: Mapping[str, str | None]) -> Options:
    """Options from a form, a query or a stored run. Raises JobError for a language no model knows."""
    language = (fields.get("language") or "").strip().lower() or None
    if language is not None and language not in LANGUAGES:
        raise JobError(f"There is no language {language!r}. Use a code such as en or de.", code="bad_language")
    return Options(language=language)
