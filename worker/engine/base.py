"""The engine port, free of any model: what goes in, what comes out. No house code, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SAMPLE_RATE = 16_000  # of all samples the engine reads: mono, signed 16 bit, little endian
WINDOW_SECONDS = 30.0  # the longest piece a Whisper model hears at once
EXACT, FAST = "exact", "fast"
MODES = (EXACT, FAST)
"""How an engine computes: in single precision, token for token as openai-whisper; or with rounded weights."""


class EngineRefused(Exception):
    """A model that cannot be loaded or a request that cannot be met: `code` for programs, `detail` a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Piece:
    """A window to hear: its index in the run and its bounds in seconds of the recording."""

    index: int
    start: float
    end: float


@dataclass(frozen=True)
class Options:
    """What a run asks of an engine. `language` is the spoken one.

    `seed` makes sampling repeatable for (run, window, temperature). `prompt` is text as if said before every window,
    `hot_words` are names and terms to expect: both only bend the odds, and no window's text is the prompt of another.
    """

    language: str
    seed: int = 0
    task: str = "transcribe"  # or "translate": into English
    words: bool = False  # whether segments carry the times of their words
    beam: int = 1  # hypotheses followed at once; 1 is greedy
    prompt: str = ""
    hot_words: str = ""


@dataclass(frozen=True)
class Word:
    """One word as written, with its punctuation and a leading space where there is one; times in seconds of the
    recording, `probability` the mean over its tokens (0..1)."""

    start: float
    end: float
    text: str
    probability: float


@dataclass(frozen=True)
class Segment:
    """Heard words; times in seconds of the recording, log probability the mean over tokens."""

    start: float
    end: float
    text: str
    average_log_probability: float
    no_speech_probability: float
    compression_ratio: float
    temperature: float
    words: tuple[Word, ...] = ()  # empty where they were not asked for
    notes: tuple[str, ...] = ()  # codes of what the guards found, see `worker.engine.guards`


@dataclass(frozen=True)
class Vote:
    """The language most of the speech is in, and its mean probability (0..1)."""

    language: str
    probability: float


@dataclass(frozen=True)
class Loaded:
    """A child whose model is in memory: `sha256` of the checkpoint file, `speed` in audio seconds a second.

    `english_only` and `translates` (into English) say what this checkpoint can; `mode` how it is computed, see MODES.
    """

    model: str
    sha256: str
    device: str
    speed: float
    english_only: bool
    translates: bool
    mode: str = FAST


class Engine(Protocol):
    """One loaded model. One caller at a time: shared models across threads corrupt results (whisperX issue 1171)."""

    def vote_language(self, samples: Path, pieces: Sequence[Piece]) -> Vote:
        """The language by vote over these windows."""

    def hear(self, samples: Path, pieces: Sequence[Piece], options: Options) -> dict[int, list[Segment]]:
        """Segments by window index, in order, for every piece given; an empty list where nothing was said."""
