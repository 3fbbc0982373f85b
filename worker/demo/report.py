"""What a checkpoint can do, measured on unseen sentences with voices mixed, and printed as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import whisper
from whisper.model import Whisper

from worker.demo.listening import Segment, Span, listen, spectrograms, windows_of, word_errors, words
from worker.demo.mixing import LOUD, PAUSES, WINDOW, Mixer, Scene, decode_mp3, seconds
from worker.demo.samples import NAMES, SAMPLES
from worker.demo.speech import LANGUAGES, RATE, Samples, lines, speak_all

SEED = 162
SENTENCES = 220
LENGTH = 300.0
NOISES = {"quiet": 10**-4.2, "noisy": 10**-2.6}
CLIPS = 150
MINUTE = 60 * RATE
BLOCK = RATE // 50


@dataclass(frozen=True)
class Heard:
    """How near the segments of one file come to the truth; the errors are medians in seconds."""

    word_error: float
    segments: int
    sentences: int
    start_error: float
    end_error: float

    def row(self, name: str) -> str:
        """A line of the table."""
        return (
            f"| {name} | {self.word_error:.1%} | {self.segments}/{self.sentences} "
            f"| {self.start_error:.3f} s | {self.end_error:.3f} s |"
        )


def compare(scene: Scene, segments: Sequence[Segment]) -> Heard:
    """Words, starts and ends of the segments against the sentences that were mixed in."""
    wanted = [word for place in scene.placed for word in words(place.text)]
    heard = [word for segment in segments for word in words(segment.text)]
    starts = nearest([place.start / RATE for place in scene.placed], [segment.start for segment in segments])
    ends = nearest([place.end / RATE for place in scene.placed], [segment.end for segment in segments])
    errors = word_errors(wanted, heard) / len(wanted)
    return Heard(errors, len(segments), len(scene.placed), starts, ends)


def nearest(wanted: Sequence[float], found: Sequence[float]) -> float:
    """Median distance of each wanted moment to the nearest found one."""
    if not found:
        return float("inf")
    distances = np.abs(np.asarray(wanted)[:, None] - np.asarray(found)[None]).min(axis=1)
    return float(np.median(distances))


def transcribed(model: Whisper, samples: Samples, **options: Any) -> list[Segment]:
    """A file through `whisper.transcribe`."""
    found = model.transcribe(samples, fp16=False, verbose=None, **options)
    return [Segment(one["start"], one["end"], one["text"]) for one in found["segments"]]


def files(mixer: Mixer) -> list[tuple[str, Scene]]:
    """Five minutes of each language, quiet and noisy, with pauses of all lengths."""
    longest = (PAUSES[0][0], 2.5)
    return [
        (f"{NAMES[language]}, {name}", mixer.whole_file(language, LENGTH, longest, level))
        for language in LANGUAGES
        for name, level in NOISES.items()
    ]


def language_accuracy(model: Whisper, mixer: Mixer) -> float:
    """Share of windows, long and short, most with a pause at their start, whose language is detected right."""
    right = 0
    for language in LANGUAGES:
        expected = whisper.tokenizer.get_tokenizer(True, num_languages=99).to_language_token(language)
        for _ in range(CLIPS):
            scene = mixer.planned(language, seconds(mixer.chance.uniform(8, 30)))
            found, _ = model.detect_language(spectrograms(scene.samples, [Span(0, WINDOW)]))
            right += int(found[0]) == expected
    return right / (CLIPS * len(LANGUAGES))


def empty_texts(model: Whisper, mixer: Mixer) -> list[tuple[str, str]]:
    """What is heard in a minute of silence and of noise, through both ways of decoding."""
    minutes = {"silence": np.zeros(MINUTE, np.float32), "noise": mixer.long_noise(MINUTE, 10**LOUD)}
    windows = [Span(0, WINDOW), Span(WINDOW, MINUTE), Span(0, WINDOW // 6)]
    rows = []
    for name, samples in minutes.items():
        heard = [segment.text for segment in transcribed(model, samples)]
        forced = [segment.text for segment in listen(model, samples, windows, "en")]
        rows += [(f"60 s of {name}, transcribe", "".join(heard)), (f"{name}, windows", "".join(forced))]
    return rows


def sample_error(model: Whisper, language: str, longest: float = LENGTH) -> float:
    """Word error on a shipped sample through our own windows, or on those windows that end by `longest` seconds."""
    samples = decode_mp3(str(SAMPLES / f"{NAMES[language]}.mp3"))
    sentences = (SAMPLES / f"{NAMES[language]}.txt").read_text().splitlines()
    windows = [window for window in windows_of(samples) if window.end <= seconds(longest)]
    heard = [word for segment in listen(model, samples, windows, language) for word in words(segment.text)]
    held = sentences[: loud_stretches(samples[: windows[-1].end])]
    wanted = [word for text in held for word in words(text)]
    return word_errors(wanted, heard) / len(wanted)


def loud_stretches(samples: Samples) -> int:
    """Stretches of sound between pauses of at least 0.25 s: in a sample, with its little noise, the sentences."""
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    level = np.sqrt((blocks**2).mean(axis=1))
    loud = np.flatnonzero(level > 3 * np.percentile(level, 5) + 1e-3)
    return 1 + int((np.diff(loud) > 12).sum())


def print_files(model: Whisper, mixer: Mixer) -> None:
    """The table of words and times."""
    print("| 5-minute file, way | word error | segments | starts, median | ends, median |\n| - | - | - | - | - |")
    for name, scene in files(mixer):
        segments = listen(model, scene.samples, windows_of(scene.samples), scene.language)
        print(compare(scene, segments).row(f"{name}, windows"), flush=True)
        for carried in (False, True):
            segments = transcribed(model, scene.samples, condition_on_previous_text=carried)
            print(compare(scene, segments).row(f"{name}, transcribe, previous text {carried}"), flush=True)


def print_others(model: Whisper, mixer: Mixer) -> None:
    """The table of samples, languages and empty recordings."""
    print("| other | found |\n| - | - |")
    for language in LANGUAGES:
        error = sample_error(model, language)
        print(f"| samples/{NAMES[language]}.mp3, windows, word error | {error:.1%} |", flush=True)
    print(f"| language right, {CLIPS * len(LANGUAGES)} clips | {language_accuracy(model, mixer):.1%} |")
    for name, text in empty_texts(model, mixer):
        print(f"| {name} | {text or 'no text'} |")


def print_report(path: Path) -> None:
    """Measure a checkpoint and print both tables."""
    model = whisper.load_model(str(path), device="cpu")
    mixer = Mixer(speak_all(lines(SENTENCES, SEED, unseen=True)), SEED)
    print(f"{path.stat().st_size:,} bytes\n")
    print_files(model, mixer)
    print()
    print_others(model, mixer)
