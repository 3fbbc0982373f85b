"""What a client asks for, from the fields of its form."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.errors import BadUpload
from jobs.services.hints import last_of
from jobs.services.options import FIELDS, TRANSLATE, Options, read_options

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
SEGMENT, WORD = "segment", "word"
THEIR_MODELS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe")  # here: the default one


@dataclass(frozen=True)
class Asked:
    """`format` is one of FORMATS; `stream` sends the text as it is written; `times` of what, in `verbose_json`."""

    format: str = "json"
    stream: bool = False
    times: frozenset[str] = frozenset({SEGMENT})


def options_of(fields: Mapping[str, str], task: str) -> Options:
    """The run's options. Raises JobError.

    Of a long `prompt` the end counts, as theirs. `hot_words` and `beam` are ours. `temperature` changes nothing: ours
    begins at 0 and rises where the text is not believed, which is what theirs does at 0.
    """
    model = fields.get("model", "")
    asked = {name: fields.get(name, "") for name in FIELDS}
    asked |= {"model": "" if model in THEIR_MODELS else model, "prompt": last_of(asked["prompt"]), "task": task}
    return read_options(asked)


def asked(fields: Mapping[str, str], task: str) -> Asked:
    """Raises BadUpload for what cannot be answered here, before the recording is kept."""
    form = fields.get("response_format") or "json"
    if form not in FORMATS:
        known = ", ".join(FORMATS)
        raise BadUpload("Choose one of these for response_format: %(known)s.", code="bad_format", known=known)
    times = frozenset(_listed(fields, "timestamp_granularities")) or Asked.times
    _check_times(times, form, task)
    return Asked(form, stream=fields.get("stream", "").lower() in ("true", "1"), times=times)


def _check_times(times: frozenset[str], form: str, task: str) -> None:
    if not times <= {SEGMENT, WORD}:
        raise BadUpload("Choose word, segment or both for timestamp_granularities.", code="bad_granularity")
    if WORD in times and form != "verbose_json":
        raise BadUpload("Times of words need verbose_json as response_format.", code="bad_granularity")
    if WORD in times and task == TRANSLATE:
        raise BadUpload("The words of a translation have no times. Ask for segments.", code="no_word_times")


def _listed(fields: Mapping[str, str], name: str) -> list[str]:
    """A list as their clients send it, one part for each of it, or as scripts do, with commas."""
    said = fields.get(f"{name}[]", "") + "," + fields.get(name, "")
    return [one for one in map(str.strip, said.split(",")) if one]
