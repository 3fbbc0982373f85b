"""Plain text: one line for each stretch of speech, an empty line where the speaker paused for long."""

from collections.abc import Iterator

from jobs.exports.segments import segments_of
from jobs.models import Run

PAUSE = 2.0  # seconds; a longer silence begins a paragraph


def as_text(run: Run) -> Iterator[str]:
    """UTF-8 lines without times; nothing at all where nothing was said."""
    ended: float | None = None
    for segment in segments_of(run):
        words = " ".join(segment.text.split())  # a line break inside would look like another line
        if not words:
            continue
        yield f"\n{words}\n" if ended is not None and segment.start - ended >= PAUSE else f"{words}\n"
        ended = segment.end
