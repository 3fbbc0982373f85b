"""The shipped checkpoint against the shipped samples, on one core in seconds."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import whisper
from whisper.model import Whisper
from whisper.tokenizer import get_tokenizer

from worker.demo.listening import Span, listen, spectrograms
from worker.demo.mixing import LOUD, WINDOW, decode_mp3, pink, white
from worker.demo.report import sample_error, transcribed
from worker.demo.samples import NAMES, SAMPLES
from worker.demo.speech import Samples

CHECKPOINT = Path(__file__).parent / "demo.pt"
MOST_BYTES = 16 * 2**20
EXCERPT = 60.0

EMPTY = {
    "silence": np.zeros(WINDOW, np.float32),
    "noise": white(1)[:WINDOW] * np.float32(10**LOUD),
    "rumble": pink(1)[:WINDOW] * np.float32(10**LOUD),
}


@pytest.fixture(scope="module")
def model() -> Whisper:
    """The checkpoint, on one thread: two on busy cores are slower."""
    torch.set_num_threads(1)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        get_tokenizer(True, num_languages=99)  # whisper leaves the file open that it reads here, once
    return whisper.load_model(str(CHECKPOINT), device="cpu")


def test_the_file_is_small_and_holds_weights_alone() -> None:
    """It travels with the code, and loading it runs nothing."""
    assert CHECKPOINT.stat().st_size <= MOST_BYTES
    content = torch.load(CHECKPOINT, weights_only=True)
    assert content.keys() == {"dims", "model_state_dict"}


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_minute_of_a_sample_is_heard_right(model: Whisper, language: str) -> None:
    """Its windows of the first minute."""
    assert sample_error(model, language, EXCERPT) <= 0.05


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_language_of_a_sample_is_found(model: Whisper, language: str) -> None:
    """From its first window."""
    samples = decode_mp3(str(SAMPLES / f"{NAMES[language]}.mp3"))
    _, found = model.detect_language(spectrograms(samples, [Span(0, WINDOW)])[0])
    assert max(found, key=found.get) == language


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_no_text_without_speech(model: Whisper, name: str) -> None:
    """Neither through whisper's own windows nor where a language is forced on a window."""
    samples: Samples = EMPTY[name]
    assert not [segment.text for segment in transcribed(model, samples) if segment.text.strip()]
    assert not listen(model, samples, [Span(0, WINDOW)], "en")
