"""What benchmarks hear: the shipped recordings with their true words and moments, and sound that says nothing."""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.demo.listening import word_errors, words
from worker.demo.mixing import decode_mp3, encode_mp3
from worker.demo.report import BLOCK
from worker.demo.samples import BIT_RATE, NAMES, SAMPLES

RATE = 16_000
Sound = NDArray[np.float32]
PAUSE = 12  # blocks of 20 ms; the shipped recordings rest at least 0.3 s between sentences


@dataclass(frozen=True)
class Recording:
    """Samples in [-1, 1), what is said in them, and when each sentence starts, in seconds."""

    language: str
    sound: Sound
    sentences: tuple[str, ...]
    starts: tuple[float, ...]

    @property
    def seconds(self) -> float:
        return len(self.sound) / RATE

    @property
    def words(self) -> list[str]:
        return [word for sentence in self.sentences for word in words(sentence)]

    def word_error(self, text: str) -> float:
        """Insertions, deletions and replacements in per cent of the words said."""
        return 100 * word_errors(self.words, words(text)) / len(self.words)

    def start_error(self, starts: list[float]) -> float:
        """Median distance in seconds of each sentence's start to the nearest of `starts`."""
        if not starts:
            return float("inf")
        return float(np.median(np.abs(np.array(self.starts)[:, None] - np.array(starts)[None]).min(axis=1)))


def shipped(language: str) -> Recording:
    """Five minutes, with a pause between any two sentences; where they start is read off the sound."""
    sound = decode_mp3(str(SAMPLES / f"{NAMES[language]}.mp3"))
    sentences = tuple((SAMPLES / f"{NAMES[language]}.txt").read_text().splitlines())
    starts = onsets(sound)
    if len(starts) != len(sentences):
        raise RuntimeError(f"{len(starts)} stretches of sound, but {len(sentences)} sentences.")
    return Recording(language, sound, sentences, starts)


def onsets(sound: Sound) -> tuple[float, ...]:
    """Where sound begins after a pause, in seconds."""
    blocks = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK)
    level = np.sqrt((blocks**2).mean(axis=1))
    loud = np.flatnonzero(level > 3 * np.percentile(level, 5) + 1e-3)
    first = np.concatenate([[True], np.diff(loud) > PAUSE])
    return tuple((loud[first] * BLOCK / RATE).tolist())


def joined(*parts: Recording) -> Recording:
    """One after another; the language is that of the last."""
    sentences = tuple(sentence for part in parts for sentence in part.sentences)
    offsets = np.cumsum([0.0, *(part.seconds for part in parts)])
    starts = tuple(offset + start for offset, part in zip(offsets, parts, strict=False) for start in part.starts)
    return Recording(parts[-1].language, np.concatenate([part.sound for part in parts]), sentences, starts)


def head(recording: Recording, seconds: float) -> Recording:
    """The sentences that are over by then."""
    count = sum(start < seconds for start in recording.starts) - 1
    cut = round((recording.starts[count] - 0.1) * RATE)
    return Recording(recording.language, recording.sound[:cut], recording.sentences[:count], recording.starts[:count])


def silent(language: str, seconds: float) -> Recording:
    return Recording(language, np.zeros(round(seconds * RATE), np.float32), (), ())


def noise(seconds: float, level: float = 0.02) -> Sound:
    """White noise with the level of a loud fan."""
    return np.random.default_rng(1).normal(0, level, round(seconds * RATE)).astype(np.float32)


def tones(seconds: float) -> Sound:
    """Something like music: chords of three tones with their overtones, struck twice a second."""
    times = np.arange(round(seconds * RATE), dtype=np.float64) / RATE
    chance = np.random.default_rng(2)
    chords = 220 * 2 ** (chance.integers(0, 24, (int(seconds * 2) + 1, 3)) / 12)
    beat = (times * 2).astype(int)
    struck = np.exp(-4 * (times * 2 % 1))
    found = np.zeros(len(times))
    for voice in range(3):
        turns = 2 * np.pi * chords[beat, voice] * times
        found += sum(np.sin(turns * overtone) / overtone for overtone in (1, 2, 3))
    return (0.1 * struck * found).astype(np.float32)


def as_mp3(sound: Sound, path: Path) -> Path:
    path.write_bytes(encode_mp3(sound, BIT_RATE))
    return path


def as_wav(sound: Sound, path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path
