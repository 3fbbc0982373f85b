"""Our own loop against openai-whisper's `decode`: same tokens; and what it spares."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from worker.engine.base import EXACT, FAST, EngineRefused, Options, Piece
from worker.engine.batched import BatchedEngine
from worker.engine.conftest import cut_at_pauses
from worker.engine.sampling import Rules
from worker.engine.sound import read_samples, spectrogram
from worker.engine.test_slots import word_errors

if TYPE_CHECKING:
    from torch import Tensor
    from whisper.decoding import DecodingResult
    from whisper.model import Whisper

    from worker.engine.decode import Pick, Result, Task
    from worker.engine.decoder import Decoder
    from worker.engine.memory import Memory, State

ENGLISH = Options("en")


def openai(model: "Whisper", mels: "Tensor", **options: object) -> "list[DecodingResult]":
    from whisper.decoding import DecodingOptions, decode

    results: list[DecodingResult] = decode(model, mels, DecodingOptions(language="en", fp16=False, **options))
    return results


def ours(engine: BatchedEngine, mels: "Tensor", before: Sequence[int] = (), tokens: int = 0) -> "list[Result]":
    from worker.engine.decode import task
    from worker.engine.sampling import decode_likeliest

    asked = task(engine.decoder, engine.tokenizer(ENGLISH), before, tokens=tokens)
    return decode_likeliest(engine.decoder, engine.decoder.cross(engine.encoder(mels)), asked)


@pytest.fixture
def windows(english: Path) -> "Tensor":
    """Of very different length, so that rows end at different times."""
    import torch

    pieces = [*cut_at_pauses(english, 60)[:2], Piece(2, 0.0, 4.0), Piece(3, 5.0, 18.0)]
    return torch.stack([spectrogram(read_samples(english, piece), 80) for piece in pieces])


@pytest.mark.parametrize("prompt", ["", "The ferry leaves at noon."])
def test_exact_mode_gives_openais_tokens(model: "Whisper", windows: "Tensor", prompt: str) -> None:
    engine = BatchedEngine(model, mode=EXACT)
    before = engine.tokenizer(ENGLISH).encode(" " + prompt) if prompt else []
    results, wanted = ours(engine, windows, before), openai(model, windows, prompt=prompt or None)
    assert [result.tokens for result in results] == [each.tokens for each in wanted]
    assert max(len(each.tokens) for each in wanted) > 3 * min(len(each.tokens) for each in wanted)
    for result, each in zip(results, wanted, strict=True):
        assert result.average_log_probability == pytest.approx(each.avg_logprob, abs=1e-4)
        assert result.no_speech_probability == pytest.approx(each.no_speech_prob, abs=1e-4)
        assert result.compression_ratio == each.compression_ratio


def seeded(seed: int = 7) -> "Whisper":
    """Weights by chance: every rule is met, as nothing the model says is likely."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(seed)
    model = Whisper(ModelDimensions(80, 1500, 128, 2, 1, 51_865, 448, 128, 2, 2)).eval().requires_grad_(False)
    torch.nn.init.normal_(model.decoder.positional_embedding, std=0.3)
    torch.nn.init.normal_(model.decoder.token_embedding.weight, std=0.05)
    return model


def test_exact_mode_gives_openais_tokens_by_chance_too() -> None:
    import torch

    model, mels = seeded(), torch.randn(3, 80, 3000)
    wanted = [each.tokens for each in openai(model, mels)]
    assert [result.tokens for result in ours(BatchedEngine(model), mels)] == wanted
    stamps = [token for tokens in wanted for token in tokens if token >= 50_364]
    assert len(stamps) > 10


@pytest.mark.usefixtures("model")  # it has read the files that whisper leaves open
@pytest.mark.parametrize("mode", [EXACT, FAST])
def test_what_a_window_says_does_not_depend_on_its_batch(mode: str) -> None:
    """Weights by chance: nothing is likely, so the smallest difference would change a token."""
    import torch

    engine, mels = BatchedEngine(seeded(), mode=mode), torch.randn(5, 80, 3000)
    together = ours(engine, mels, tokens=40)
    assert [ours(engine, mel[None], tokens=40)[0].tokens for mel in mels] == [each.tokens for each in together]


def test_the_rules_are_openais() -> None:
    """On logits and beginnings by chance, with many timestamps among them."""
    import torch
    from whisper.decoding import DecodingOptions, DecodingTask

    from worker.engine.rules import Grammar, vocabulary

    asked = DecodingTask(seeded(), DecodingOptions(language="en", fp16=False))
    chance, allowed = torch.Generator().manual_seed(1), vocabulary(asked.tokenizer, torch.device("cpu"))
    for length in range(6):
        stamps = torch.randint(50_364, 51_000, (20, length), generator=chance).sort(dim=1).values
        words = torch.randint(0, 50_000, (20, length), generator=chance)
        said = torch.where(torch.rand(20, length, generator=chance) < 0.6, stamps, words)
        logits = torch.randn(20, 51_865, generator=chance)
        logits[:, 50_364:] += torch.randn(20, 1, generator=chance) - 5
        grammar = Grammar(allowed, 20)
        for column in said.unbind(dim=1):
            grammar.note(column)
        found, wanted = grammar.apply(logits.clone()), logits.clone()
        tokens = torch.cat([torch.tensor([asked.initial_tokens]).repeat(20, 1), said], dim=1)
        for each in asked.logit_filters:
            each.apply(wanted, tokens)
        assert torch.equal(found, wanted)


def test_rows_that_have_ended_leave(model: "Whisper", windows: "Tensor", monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.engine.decoder import Decoder

    seen, step = [], Decoder.step

    def note(self: Decoder, state: "State", tokens: "Tensor") -> "Tensor":
        seen.append(len(tokens))
        return step(self, state, tokens)

    monkeypatch.setattr(Decoder, "step", note)
    lengths = sorted(len(result.tokens) for result in ours(BatchedEngine(model, mode=FAST), windows))
    assert seen == [sum(length > count for length in lengths) for count in range(lengths[-1])]
    assert set(seen) == {1, 2, 3, 4}


def test_retries_encode_nothing_and_decode_only_what_failed(
    model: "Whisper", english: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second row is not believed at first."""
    from worker.engine.decode import decode

    asked = []

    def note(decoder: "Decoder", memory: "Memory", task: "Task", pick: "Pick", temperature: float) -> "list[Result]":
        asked.append(memory.rows)
        return decode(decoder, memory, task, pick, temperature)

    class Doubtful(Rules):
        def failed(self, result: "Result") -> bool:
            return result.temperature == 0.0 and len(result.tokens) % 2 == 1

    monkeypatch.setattr("worker.engine.sampling.decode", note)
    engine = BatchedEngine(model, Doubtful(), FAST)
    pieces = [Piece(index, 4.0 * index, 4.0 * index + 4) for index in range(8)]
    engine.hear(english, pieces, ENGLISH)
    assert asked[0] == 8
    assert 0 < asked[1] < 8
    assert engine.encodes == sum(asked[::2])


def test_fast_mode_hears_as_well(model: "Whisper", english: Path) -> None:
    """Both modes against what was said. Bound: a tenth of a point."""
    from worker.engine.conftest import DEMO

    pieces = cut_at_pauses(english, 120)[:-1]
    said = (DEMO / "samples" / "english.txt").read_text().split()
    errors = {}
    for mode in (EXACT, FAST):
        heard = BatchedEngine(model, mode=mode).hear(english, pieces, ENGLISH)
        words = [word for segments in heard.values() for segment in segments for word in segment.text.split()]
        errors[mode] = word_errors(words, said) / len(words)
    assert errors[FAST] <= errors[EXACT] + 0.001


def test_a_fixed_number_of_tokens(model: "Whisper", windows: "Tensor") -> None:
    """For measurements: silence, too, is so many tokens."""
    results = ours(BatchedEngine(model, mode=FAST), windows, tokens=20)
    assert [len(result.tokens) for result in results] == [20] * 4


@pytest.mark.parametrize("limit", [3, 0])
def test_a_gpu_without_memory_gets_smaller_batches(
    model: "Whisper", english: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Its memory holds `limit` windows; with none, the error goes on, and the process is replaced."""
    import torch

    from worker.engine.decoder import Decoder

    tried, cross = [], Decoder.cross

    def short(self: Decoder, features: "Tensor") -> object:
        tried.append(len(features))
        if len(features) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return cross(self, features)

    pieces = [Piece(index, 5.0 * index, 5.0 * index + 5) for index in range(8)]
    wanted = BatchedEngine(model).hear(english, pieces, ENGLISH)
    monkeypatch.setattr(Decoder, "cross", short)
    engine = BatchedEngine(model)
    if not limit:
        with pytest.raises(torch.OutOfMemoryError):
            engine.hear(english, pieces, ENGLISH)
        assert tried == [8, 4, 2, 1]
        return
    heard = engine.hear(english, pieces, ENGLISH)
    assert {index: [each.text for each in found] for index, found in heard.items()} == {
        index: [each.text for each in found] for index, found in wanted.items()
    }
    assert tried[:3] == [8, 4, 2]
    assert max(tried[2:]) == 2


@pytest.mark.parametrize("mode", [EXACT, FAST])
def test_damaged_weights_are_refused(model: "Whisper", mode: str) -> None:
    broken = seeded()
    broken.encoder.blocks[0].attn_ln.weight.fill_(float("nan"))
    with pytest.raises(EngineRefused, match="not_a_number"):
        BatchedEngine(broken, mode=mode)


def test_eight_bits_are_near() -> None:
    import torch

    from worker.engine.linear import dense, eight_bits

    torch.manual_seed(2)
    weight, bias, x = torch.randn(96, 64), torch.randn(96), torch.randn(5, 64)
    near, exact = eight_bits(weight, bias)(x), dense(weight, bias)(x)
    assert float((near - exact).abs().max()) < 0.03 * float(exact.abs().max())
    assert np.allclose(exact, torch.nn.functional.linear(x, weight, bias), atol=1e-5)
