"""The tokens that a scene asks of the decoder, after whatever text came before."""

import random
from dataclasses import dataclass

from whisper.tokenizer import Tokenizer, get_tokenizer

from worker.demo.mixing import WINDOW, Mixer, Placed, Scene
from worker.demo.speech import GRAMMARS, RATE

FRAME = RATE // 50
"""Samples in one step of the encoder and in one step of a timestamp: 20 ms."""

STEPS = 1500
"""Encoder steps, and the last timestamp, of a window."""

LONGEST_PROMPT = 223
"""Tokens of earlier text that Whisper puts before a window, at most."""

LONGEST = 448
"""Tokens that the decoder has positions for."""

LATEST_FIRST = 50
"""`whisper.decode` lets no window begin with a timestamp past 1.0 s, so none is taught."""

PROMPTED = 0.35
TIMED = 0.85


@dataclass(frozen=True)
class Target:
    """Decoder tokens: `prompt` is only read, of `tokens` each but the first is learnt where `learnt` says so.

    `spoken` are the text tokens alone, for the CTC head. `offset` counts the encoder steps by which the
    window's positions are moved, and its timestamps with them.
    """

    prompt: list[int]
    tokens: list[int]
    learnt: list[bool]
    spoken: list[int]
    offset: int = 0


class Labels:
    """Turns scenes into targets with the multilingual tokenizer."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.tokenizer: Tokenizer = get_tokenizer(True, num_languages=99, language="en", task="transcribe")
        self.first_time: int = self.tokenizer.timestamp_begin

    def encode(self, text: str) -> list[int]:
        """Text tokens; Whisper's sentences begin with a space."""
        return list(self.tokenizer.encode(" " + text))

    def time(self, samples: int, offset: int = 0) -> int:
        """The timestamp token of a place in the window."""
        return self.first_time + min(STEPS, offset + round(samples / FRAME))

    def vocabulary(self) -> list[int]:
        """The text tokens that the grammars can say, and all special tokens and timestamps, ascending."""
        firsts = [part[0].upper() + part[1:] for first, *_ in GRAMMARS.values() for part in first.split(",")]
        others = [part for _, *places in GRAMMARS.values() for place in places for part in place.split(",")]
        text = {token for part in firsts + others for token in self.encode(part + ".")}
        return sorted(text) + list(range(self.tokenizer.eot, self.first_time + STEPS + 1))

    def target(self, scene: Scene, mixer: Mixer, offset: int = 0) -> Target:
        """Tokens of a scene, with or without timestamps, with or without earlier text."""
        prompt = self.prompt(mixer, scene.language) if self.chance.random() < PROMPTED else []
        if not scene.placed:
            return self.silent(scene, prompt)
        start = [self.tokenizer.sot, self.tokenizer.to_language_token(scene.language), self.tokenizer.transcribe]
        timed = self.chance.random() < TIMED or scene.placed[-1].end > WINDOW
        body = self.timed(scene, offset) if timed else self.untimed(scene)
        tokens = (start + body + [self.tokenizer.eot])[: LONGEST - len(prompt)]
        spoken = [token for token in body if token < self.tokenizer.eot]
        return Target(prompt, tokens, [True] * len(tokens), spoken, offset)

    def silent(self, scene: Scene, prompt: list[int]) -> Target:
        """The no-speech token at once, and nothing to say should a decoder have forced a language and gone on."""
        language = self.tokenizer.to_language_token(scene.language)
        forced = [language, self.tokenizer.transcribe]
        tokens = [self.tokenizer.sot, self.tokenizer.no_speech, self.tokenizer.eot]
        if self.chance.random() < 0.5:
            return Target(prompt, tokens, [True] * 3, [])
        tokens = [self.tokenizer.sot, *forced, self.first_time, self.tokenizer.eot]
        return Target(prompt, tokens, [False, False, False, True, True], [])

    def timed(self, scene: Scene, offset: int) -> list[int]:
        """Start, text and end of each sentence; of one that is cut off the start alone, as Whisper has it."""
        tokens: list[int] = []
        for place in scene.placed:
            start = self.time(place.start, offset)
            tokens.append(start if tokens else min(start, self.first_time + offset + LATEST_FIRST))
            if place.end > WINDOW:
                break
            tokens += [*self.encode(place.text), self.time(place.end, offset)]
        return tokens

    def untimed(self, scene: Scene) -> list[int]:
        """The text alone."""
        text = [token for place in scene.placed for token in self.encode(place.text)]
        return [self.tokenizer.no_timestamps, *text]

    def prompt(self, mixer: Mixer, language: str) -> list[int]:
        """Earlier text as `transcribe` hands it over: up to 223 tokens, mostly with their timestamps."""
        timed = self.chance.random() < 0.6
        tokens: list[int] = []
        position = 0
        for _ in range(self.chance.choice([1, 2, 3, 5, 8, 12, 16, 20])):
            utterance = mixer.draw(language)
            start = position + self.chance.randint(2, 60) * FRAME
            place = Placed(start, start + len(utterance.samples), utterance.text)
            tokens += self.earlier(place, timed)
            position = place.end % (WINDOW - 2 * RATE)
        return [self.tokenizer.sot_prev, *tokens[-LONGEST_PROMPT:]]

    def earlier(self, place: Placed, timed: bool) -> list[int]:
        """One sentence of a prompt."""
        text = self.encode(place.text)
        return [self.time(place.start), *text, self.time(place.end)] if timed else text
