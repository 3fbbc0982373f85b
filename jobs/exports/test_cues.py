"""Subtitles and tables, read back by a parser that is not ours."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
import webvtt

from accounts.models import User
from jobs.exports import FORMATS, export
from jobs.exports.cues import LINES, WIDTH, cues
from jobs.models import Job, Run, Segment
from jobs.speaking import evenly, speak

LONG = "The committee met on Tuesday, and although nobody had read the minutes, they were approved. " * 3
HOSTILE = "a --> b & <script>alert(1)</script>\n\n2\n00:00:00,000 --> 00:00:09,000\nnot a cue"
Say = Callable[..., Run]


@pytest.fixture
def say(alice: User, make_job: Callable[..., Job]) -> Say:
    """say((start, end, text), ...) -> a run in which this was said."""

    def make(*said: tuple[float, float, str]) -> Run:
        run = make_job(alice, state="succeeded").current_run
        assert run is not None
        segments = speak(run, [text for _, _, text in said])
        for segment, (start, end, text) in zip(segments, said, strict=True):
            segment.start, segment.end, segment.text = start, end, text
            segment.save()
        return run

    return make


def read(run: Run, name: str) -> list[webvtt.Caption]:
    found: Any = webvtt.from_buffer(StringIO("".join(export(run, name))), format=name)
    return list(found)


def test_srt_to_the_letter(say: Say) -> None:
    run = say((0.0, 1.5, " Good morning."), (3661.0421, 3662.9, "Second & <last>."))
    assert "".join(export(run, "srt")) == (
        "1\n00:00:00,000 --> 00:00:01,500\nGood morning.\n\n2\n01:01:01,042 --> 01:01:02,900\nSecond & <last>.\n\n"
    )


def test_vtt_to_the_letter(say: Say) -> None:
    run = say((0.0, 1.5, " Good morning."), (360_000.0, 360_002.0, "Second & <last>."))
    assert "".join(export(run, "vtt")) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nGood morning.\n\n"
        "100:00:00.000 --> 100:00:02.000\nSecond &amp; &lt;last&gt;.\n\n"
    )


def test_tsv_to_the_letter(say: Say) -> None:
    run = say((0.0, 1.4996, " Good\tmorning.\n"), (3.0, 4.0, "Second."))
    assert "".join(export(run, "tsv")) == "start\tend\ttext\n0\t1500\tGood morning.\n3000\t4000\tSecond.\n"


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_a_text_that_looks_like_a_cue_stays_text(say: Say, name: str) -> None:
    run = say((0.0, 8.0, HOSTILE), (8.0, 9.0, "Last."))
    found = read(run, name)
    assert "".join(export(run, name)).count("-->") == len(found)
    shown = " ".join(caption.raw_text.replace("\n", " ") for caption in found)
    plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("-->", "->")
    assert plain == " ".join(f"{HOSTILE} Last.".replace("-->", "->").split())


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_a_parser_finds_the_times_and_all_words(say: Say, name: str) -> None:
    run = say((0.5, 20.5, LONG), (20.5, 22.0, "Grüße, 世界."))
    found = read(run, name)
    assert " ".join(caption.text.replace("\n", " ") for caption in found) == f"{LONG}Grüße, 世界."
    assert (found[0].start, found[-1].end) == ("00:00:00.500", "00:00:22.000")
    assert [(len(c.lines) <= LINES, max(map(len, c.lines)) <= WIDTH) for c in found] == [(True, True)] * len(found)
    assert all(earlier.end <= later.start for earlier, later in pairwise(found))


def test_time_is_shared_by_characters(say: Say) -> None:
    found = list(cues(say((10.0, 30.0, LONG))))
    assert (found[0].start, found[-1].end) == (10_000, 30_000)
    speeds = [sum(map(len, cue.lines)) / (cue.end - cue.start) for cue in found]
    assert max(speeds) / min(speeds) < 1.1
    assert min(sum(map(len, cue.lines)) for cue in found) > WIDTH / 2  # no cue of a leftover word


@pytest.mark.parametrize(
    "said",
    [
        [(1.0, 1.0, "No time at all."), (1.0, 1.0, "Nor here."), (1.0, 3.0, "Then some.")],
        [(0.0, 9.0, "Over"), (2.0, 3.0, "one"), (2.5, 4.0, "another")],
        [(5.0, 4.0, "Backwards."), (5.0, 5.001, LONG)],
        [(0.0, 2.0, "x" * 500), (2.0, 4.0, "字" * 200)],
        [(0.0, 1.0, "  "), (1.0, 2.0, "\u2028"), (2.0, 3.0, "Alone.")],
    ],
)
def test_cues_follow_each_other_whatever_the_engine_said(say: Say, said: list[tuple[float, float, str]]) -> None:
    run = say(*said)
    found = list(cues(run))
    assert all(cue.start < cue.end for cue in found)
    assert all(earlier.end <= later.start for earlier, later in pairwise(found))
    words = "".join("".join(cue.lines) for cue in found)
    assert words.replace(" ", "") == "".join("".join(text.split()) for _, _, text in said)


def test_nothing_said(say: Say) -> None:
    run = say()
    assert "".join(export(run, "srt")) == ""
    assert "".join(export(run, "vtt")) == "WEBVTT\n\n"
    assert "".join(export(run, "tsv")) == "start\tend\ttext\n"


def test_a_day_of_speech_is_written_in_steps(say: Say) -> None:
    run = say((0.0, 1.0, "First."))
    window = run.windows.get()
    more = (Segment(run=run, window=window, index=n, start=n * 10, end=n * 10 + 9, text=LONG) for n in range(1, 2500))
    Segment.objects.bulk_create(more)
    chunks = export(run, "srt")
    assert next(chunks).startswith("1\n00:00:00,000")
    assert max(map(len, chunks)) < 200
    assert timedelta(milliseconds=list(cues(run))[-1].end) == timedelta(seconds=2499 * 10 + 9)


def test_every_format_has_a_label() -> None:
    assert [str(form.label) for form in FORMATS.values()] == [
        "Text",
        "Subtitles (SRT)",
        "Subtitles (WebVTT)",
        "Table (TSV)",
        "All details (JSON)",
    ]


def test_a_cue_begins_with_its_first_word(say: Say) -> None:
    """The speaker hesitates before the second half: by their characters the halves would be of the same length."""
    first = "One two three four five six seven eight nine ten eleven twelve"
    second = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    run = say((10.0, 20.0, f"{first} {second}"))
    run.segments.update(words=evenly(first, 10.0, 2.0) + evenly(second, 17.0, 3.0))
    assert [(cue.start, cue.end) for cue in cues(run)] == [(10_000, 17_000), (17_000, 20_000)]
    run.segments.update(words=evenly(first, 10.0, 2.0))  # that do not make up the text
    assert [cue.start for cue in cues(run)] != [10_000, 17_000]


def test_words_all_at_once_still_leave_cues_that_can_be_seen(say: Say) -> None:
    run = say((1.0, 2.0, LONG))
    run.segments.update(words=evenly(LONG, 2.0, 0.0))
    found = list(cues(run))
    assert len(found) > 2
    assert all(cue.end - cue.start >= 100 for cue in found)
    assert (found[0].start, found[-1].end) == (1000, 2000)
