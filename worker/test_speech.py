"""Speech detection on the demo recording: the same whatever the pieces, and right enough to plan windows by."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from worker import media
from worker.plan import FRAME_SECONDS, plan
from worker.speech import FRAME_SAMPLES, Detector

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "worker" / "demo" / "samples" / "english.mp3"
LOUD = 0.004  # of full scale: the sample's noise is at 0.0005, so louder frames are somebody speaking
LONG_PAUSE = 7.0

type Sound = NDArray[np.int16]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    folder = tmp_path_factory.mktemp("sample")
    media.decode(SAMPLE, folder / "samples", folder / "speech", limit_seconds=600)
    return np.fromfile(folder / "samples", np.int16)


def detect(sound: Sound) -> NDArray[np.uint8]:
    detector = Detector()
    return np.concatenate([detector.feed(sound), detector.finish()])


def loud_frames(sound: Sound) -> NDArray[np.bool_]:
    frames = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES).astype(np.float64) / 32768
    return np.asarray(np.sqrt(np.square(frames).mean(axis=1)) > LOUD)


def with_long_pauses(sound: Sound) -> tuple[Sound, list[tuple[float, float]]]:
    """The sound with its pauses of half a second stretched to seven, and where those lie, in seconds."""
    quiet = np.convolve(~loud_frames(sound), np.ones(16), "valid") == 16
    middles = [place for place in np.flatnonzero(quiet) if place % 5 == 0][::40]
    parts, pauses, last, grown = [], [], 0, 0.0
    noise = np.random.default_rng(3).normal(0, 16, round(LONG_PAUSE * 16_000)).astype(np.int16)
    for middle in middles:
        cut = (int(middle) + 8) * FRAME_SAMPLES
        parts += [sound[last:cut], noise]
        pauses.append((cut / 16_000 + grown, cut / 16_000 + grown + LONG_PAUSE))
        last, grown = cut, grown + LONG_PAUSE
    return np.concatenate([*parts, sound[last:]]), pauses


def test_pieces_of_any_size_give_the_same(sample: Sound) -> None:
    sound = sample[: 30 * 16_000 + 77]
    detector, chance, at, heard = Detector(), np.random.default_rng(1), 0, []
    while at < len(sound):
        size = int(chance.integers(1, 90_000))
        heard.append(detector.feed(sound[at : at + size]))
        at += size
    heard.append(detector.finish())
    whole = detect(sound)
    assert np.array_equal(np.concatenate(heard), whole)
    assert len(whole) == -(-len(sound) // FRAME_SAMPLES)


def test_speech_is_told_from_silence_and_noise(sample: Sound) -> None:
    noise = np.random.default_rng(2).normal(0, 300, 16_000 * 10).astype(np.int16)
    assert (detect(sample[: 16_000 * 60]) >= 128).mean() > 0.5
    assert detect(noise).max() < 128
    assert detect(np.zeros(16_000 * 10, np.int16)).max() < 30


def test_windows_hold_the_speech_and_leave_long_pauses_out(sample: Sound) -> None:
    sound, pauses = with_long_pauses(sample)
    windows = plan(detect(sound), len(sound) / 16_000, 8)
    frames = np.arange(len(loud_frames(sound))) * FRAME_SECONDS
    inside = np.zeros(len(frames), bool)
    for window in windows:
        inside |= (frames >= window.start - 1e-6) & (frames < window.end - 1e-6)
    assert inside[loud_frames(sound)].mean() > 0.99
    assert len(pauses) >= 3
    for start, end in pauses:  # all but the margins and what rings on
        assert inside[(frames > start + 1) & (frames < end - 1)].mean() < 0.05


def test_the_detector_loads_no_torch_starts_no_thread_and_reports_to_nobody() -> None:
    code = (
        "import json, os, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'\n"
        "from worker.speech import Detector; Detector()\n"
        "print(json.dumps([os.environ['ORT_DISABLE_TELEMETRY'], len(os.listdir('/proc/self/task')),"
        " sorted({'torch', 'silero_vad'} & set(sys.modules))]))"
    )
    environment = {"PATH": os.environ["PATH"]}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["1", 1, []]
