"""`poe bench text`: whether the text can be trusted. The demo checkpoint, the whole way of the service.

Half an hour each of silence, noise and tones: no word. The language of recordings whose first minute is silent or in
the other language. The five-minute recordings: no more word error than `whisper.transcribe` on the same weights, and
sentences start where they start. No times are taken: one round, whatever the machine does.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import _race
from benchmarks._report import Goal, place, table, verdict

LANGUAGES = ("en", "de")
MINUTE = 60.0
BLIND_MINUTES = 2
START_GOAL = 0.2  # seconds, median


def main() -> int:
    _race.alone()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30, help="of each sound that says nothing")
    parser.add_argument("--seconds", type=float, default=300, help="of each recording in which somebody speaks")
    parser.add_argument("--mode", default="fast", choices=["fast", "exact"])
    chosen = parser.parse_args()
    place("torch", "openai-whisper", "onnxruntime")
    from benchmarks import _service, _weights

    with tempfile.TemporaryDirectory() as name, _service.service(_weights.DEMO, chosen.mode) as ours:
        folder = Path(name)
        goals = [*nothing(ours, folder, chosen.minutes), languages(ours, folder)]
        return verdict([*goals, *speech(ours, folder, chosen.seconds)])


def nothing(ours: Any, folder: Path, minutes: float) -> list[Goal]:
    """Words heard in what says nothing. The detector leaves all of it out; what the engine would have said of its first
    minutes is only told."""
    from benchmarks import _recordings
    from worker.engine.base import Options

    seconds = minutes * MINUTE
    sounds = {
        "silence": _recordings.silent("en", seconds).sound,
        "noise": _recordings.noise(seconds),
        "tones": _recordings.tones(seconds),
    }
    rows, goals = [], []
    for name, sound in sounds.items():
        heard = ours.transcribe(_recordings.as_wav(sound, folder / "nothing.wav"))
        count = len(heard.text.split())
        part = _recordings.as_wav(sound[: BLIND_MINUTES * 60 * _recordings.RATE], folder / "part.wav")
        blind = ours.transcribe(part, Options("en"), detector=False)
        rows.append((name, heard.windows, count, len(blind.text.split()), blind.text[:60]))
        goals.append(Goal(f"words in {minutes:g} min of {name}", count, 0, at_most=True))
    table(["sound without speech", "windows", "words", f"{BLIND_MINUTES} min undetected", "text of these"], rows)
    return goals


def languages(ours: Any, folder: Path) -> Goal:
    """Recordings of two minutes and more that begin with a minute of silence, noise or the other language."""
    from benchmarks import _recordings

    rows = []
    for language in LANGUAGES:
        speech = _recordings.head(_recordings.shipped(language), 150)
        [other] = [_recordings.shipped(code) for code in LANGUAGES if code != language]
        silence = _recordings.silent(language, MINUTE)
        begins = {"silence": silence, "the other language": _recordings.head(other, MINUTE), "speech": None}
        for name, begin in begins.items():
            recording = _recordings.joined(begin, speech) if begin else speech
            vote = ours.transcribe(_recordings.as_mp3(recording.sound, folder / "speech.mp3")).vote
            found, sure = (vote.language, vote.probability) if vote else ("none", 0.0)
            rows.append((f"{language}, begins with {name}", found, sure, found == language))
    print()
    table(["recording", "voted", "probability", "right"], rows)
    return Goal("% of languages right", 100 * sum(row[3] for row in rows) / len(rows), 100)


def speech(ours: Any, folder: Path, seconds: float) -> list[Goal]:
    """Word error and starts, ours and openai's."""
    from benchmarks import _peers, _recordings, _weights
    from worker.engine.base import Options

    model, rows, goals = _peers.load(_weights.DEMO), [], []
    for language in LANGUAGES:
        whole = _recordings.shipped(language)
        recording = whole if seconds >= whole.seconds else _recordings.head(whole, seconds)
        heard = ours.transcribe(_recordings.as_mp3(recording.sound, folder / "speech.mp3"), Options(language))
        theirs = model.transcribe(recording.sound, language=language, fp16=False, condition_on_previous_text=False)
        error, wanted = recording.word_error(heard.text), recording.word_error(theirs["text"])
        start = recording.start_error([segment.start for segment in heard.segments])
        their_start = recording.start_error([segment["start"] for segment in theirs["segments"]])
        rows.append((f"{language}, {recording.seconds:.0f} s", error, wanted, start, their_start))
        goals.append(Goal(f"{language}: word error % above openai's", error - wanted, 0, at_most=True))
        goals.append(Goal(f"{language}: starts off by s, median", start, START_GOAL, at_most=True))
    print()
    table(["recording", "word error %", "openai's", "starts off by s", "openai's"], rows)
    return goals


if __name__ == "__main__":
    sys.exit(main())
