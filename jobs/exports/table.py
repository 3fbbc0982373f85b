"""Tab-separated lines as openai-whisper writes them: start and end in whole milliseconds, then the text."""

from collections.abc import Iterator

from jobs.exports.segments import segments_of
from jobs.models import Run


def as_tsv(run: Run) -> Iterator[str]:
    """A header and a line for each stretch of speech. A tab or a line break in a text becomes a space."""
    yield "start\tend\ttext\n"
    for segment in segments_of(run):
        yield f"{round(1000 * segment.start)}\t{round(1000 * segment.end)}\t{' '.join(segment.text.split())}\n"
