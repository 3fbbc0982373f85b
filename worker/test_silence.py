"""Text in a pause is marked; text near speech is not, because times are rough."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from worker.engine.base import Segment
from worker.plan import FRAME_SECONDS
from worker.silence import mark_silence


def said(start: float, end: float) -> Segment:
    return Segment(start, end, "Thank you.", -0.2, 0.0, 1.1, 0.0, notes=("too_fast",))


def test_text_where_nobody_was_heard_is_marked(tmp_path: Path) -> None:
    frames = np.zeros(round(60 / FRAME_SECONDS), np.uint8)
    frames[round(10 / FRAME_SECONDS) : round(12 / FRAME_SECONDS)] = 90  # maybe speech
    (tmp_path / "x.speech").write_bytes(frames.tobytes())
    heard = [said(0.0, 2.0), said(9.0, 9.9), said(11.0, 11.5), said(12.1, 14.0), said(13.0, 15.0), said(58.0, 60.0)]
    marked = mark_silence(heard, tmp_path / "x.speech")
    assert [segment.start for segment in marked if "no_speech_heard" in segment.notes] == [0.0, 13.0, 58.0]
    assert all(segment.notes[0] == "too_fast" for segment in marked)


def test_more_words_than_fit_into_what_was_heard_are_marked(tmp_path: Path) -> None:
    frames = np.zeros(round(20 / FRAME_SECONDS), np.uint8)
    frames[100:104] = 200  # a chord is struck
    frames[300:400] = 200
    (tmp_path / "x.speech").write_bytes(frames.tobytes())
    text = "Unser Team liest die lange Rechnung."
    heard = [replace(said(3.2, 5.5), text=text), replace(said(9.6, 12.8), text=text), said(3.2, 5.5)]
    marked = mark_silence(heard, tmp_path / "x.speech")
    assert ["no_speech_heard" in segment.notes for segment in marked] == [True, False, False]
