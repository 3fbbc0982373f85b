"""Transcripts as files. A format is a function from a run to chunks of text; a new one is one line in FORMATS.

`export(run, "txt")` is what a download and the command line call; it reads the segments in steps, so memory stays flat.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.exports.json import as_json
from jobs.exports.response import attachment, file_name
from jobs.exports.subtitles import as_srt, as_vtt
from jobs.exports.table import as_tsv
from jobs.exports.text import as_text
from jobs.models import Job, Run


@dataclass(frozen=True)
class Format:
    """`write` yields the file's text; `content_type` goes with it; `suffix` ends its name; people choose by `label`."""

    write: Callable[[Run], Iterator[str]]
    content_type: str
    suffix: str
    label: str | Promise


FORMATS: dict[str, Format] = {  # in the order of the menu
    "txt": Format(as_text, "text/plain; charset=utf-8", ".txt", _("Text")),
    "srt": Format(as_srt, "application/x-subrip; charset=utf-8", ".srt", _("Subtitles (SRT)")),
    "vtt": Format(as_vtt, "text/vtt; charset=utf-8", ".vtt", _("Subtitles (WebVTT)")),
    "tsv": Format(as_tsv, "text/tab-separated-values; charset=utf-8", ".tsv", _("Table (TSV)")),
    "json": Format(as_json, "application/json; charset=utf-8", ".json", _("All details (JSON)")),
}

__all__ = ["FORMATS", "Format", "export", "respond"]


def export(run: Run, format_name: str) -> Iterator[str]:
    """The run's transcript, as far as it is written, in chunks of text; KeyError for a format that is not there."""
    return FORMATS[format_name].write(run)


def respond(request: HttpRequest, job: Job, run: Run, format_name: str) -> StreamingHttpResponse:
    """The same as a download named after the recording."""
    form = FORMATS[format_name]
    run.job = job  # the exporters read the recording's facts: no second query
    name = file_name(job.title, form.suffix)
    return attachment(request, form.write(run), name=name, content_type=form.content_type)
