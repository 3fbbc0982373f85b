"""Whether the text can be trusted, with the real detector and the demo model: nothing said gives no words, a loop is
heard again and cut, another language is noted."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.engine import guards
from worker.engine.base import SAMPLE_RATE, Options, Piece
from worker.engine.batched import BatchedEngine
from worker.engine.conftest import cut_at_pauses
from worker.engine.guards import LANGUAGE_SECONDS
from worker.plan import plan
from worker.speech import Detector

if TYPE_CHECKING:
    from whisper.model import Whisper

SECONDS = 60
TIMES = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
CHANCE = np.random.default_rng(5)
NOTHING = {
    "silence": np.zeros_like(TIMES),
    "noise": CHANCE.normal(0, 0.1, len(TIMES)),
    "tone": 0.3 * np.sin(2 * np.pi * 440 * TIMES),
    "chords": 0.1 * np.sin(2 * np.pi * np.outer((220, 277, 330), TIMES)).sum(axis=0) * (TIMES % 2 < 1.5),
    "a chord": 0.1 * np.sin(2 * np.pi * np.outer((220, 277, 330), TIMES - 0.4)).sum(axis=0) * ((TIMES - 0.4) % 2 < 1.5),
    "beeps": 0.4 * np.sign(np.sin(2 * np.pi * 1000 * TIMES)) * (TIMES % 1 < 0.1),
    "sweep": 0.3 * np.sin(2 * np.pi * (100 + 40 * (TIMES % 20)) * TIMES),
}


@pytest.fixture(scope="module")
def engine(model: "Whisper") -> BatchedEngine:
    return BatchedEngine(model)


@pytest.mark.parametrize("name", NOTHING)
def test_where_nobody_speaks_there_are_no_words(
    engine: BatchedEngine, write: Callable[[object], Path], name: str
) -> None:
    sound: NDArray[np.float64] = NOTHING[name]
    detector = Detector()
    samples = (sound * 32767).astype(np.int16)
    frames = np.concatenate([detector.feed(samples), detector.finish()])
    pieces = [Piece(i, w.start, w.end) for i, w in enumerate(plan(frames, SECONDS, 8))]
    heard = engine.hear(write(sound), pieces, Options("en"))
    assert [segment.text for segments in heard.values() for segment in segments] == []


def test_another_language_is_noted_in_windows_long_enough(engine: BatchedEngine, english: Path) -> None:
    pieces = [cut_at_pauses(english, 60)[0], Piece(9, 0.0, LANGUAGE_SECONDS - 1)]
    long, short = engine.hear(english, pieces, Options("de")).values()
    assert long
    assert all("other_language:en" in segment.notes for segment in long)
    assert not any("other_language" in note for segment in short for note in segment.notes)
    [right] = engine.hear(english, pieces[:1], Options("en")).values()
    assert [segment.notes for segment in right] == [()] * len(right)


def test_a_loop_is_heard_again_hotter(engine: BatchedEngine, english: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def twice(text: str) -> bool:
        seen.append(text)
        return len(seen) < 3

    monkeypatch.setattr(guards, "loops", twice)
    [heard] = engine.hear(english, [Piece(0, 0.0, 4.0)], Options("en")).values()
    assert [segment.temperature for segment in heard] == [0.4]
    assert "reporter" in seen[0]
