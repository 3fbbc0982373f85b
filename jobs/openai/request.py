"""What a client asks for, from the fields of its form."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.errors import BadUpload
from jobs.services.options import Options, read_options

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
THEIR_MODELS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe")  # here: the default one


@dataclass(frozen=True)
class Asked:
    """`format` is one of FORMATS; `stream` sends the text as it is written."""

    format: str = "json"
    stream: bool = False


def options_of(fields: Mapping[str, str], task: str) -> Options:
    """The run's options. `prompt` and `temperature` are taken and change nothing. Raises JobError."""
    model = fields.get("model", "")
    chosen = "" if model in THEIR_MODELS else model
    return read_options({"language": fields.get("language", ""), "model": chosen, "task": task})


def asked(fields: Mapping[str, str]) -> Asked:
    """Raises BadUpload for what cannot be answered here, before the recording is kept."""
    form = fields.get("response_format") or "json"
    if form not in FORMATS:
        known = ", ".join(FORMATS)
        raise BadUpload("Choose one of these for response_format: %(known)s.", code="bad_format", known=known)
    if "word" in (fields.get("timestamp_granularities[]"), fields.get("timestamp_granularities")):
        raise BadUpload("Times of words are not known here; ask for segments.", code="no_word_times")
    return Asked(form, stream=fields.get("stream", "").lower() in ("true", "1"))
