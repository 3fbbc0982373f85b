"""Prompt and hot words as tokens, with openai-whisper as the oracle."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from whisper.decoding import DecodingOptions, DecodingResult, DecodingTask, decode
from whisper.model import Whisper
from whisper.tokenizer import Tokenizer, get_tokenizer

from jobs.services.hints import HOT_WORDS_CHARACTERS, PROMPT_CHARACTERS
from worker.engine.base import SAMPLE_RATE, Options, Piece
from worker.engine.batched import BatchedEngine
from worker.engine.decoder import Decoder
from worker.engine.memory import Memory
from worker.engine.prompt import before
from worker.engine.sampling import Rules
from worker.engine.sound import from_frame, read_samples, spectrogram

CONTEXT = 448
MOST = CONTEXT // 2 - 1
NAMES = "Ngozi Adeyemi, NVMe, Bad Aibling"
TALK = "Heute geht es um den Speicher unserer Server, und danach um die Reise nach Oberbayern. "


@pytest.fixture(scope="module")
def tokenizer(model: Whisper) -> Tokenizer:
    """After `model`, which has read the files that whisper leaves open."""
    return get_tokenizer(multilingual=True, language="en", task="transcribe")


@pytest.mark.parametrize("prompt", ["A talk.", " Ein  Vortrag über Łódź. ", "short " * 300])
def test_a_prompt_alone_is_openais(model: Whisper, tokenizer: Tokenizer, prompt: str) -> None:
    task = DecodingTask(model, DecodingOptions(language="en", prompt=prompt, fp16=False))
    tokens = before(tokenizer, model.dims.n_text_ctx, prompt=prompt)
    assert [tokenizer.sot_prev, *tokens, *tokenizer.sot_sequence] == list(task.initial_tokens)


def test_nothing_told_is_nothing(tokenizer: Tokenizer) -> None:
    assert before(tokenizer, CONTEXT) == before(tokenizer, CONTEXT, prompt=" ", hot_words="") == []


def test_hot_words_come_first_and_survive_the_cut(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(before(tokenizer, CONTEXT, hot_words=NAMES)) == f" {NAMES}"
    assert tokenizer.decode(before(tokenizer, CONTEXT, prompt="A talk.", hot_words=NAMES)) == f" {NAMES}. A talk."
    both = before(tokenizer, CONTEXT, prompt=TALK * 20, hot_words=NAMES)
    text = tokenizer.decode(both)
    assert len(both) == MOST
    assert text.startswith(f" {NAMES}.")
    assert (TALK * 20).strip().endswith(text.removeprefix(f" {NAMES}.").strip())


def test_terms_that_do_not_fit_are_left_out_whole(tokenizer: Tokenizer) -> None:
    terms = [f"โรงพยาบาล{number}" for number in range(40)]
    text = tokenizer.decode(before(tokenizer, CONTEXT, hot_words=", ".join(terms)))
    kept = text.strip().split(", ")
    assert 5 < len(kept) < len(terms)
    assert kept == terms[: len(kept)]
    assert before(tokenizer, CONTEXT, hot_words="x " * 1000) == []


def test_the_limits_of_the_form_fit(tokenizer: Tokenizer) -> None:
    """Each alone, in English and German: so nothing that is taken there is left out here."""
    english = "This morning we talk about storage, then about the journey of the harbour master. " * 10
    for prompt in (english, TALK * 10):
        tokens = before(tokenizer, CONTEXT, prompt=prompt[:PROMPT_CHARACTERS])
        assert tokenizer.decode(tokens).strip() == prompt[:PROMPT_CHARACTERS].strip()
    names = (NAMES + ", Żółkiewski, Þórarinn, Dvořák, Núñez, ") * 10
    tokens = before(tokenizer, CONTEXT, hot_words=names[:HOT_WORDS_CHARACTERS])
    assert tokenizer.decode(tokens).strip() == names[:HOT_WORDS_CHARACTERS].strip()


def test_text_that_looks_like_a_command_is_text(tokenizer: Tokenizer) -> None:
    tokens = before(tokenizer, CONTEXT, prompt="<|endoftext|> <|0.00|>", hot_words="<|startofprev|>")
    assert all(token < tokenizer.eot for token in tokens)
    assert tokenizer.decode(tokens) == " <|startofprev|>. <|endoftext|> <|0.00|>"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The tokens a decoder was shown before it was to write, once for each batch."""
    seen, begin = [], Decoder.begin

    def note(self: Decoder, memory: Memory, prompt: Sequence[int], *others: Any, **named: Any) -> object:
        seen.append(list(prompt))
        return begin(self, memory, prompt, *others, **named)

    monkeypatch.setattr(Decoder, "begin", note)
    return seen


def test_every_window_is_told_the_same_and_nothing_of_another(
    model: Whisper, tokenizer: Tokenizer, english: Path, shown: list[list[int]]
) -> None:
    """By beams, and again by chance, as rules that believe nothing have it."""
    told = Options("en", prompt="A talk.", hot_words=NAMES, beam=2)
    pieces = [Piece(0, 2.0, 7.0), Piece(1, 30.0, 35.0)]
    BatchedEngine(model, Rules(temperatures=(0.0, 0.5), log_probability=1.0)).hear(english, pieces, told)
    tokens = before(tokenizer, CONTEXT, prompt=told.prompt, hot_words=told.hot_words)
    told_of = [each for each in shown if each != [tokenizer.sot]]  # that alone asks for the language heard
    assert len(told_of) > 1
    assert all(each == [tokenizer.sot_prev, *tokens, *tokenizer.sot_sequence] for each in told_of)


def test_what_is_heard_after_a_prompt_is_openais(model: Whisper, english: Path) -> None:
    piece = Piece(0, 2.0, 12.0)
    mel = from_frame(spectrogram(read_samples(english, piece), 80), 0)
    theirs = decode(model, mel, DecodingOptions(language="en", prompt="The boat comes back.", fp16=False))
    [segments] = BatchedEngine(model).hear(english, [piece], Options("en", prompt="The boat comes back.")).values()
    assert isinstance(theirs, DecodingResult)
    assert " ".join(segment.text for segment in segments) == theirs.text
    assert segments[0].average_log_probability == pytest.approx(theirs.avg_logprob, abs=1e-4)
    assert segments[0].no_speech_probability == pytest.approx(theirs.no_speech_prob, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 5])
def test_a_prompt_is_not_heard_in_silence(model: Whisper, write: Callable[[object], Path], beam: int) -> None:
    noise = np.random.default_rng(3).normal(0, 1, 40 * SAMPLE_RATE).clip(-4, 4) * 0.004
    noise[: 10 * SAMPLE_RATE] = 0
    pieces = [Piece(0, 0.0, 10.0), Piece(1, 10.0, 40.0)]
    told = Options("en", prompt="The boat comes back before the evening.", hot_words="boat, evening", beam=beam)
    assert BatchedEngine(model).hear(write(noise), pieces, told) == {0: [], 1: []}
