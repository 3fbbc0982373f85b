"""SubRip and WebVTT, for players and video editors."""

from collections.abc import Iterator

from jobs.exports.cues import cues, times
from jobs.models import Run

# All that WebVTT takes for markup. `-->` in a text would begin another cue, so it may not stand there either.
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def as_srt(run: Run) -> Iterator[str]:
    """SubRip: numbered from 1, decimal comma. Lines end with LF, as openai-whisper and FFmpeg write them.

    Every player of today reads LF and CRLF; scripts that cut such files at empty lines often know LF alone.
    SubRip has no escapes: `-->` becomes `->`, as in openai-whisper, and other characters stay what they are.
    """
    for number, cue in enumerate(cues(run), 1):
        text = "\n".join(cue.lines).replace("-->", "->")
        yield f"{number}\n{times(cue, ',')}\n{text}\n\n"


def as_vtt(run: Run) -> Iterator[str]:
    """WebVTT: the header also where nothing was said, decimal point, `&`, `<` and `>` escaped."""
    yield "WEBVTT\n\n"
    for cue in cues(run):
        text = "\n".join(cue.lines).translate(ESCAPES)
        yield f"{times(cue, '.')}\n{text}\n\n"
