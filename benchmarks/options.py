"""`poe bench options`: what words, beams and bad sound cost, each beside our own run without.

The demo checkpoint grown to the dimensions of tiny, so that texts and retries are real; eight windows of speech as the
service cuts them, and as many of silence, noise and tones, handed to the engine as if somebody spoke there (the speech
detector would leave them out). One thread, in turns, processor time of the best round. openai-whisper's own price for
the same options is printed beside, once. What is encoded is counted: no sound may be encoded twice.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _race
from benchmarks._report import Goal, place, table, verdict

WINDOWS, SECONDS = 8, 30.0
GREEDY, WORDS, BEAM, PROMPT = "greedy", "words", "beam 5", "prompt"
BAD = ("silence", "noise", "tones")
SAID = "Notes of a meeting about the yearly report, the contract and the garden wall."


def main() -> int:
    _race.alone()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=WINDOWS)
    parser.add_argument("--mode", default="fast", choices=["fast", "exact"])
    parser.add_argument("--alone", action="store_true", help="without openai")
    chosen = parser.parse_args()
    place("torch", "openai-whisper")
    print(_race.roofline())
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), chosen.mode, chosen.windows)
        times = _race.race(bench.runs(), chosen.rounds)
        report(bench, times, {} if chosen.alone else _race.race(bench.openai_runs(), 1))
    print(_race.peak_memory())
    return verdict(goals(bench, times))


class Counted:
    """An encoder that counts the spectrograms it is given, and those that it was given before. Digital silence does
    not count: all of it is alike."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self._seen: set[bytes] = set()
        self.begin()

    def begin(self) -> None:
        self._seen.clear()
        self.encodes = self.twice = 0

    def __call__(self, mels: Any) -> Any:
        for mel in mels:
            self.encodes += 1
            key = hashlib.sha256(mel.float().cpu().numpy().tobytes()).digest()
            self.twice += key in self._seen and bool(mel.min() < mel.max())
            self._seen.add(key)
        return self._encoder(mels)


class Bench:
    """The engine, and the sounds it hears."""

    def __init__(self, folder: Path, mode: str, windows: int) -> None:
        from benchmarks import _peers, _recordings, _weights
        from worker.demo.listening import windows_of
        from worker.engine.base import Piece

        checkpoint = _weights.grown_checkpoint("tiny")
        self.openai = _peers.load(checkpoint)
        self.engine = opened(checkpoint, mode)
        self.engine.encoder = self._counted = Counted(self.engine.encoder)
        speech = _recordings.shipped("en").sound
        spans = windows_of(speech)[:windows]
        self.pieces = [Piece(index, span.start / 16_000, span.end / 16_000) for index, span in enumerate(spans)]
        self.whole = [Piece(index, SECONDS * index, SECONDS * index + SECONDS) for index in range(len(spans))]
        self.seconds = SECONDS * len(spans)
        self.sounds = {
            GREEDY: speech[: spans[-1].end],
            "silence": _recordings.silent("en", self.seconds).sound,
            "noise": _recordings.noise(self.seconds),
            "tones": _recordings.tones(self.seconds),
        }
        self.encodes: dict[str, tuple[int, int]] = {}  # all, twice
        self._files = {name: folder / name for name in self.sounds}
        for name, path in self._files.items():
            (self.sounds[name] * 32767).astype("<i2").tofile(path)

    def runs(self) -> dict[str, Callable[[], Any]]:
        """Ours by name."""
        from worker.engine.base import Options

        asked = {GREEDY: Options("en"), WORDS: Options("en", words=True), BEAM: Options("en", beam=5)}
        asked[PROMPT] = Options("en", prompt=SAID, hot_words="invoice, recipe")
        good = {name: self._run(name, GREEDY, self.pieces, options) for name, options in asked.items()}
        return good | {name: self._run(name, name, self.whole, Options("en")) for name in BAD}

    def _run(self, name: str, sound: str, pieces: Sequence[Any], options: Any) -> Callable[[], Any]:
        def run() -> Any:
            self._counted.begin()
            found = self.engine.hear(self._files[sound], pieces, options)
            self.encodes[name] = (self._counted.encodes, self._counted.twice)
            return [segment for index in sorted(found) for segment in found[index]]

        return run

    def openai_runs(self) -> dict[str, Callable[[], Any]]:
        """openai's `transcribe` on the same sounds; the last of them is not in our list of prices."""

        def run(name: str, **options: Any) -> Callable[[], Any]:
            return lambda: self.openai.transcribe(
                self.sounds[name], language="en", fp16=False, condition_on_previous_text=False, **options
            )["segments"]

        good = {GREEDY: run(GREEDY), WORDS: run(GREEDY, word_timestamps=True), BEAM: run(GREEDY, beam_size=5)}
        return good | {PROMPT: run(GREEDY, initial_prompt=SAID)} | {name: run(name) for name in BAD}


def opened(checkpoint: Path, mode: str) -> Any:
    """Our engine; of no type, since its encoder is put in a box that counts."""
    from benchmarks import _peers
    from worker.engine.batched import BatchedEngine

    return BatchedEngine(_peers.load(checkpoint), mode=mode)


def report(bench: Bench, times: dict[str, _race.Times], theirs: dict[str, _race.Times]) -> None:
    """Prices of each option against greedy on speech, in the same engine."""
    rows: list[Sequence[object]] = []
    for name, found in times.items():
        texts = [segment.text for segment in found.output]
        price = f"{theirs[name].best / theirs[GREEDY].best:.2f}x" if name in theirs else "-"
        cost = f"{found.best / times[GREEDY].best:.2f}x"
        rows.append((name, cost, found.best, found.median, price, bench.encodes[name][0], len(" ".join(texts).split())))
    print(
        f"\n{len(bench.pieces)} windows; the first price is ours against our greedy, the other openai's against its own"
    )
    table(["", "price", "CPU s", "median", "openai's", "encodes", "words heard"], rows)


def goals(bench: Bench, times: dict[str, _race.Times]) -> list[Goal]:
    greedy, worst = times[GREEDY].best, max(times[name].best for name in BAD)
    twice = sum(twice for _, twice in bench.encodes.values())
    timed = [bool(segment.words) for segment in times[WORDS].output]
    return [
        Goal("words against without", times[WORDS].best / greedy, 1.3, at_most=True),
        Goal("% of segments with words", 100 * sum(timed) / max(1, len(timed)), 100),
        Goal("beam 5 against greedy", times[BEAM].best / greedy, 2, at_most=True),
        Goal("worst sound against good", worst / greedy, 3, at_most=True),
        Goal("sounds encoded twice", twice, 0, at_most=True),
    ]


if __name__ == "__main__":
    sys.exit(main())
