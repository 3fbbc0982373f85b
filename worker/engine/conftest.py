"""Sound for the engine tests, the demo model in this process, and one pool of real children for all of them."""

import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from worker.engine.base import SAMPLE_RATE, Piece
from worker.engine.slots import EngineSettings, SlotPool

if TYPE_CHECKING:
    from whisper.model import Whisper

DEMO = Path(__file__).resolve().parents[1] / "demo"
CHECKPOINT = DEMO / "demo.pt"


@pytest.fixture(scope="session")
def pool() -> Iterator[SlotPool]:
    """One slot with the demo model."""
    pool = SlotPool(EngineSettings(CHECKPOINT, "demo", 1, cancel_grace_seconds=60, window_cap_seconds=60))
    pool.start()
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def model() -> "Whisper":
    import torch
    from whisper.tokenizer import get_encoding

    from worker.engine.checkpoint import load_checkpoint

    torch.set_num_threads(1)  # two OpenMP threads on busy cores are many times slower than one
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        for name in ("multilingual", "gpt2"):  # whisper reads these once, and leaves the file open
            get_encoding(name=name, num_languages=99)
    return load_checkpoint(CHECKPOINT, "cpu")[0]


@pytest.fixture
def true_sums() -> None:
    """For tests of products that are only used where they are exact."""
    from worker.engine.linear import sums_overflow

    if sums_overflow():
        pytest.skip("This processor cuts sums of 8-bit products off.")


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """speech("english") -> the samples of a demo recording, decoded once."""
    folder = tmp_path_factory.mktemp("speech")

    def samples(name: str) -> Path:
        path = folder / f"{name}.s16"
        if not path.exists():
            decode(DEMO / "samples" / f"{name}.mp3", path)
        return path

    return samples


@pytest.fixture(scope="session")
def english(speech: Callable[[str], Path]) -> Path:
    return speech("english")


@pytest.fixture(scope="session")
def german(speech: Callable[[str], Path]) -> Path:
    return speech("german")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[object], Path]:
    """write(samples in [-1, 1]) -> a samples file."""

    def make(samples: object) -> Path:
        path = tmp_path / "made.s16"
        (np.asarray(samples) * 32767).astype("<i2").tofile(path)
        return path

    return make


def decode(source: Path, target: Path) -> None:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    with av.open(str(source)) as container, target.open("wb") as file:
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                file.write(part.to_ndarray()[0].tobytes())


def cut_at_pauses(samples: Path, seconds: float) -> list[Piece]:
    """Windows of 20-30 s over the first `seconds`, each cut where it is quietest."""
    sound = np.fromfile(samples, "<i2", count=int(seconds * SAMPLE_RATE)).astype(np.float64)
    loudness = np.convolve(sound**2, np.ones(SAMPLE_RATE * 3 // 10), "same")  # between sentences, not words
    edges = [0]
    while len(sound) - edges[-1] > 30 * SAMPLE_RATE:
        first, last = edges[-1] + 20 * SAMPLE_RATE, edges[-1] + 30 * SAMPLE_RATE
        edges.append(first + int(np.argmin(loudness[first:last])))
    edges.append(len(sound))
    return [Piece(index, a / SAMPLE_RATE, b / SAMPLE_RATE) for index, (a, b) in enumerate(pairwise(edges))]
