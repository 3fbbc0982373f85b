"""The two sample recordings: five minutes of unseen sentences each, as mp3 with their text, one sentence a line."""

from pathlib import Path

from worker.demo.mixing import Mixer, Scene, encode_mp3
from worker.demo.speech import lines, speak_all

SAMPLES = Path(__file__).parent / "samples"
NAMES = {"en": "english", "de": "german"}
SEED = 2099
LENGTH = 300.0
PAUSES = (0.3, 2.0)
NOISE = 10**-3.3
BIT_RATE = 40_000


def sample(language: str) -> Scene:
    """The sample of a language before it is compressed."""
    mixer = Mixer(speak_all(lines(150, SEED, unseen=True, languages=(language,))), SEED)
    return mixer.whole_file(language, LENGTH, PAUSES, NOISE)


def write_samples() -> None:
    """Write both samples beside this file."""
    SAMPLES.mkdir(exist_ok=True)
    for language, name in NAMES.items():
        scene = sample(language)
        (SAMPLES / f"{name}.mp3").write_bytes(encode_mp3(scene.samples, BIT_RATE))
        (SAMPLES / f"{name}.txt").write_text("".join(f"{place.text}\n" for place in scene.placed))
