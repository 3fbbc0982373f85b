"""`poe bench file`: from a 20-minute mp3 to a transcript with the times of its words.

Ours goes the whole way of the service but for its rows and Temporal: decode child, speech detection, plan, engine
child. Beside it `whisper.transcribe(word_timestamps=True)` and faster-whisper's batched pipeline with its speech
detection and words, on the same weights: the demo checkpoint grown to the dimensions of tiny, so that every engine says
real words at the cost of tiny. Greedy, the language given, no text carried on (openai's says less with it), everything
else as each engine has it by itself. Both peers get samples decoded by PyAV inside their time: openai asks for an
`ffmpeg` program, and faster-whisper 1.2.1 cannot open files with PyAV 19. By itself faster-whisper asks for no times of
segments, which the demo checkpoint was not trained for, so it runs once more with them, for its words. One core for
all, in turns; processor time of all processes, best round. Word error is against the true text.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import _race
from benchmarks._report import Goal, place, table, verdict

OPENAI, FASTER, OURS = "openai transcribe", "faster-whisper int8, batch 8", "ours"
FASTER_TIMED = f"{FASTER}, with times"
GOALS = {OPENAI: 5.0, FASTER: 1.2}
LONGEST_PIECE = 300.0  # of the shipped recordings


def main() -> int:
    _race.alone()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="tiny", choices=["tiny", "base"])
    parser.add_argument("--mode", default="fast", choices=["fast", "exact"])
    chosen = parser.parse_args()
    place("torch", "openai-whisper", "faster-whisper", "ctranslate2", "av", "onnxruntime")
    print(_race.roofline())
    with tempfile.TemporaryDirectory() as folder:
        return measured(chosen, Path(folder) / "recording.mp3")


def measured(chosen: argparse.Namespace, mp3: Path) -> int:
    from benchmarks import _recordings, _service, _weights

    whole = _recordings.shipped("en")
    pieces = int(chosen.minutes * 60 // LONGEST_PIECE)
    rest = chosen.minutes * 60 - pieces * LONGEST_PIECE
    recording = _recordings.joined(*[whole] * pieces, *([_recordings.head(whole, rest)] if rest else []))
    warming = _recordings.as_mp3(_recordings.head(whole, 20).sound, mp3.with_name("warming.mp3"))
    _recordings.as_mp3(recording.sound, mp3)
    checkpoint = _weights.grown_checkpoint(chosen.size)
    with _service.service(checkpoint, chosen.mode) as ours:
        entered = contestants(checkpoint, ours)
        for run in entered.values():
            run(warming)
        timed = entered.pop(FASTER_TIMED)
        times = _race.race({name: _on(run, mp3) for name, run in entered.items()}, chosen.rounds)
        times |= _race.race({FASTER_TIMED: _on(timed, mp3)}, 1)
    minutes = recording.seconds / 60
    errors = {name: recording.word_error(text_of(found.output)) for name, found in times.items()}
    print(f"\n{minutes:.1f} min of speech, best of {chosen.rounds} rounds, processor seconds for each minute")
    rows = [[*row, f"{errors[str(row[0])]:.2f}"] for row in _race.rows(times, round(minutes), OPENAI)]
    table(["", "speed", "CPU s", "median", "wall s", "word error %"], rows)
    heard = times[OURS].output
    stages = ", ".join(f"{name} {recording.seconds / spent:.0f}x real time" for name, spent in heard.seconds.items())
    print(f"ours by stages: {stages}; {heard.windows} windows\n{_race.peak_memory()}")
    with_words = sum(bool(segment.words) for segment in heard.segments) / max(1, len(heard.segments))
    best = min(error for name, error in errors.items() if name != OURS)
    return verdict(
        [
            *(Goal(f"against {name}", times[name].best / times[OURS].best, goal) for name, goal in GOALS.items()),
            Goal("word error % above the best peer", errors[OURS] - best, 0, True),
            Goal("% of segments with words", 100 * with_words, 100),
        ]
    )


def _on(run: Callable[[Path], Any], mp3: Path) -> Callable[[], Any]:
    return lambda: run(mp3)


def contestants(checkpoint: Path, service: Any) -> dict[str, Callable[[Path], Any]]:
    from benchmarks import _peers
    from worker.demo.mixing import decode_mp3
    from worker.engine.base import Options

    openai, faster = _peers.load(checkpoint), _peers.faster_whisper(checkpoint)

    def by_openai(mp3: Path) -> Any:
        return openai.transcribe(
            decode_mp3(str(mp3)), language="en", fp16=False, word_timestamps=True, condition_on_previous_text=False
        )["text"]

    def by_faster_whisper(mp3: Path, **options: Any) -> str:
        samples = decode_mp3(str(mp3))
        found, _ = faster.transcribe(samples, language="en", batch_size=8, beam_size=1, word_timestamps=True, **options)
        return " ".join(segment.text for segment in found)

    return {
        OPENAI: by_openai,
        FASTER: by_faster_whisper,
        FASTER_TIMED: lambda mp3: by_faster_whisper(mp3, without_timestamps=False),
        OURS: lambda mp3: service.transcribe(mp3, Options("en", words=True)),
    }


def text_of(output: Any) -> str:
    return output if isinstance(output, str) else str(output.text)


if __name__ == "__main__":
    sys.exit(main())
