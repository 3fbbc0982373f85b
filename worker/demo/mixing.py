"""Windows and whole files mixed from utterances, pauses and noise, with the true place of each sentence."""

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np

from worker.demo.speech import RATE, Samples, Utterance

WINDOW = 30 * RATE
"""Samples in the one window length that Whisper knows."""

PAUSES = ((0.05, 0.4), (0.3, 1.2), (0.3, 2.0), (1.0, 4.0))
"""Ranges of pauses between sentences in seconds; each is drawn as often as the others."""

QUIET, LOUD = -4.5, -2.3
"""Noise beside speech: powers of ten of its standard deviation."""


@dataclass(frozen=True)
class Placed:
    """One sentence and where it lies, in samples from the start of the window or file."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Scene:
    """Mixed sound with its sentences.

    `content` counts the samples before the padding. `grey` says that `whisper.transcribe` made the padding: it
    fills its last window with 0.0 in the spectrogram, which is no silence there but a middling level.
    """

    samples: Samples
    language: str
    placed: tuple[Placed, ...]
    content: int
    grey: bool = False


class Mixer:
    """Draws scenes from utterances of one language at a time; a seed fixes all that follows."""

    def __init__(self, utterances: Sequence[Utterance], seed: int) -> None:
        self.chance = random.Random(seed)
        self.by_language: dict[str, list[Utterance]] = {}
        for utterance in utterances:
            self.by_language.setdefault(utterance.language, []).append(utterance)
        self.noises = [white(seed), pink(seed)]

    def draw(self, language: str) -> Utterance:
        """Any utterance of the language."""
        return self.chance.choice(self.by_language[language])

    def language(self) -> str:
        """Any language, evenly."""
        return self.chance.choice(sorted(self.by_language))

    def pause(self) -> int:
        """A pause between two sentences, in samples."""
        return seconds(self.chance.uniform(*self.chance.choice(PAUSES)))

    def noise(self, count: int, level: float) -> Samples:
        """White or pink noise with a standard deviation of `level`, shape (count,)."""
        pool = self.chance.choice(self.noises)
        start = self.chance.randrange(len(pool) - count + 1)
        return pool[start : start + count] * np.float32(level)

    def some_noise(self, count: int, quiet: float = QUIET, loud: float = LOUD) -> Samples:
        """Noise of any level between the two powers of ten, now and then none at all."""
        if self.chance.random() < 0.1:
            return np.zeros(count, np.float32)
        return self.noise(count, 10 ** self.chance.uniform(quiet, loud))

    def gain(self) -> float:
        """How loud one utterance is mixed in."""
        return self.chance.uniform(0.35, 1.15)

    def planned(self, language: str, limit: int) -> Scene:
        """A window as a speech detector cuts it: whole sentences, a short rest, then digital silence.

        A model that only ever heard noise up to the end of its window invents words in such padding.
        """
        samples = np.zeros(WINDOW, np.float32)
        goal = limit if self.chance.random() < 0.5 else int(limit * self.chance.uniform(0.1, 1))
        placed = tuple(self.whole_sentences(samples, language, goal, limit))
        tail = self.chance.choice([0.0, self.chance.uniform(0, 0.1), self.chance.uniform(0.1, 0.5)])
        content = min(placed[-1].end + seconds(tail), limit)
        samples[:content] += self.some_noise(content)
        return Scene(samples, language, placed, content)

    def whole_sentences(self, samples: Samples, language: str, goal: int, limit: int) -> Iterator[Placed]:
        """Mix sentences into `samples` until one would pass `goal`; the first one only has to keep to `limit`."""
        position = seconds(self.chance.choice([self.chance.uniform(0, 0.5), 0.2, self.chance.uniform(0, 3)]))
        position = min(position, limit // 8)
        first = True
        while True:
            utterance = self.draw(language)
            end = position + len(utterance.samples)
            if end > goal and not first:
                return
            if end > limit:
                continue
            yield self.mix(samples, utterance, position)
            first = False
            position = end + self.pause()

    def mix(self, samples: Samples, utterance: Utterance, start: int) -> Placed:
        """Add one utterance to the window, cut off where the window ends; its place tells the true end."""
        sound = utterance.samples[: len(samples) - start].astype(np.float32) / 32768
        samples[start : start + len(sound)] += sound * np.float32(self.gain())
        return Placed(start, start + len(utterance.samples), utterance.text)

    def running(self, language: str) -> Scene:
        """A window as `whisper.transcribe` takes it: 30 s from anywhere, the last sentence perhaps cut off."""
        samples = np.zeros(WINDOW, np.float32)
        lead = self.chance.choice([0.0, 0.0, self.chance.uniform(0, 0.5), self.chance.uniform(0, 5)])
        placed = list(self.sentences_from(samples, language, seconds(lead)))
        samples += self.some_noise(WINDOW)
        if self.chance.random() < 0.2:
            return self.last_of_file(samples, language, placed)
        return Scene(samples, language, tuple(placed), WINDOW)

    def sentences_from(self, samples: Samples, language: str, position: int) -> Iterator[Placed]:
        """Mix sentences into the window to its end, or only the first few."""
        most = 99 if self.chance.random() < 0.75 else self.chance.randint(1, 7)
        while most and position < WINDOW - seconds(0.3):
            placed = self.mix(samples, self.draw(language), position)
            yield placed
            position = placed.end + self.pause()
            most -= 1

    def last_of_file(self, samples: Samples, language: str, placed: list[Placed]) -> Scene:
        """Cut a running window after one of its whole sentences, as the end of a file does."""
        whole = [one for one in placed if one.end <= WINDOW]
        kept = whole[: self.chance.randint(1, len(whole))]
        content = min(WINDOW, kept[-1].end + seconds(self.chance.uniform(0, 1.5)))
        later = [one.start for one in placed[len(kept) :]]
        content = min([content, *later])
        samples[content:] = 0
        return Scene(samples, language, tuple(kept), content, grey=self.chance.random() < 0.7)

    def empty(self, language: str) -> Scene:
        """A window without speech: silence or noise, to its end or padded."""
        samples = np.zeros(WINDOW, np.float32)
        content = self.chance.choice([WINDOW, WINDOW, seconds(self.chance.uniform(0.3, 29))])
        samples[:content] = self.some_noise(content, QUIET, -1.3)
        return Scene(samples, language, (), content, grey=self.chance.random() < 0.3)

    def whole_file(self, language: str, length: float, pauses: tuple[float, float], level: float) -> Scene:
        """A file of at least `length` seconds of sentences, each utterance used once, with noise of `level`."""
        order = list(self.by_language[language])
        self.chance.shuffle(order)
        samples = np.zeros(seconds(length + 12), np.float32)
        placed: list[Placed] = []
        position = seconds(self.chance.uniform(*pauses))
        while position + len(order[-1].samples) < seconds(length):
            placed.append(self.mix(samples, order.pop(), position))
            position = placed[-1].end + seconds(self.chance.uniform(*pauses))
        samples = samples[: seconds(length)]
        return Scene(samples + self.long_noise(len(samples), level), language, tuple(placed), len(samples))

    def long_noise(self, count: int, level: float) -> Samples:
        """Noise longer than a window, pieced together."""
        pieces = [self.noise(min(WINDOW, count - start), level) for start in range(0, count, WINDOW)]
        return np.concatenate(pieces)


def seconds(length: float) -> int:
    """Seconds in samples."""
    return round(length * RATE)


def white(seed: int) -> Samples:
    """Two windows of white noise with a standard deviation of 1."""
    return np.random.default_rng(seed).standard_normal(2 * WINDOW).astype(np.float32)


def pink(seed: int) -> Samples:
    """Two windows of noise that falls by 3 dB an octave, as rooms and fans do, with a standard deviation of 1."""
    spectrum = np.fft.rfft(white(seed + 1))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 40))
    noise = np.fft.irfft(spectrum, 2 * WINDOW)
    return (noise / noise.std()).astype(np.float32)


def encode_mp3(samples: Samples, bit_rate: int) -> bytes:
    """Mono mp3 of the samples at `bit_rate` bits a second."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", bit_rate=bit_rate)
        scaled = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(scaled[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        # libmp3lame wants planes, and frames of its own size.
        for piece in av.AudioResampler("s16p", "mono", RATE, frame_size=stream.frame_size).resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return target.getvalue()


def decode_mp3(encoded: bytes | str) -> Samples:
    """Samples of an mp3, given as bytes or as a path."""
    with av.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded, "r") as container:
        resampler = av.AudioResampler("flt", "mono", RATE)
        pieces = [piece.to_ndarray()[0] for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate(pieces).astype(np.float32)
