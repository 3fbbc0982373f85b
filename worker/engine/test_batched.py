"""What is heard, with the real demo model in this process."""

import gc
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from worker.engine.base import MODES, SAMPLE_RATE, EngineRefused, Options, Piece, Segment, Vote
from worker.engine.batched import BatchedEngine
from worker.engine.conftest import CHECKPOINT, cut_at_pauses
from worker.engine.reference import transcribe
from worker.engine.sampling import Rules

if TYPE_CHECKING:
    from torch import Tensor
    from whisper.model import Whisper

    from worker.engine.memory import Memory

ENGLISH = Options("en")


def texts(heard: dict[int, list[Segment]]) -> dict[int, list[str]]:
    return {index: [segment.text for segment in segments] for index, segments in heard.items()}


@pytest.fixture(scope="module")
def engine(model: "Whisper") -> BatchedEngine:
    return BatchedEngine(model)


def test_a_window_equals_openais_transcribe(
    engine: BatchedEngine, model: "Whisper", english: Path, write: Callable[[object], Path]
) -> None:
    """The oracle hears the window alone, with the same silence after it; times shift by the window's start."""
    piece = cut_at_pauses(english, 60)[1]
    first, last = round(piece.start * SAMPLE_RATE), round(piece.end * SAMPLE_RATE)
    sound = np.zeros(30 * SAMPLE_RATE)
    sound[: last - first] = np.fromfile(english, "<i2")[first:last] / 32767
    expected = transcribe(model, write(sound), "en")
    [heard] = engine.hear(english, [piece], ENGLISH).values()
    assert [segment.text for segment in heard] == [segment.text for segment in expected]
    assert len(heard) > 3
    for ours, theirs in zip(heard, expected, strict=True):
        assert ours.start == pytest.approx(theirs.start + piece.start, abs=0.002)
        assert ours.end == pytest.approx(theirs.end + piece.start, abs=0.002)
        assert ours.average_log_probability == pytest.approx(theirs.average_log_probability, abs=1e-4)


def test_a_window_cut_in_speech_is_heard_to_its_end(
    engine: BatchedEngine, model: "Whisper", english: Path, write: Callable[[object], Path]
) -> None:
    """The model is cut off in a sentence, so the rest is heard again: the words are those of the oracle."""
    sound = np.fromfile(english, "<i2")[: 30 * SAMPLE_RATE] / 32767
    expected = " ".join(segment.text for segment in transcribe(model, write(sound), "en"))
    [heard] = engine.hear(english, [Piece(0, 0.0, 30.0)], ENGLISH).values()
    assert " ".join(segment.text for segment in heard) == expected


def test_batches_give_what_single_windows_give(engine: BatchedEngine, english: Path) -> None:
    pieces = cut_at_pauses(english, 150)[:4]
    together = engine.hear(english, pieces, ENGLISH)
    assert list(together) == list(range(4))
    alone: dict[int, list[Segment]] = {}
    for piece in pieces:
        alone |= engine.hear(english, [piece], ENGLISH)
    assert texts(together) == texts(alone)
    assert engine.hear(english, pieces[:2], ENGLISH) == engine.hear(english, pieces[:2], ENGLISH)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_of_a_window_is_kept(model: "Whisper", english: Path, mode: str) -> None:
    """To the byte: one window's features are 0.75 MB, which the memory of a process would not show. What a batch
    remembered is kept to be used again, so the first one is the larger."""
    engine = BatchedEngine(model, mode=mode)
    pieces = [Piece(index, 3.0 * index, 3.0 * index + 3) for index in range(5)]
    engine.hear(english, pieces[:3], ENGLISH)
    before = held()
    engine.hear(english, pieces[3:], ENGLISH)
    assert held() == before


def held() -> int:
    """Bytes of all tensors that live in this process."""
    import torch

    gc.collect()
    return sum(each.numel() * each.element_size() for each in gc.get_objects() if type(each) is torch.Tensor)


def test_times_stay_in_the_window_and_in_order(engine: BatchedEngine, english: Path) -> None:
    pieces = cut_at_pauses(english, 100)
    for piece, segments in zip(pieces, engine.hear(english, pieces, ENGLISH).values(), strict=True):
        assert segments
        assert piece.start <= segments[0].start
        assert segments[-1].end <= piece.end
        assert all(segment.start <= segment.end for segment in segments)
        assert all(before.end <= after.start for before, after in pairwise(segments))


def test_sampled_retries_repeat_whatever_else_is_in_the_batch(model: "Whisper", english: Path) -> None:
    """Rules that believe nothing send every row to a temperature where chance decides."""
    engine = BatchedEngine(model, Rules(temperatures=(0.0, 0.9), log_probability=1.0))
    pieces = [Piece(index, 5.0 * index, 5.0 * index + 5) for index in range(3)]
    heard = engine.hear(english, pieces, Options("en", seed=5))
    assert {segment.temperature for segments in heard.values() for segment in segments} == {0.9}
    assert engine.hear(english, pieces, Options("en", seed=5)) == heard
    assert texts(engine.hear(english, pieces[::-1], Options("en", seed=5))) == texts(heard)
    assert engine.hear(english, pieces, Options("en", seed=6)) != heard


def test_only_rows_that_fail_are_decoded_again(
    model: "Whisper", english: Path, write: Callable[[object], Path]
) -> None:
    """A window of clean speech beside one played too slowly, of which the model is unsure."""
    piece = cut_at_pauses(english, 60)[0]
    clean = np.fromfile(english, "<i2")[: round(piece.end * SAMPLE_RATE)] / 32767
    slow = np.interp(np.arange(0, len(clean), 0.7), np.arange(len(clean)), clean)[: 25 * SAMPLE_RATE]
    pieces = [piece, Piece(1, piece.end, piece.end + 25)]
    rules = Rules(temperatures=(0.0, 0.5), log_probability=-0.5, no_speech=2.0)
    engine = BatchedEngine(model, rules)
    heard = engine.hear(write(np.concatenate([clean, slow])), pieces, ENGLISH)
    assert {segment.temperature for segment in heard[0]} == {0.0}
    assert {segment.temperature for segment in heard[1]} == {0.5}


def test_a_model_that_never_ends_ends(model: "Whisper", english: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time it is cut off after another word: the window is heard again only so often."""
    from worker.engine import batched
    from worker.engine.decode import Result

    calls = []

    def short(*_: object) -> list[Result]:
        calls.append(1)
        stamp = 50364
        return [Result([stamp, 400 + len(calls), stamp + 1, stamp + 1], -0.1, 0.0, 1.0, 0.0)]

    monkeypatch.setattr(batched, "decode_surely", short)
    heard = BatchedEngine(model).hear(english, [Piece(0, 0.0, 20.0)], ENGLISH)
    assert len(calls) == len(heard[0]) == batched.ROUNDS


@pytest.mark.parametrize("level", [0.0, 0.001, 0.004])
def test_silence_and_noise_are_no_text(engine: BatchedEngine, write: Callable[[object], Path], level: float) -> None:
    noise = np.random.default_rng(3).normal(0, 1, 40 * SAMPLE_RATE).clip(-4, 4) * level
    pieces = [Piece(0, 0.0, 30.0), Piece(1, 30.0, 35.0), Piece(2, 35.0, 40.0)]
    assert engine.hear(write(noise), pieces, ENGLISH) == {0: [], 1: [], 2: []}


def test_past_the_end_of_the_file_there_is_nothing(engine: BatchedEngine, english: Path) -> None:
    assert engine.hear(english, [Piece(3, 1000.0, 1030.0)], ENGLISH) == {3: []}


def test_language_vote(engine: BatchedEngine, english: Path, german: Path) -> None:
    pieces = [Piece(index, 10.0 * index, 10.0 * index + 10) for index in range(3)]
    for samples, language in [(english, "en"), (german, "de")]:
        vote = engine.vote_language(samples, pieces)
        assert vote.language == language
        assert 0.5 < vote.probability <= 1.0


@pytest.mark.usefixtures("model")  # it has read the files that whisper leaves open
def test_an_english_only_model_knows_one_language(english: Path, tmp_path: Path) -> None:
    """The demo's weights with the smaller vocabulary: what it hears is nonsense, what it votes is not."""
    import torch

    from worker.engine.checkpoint import load_checkpoint

    content = torch.load(CHECKPOINT, weights_only=True)
    content["dims"]["n_vocab"] = 51_864
    rows = content["model_state_dict"]["decoder.token_embedding.weight"]
    content["model_state_dict"]["decoder.token_embedding.weight"] = rows[:51_864]
    torch.save(content, tmp_path / "small.en.pt")
    engine = BatchedEngine(load_checkpoint(tmp_path / "small.en.pt", "cpu")[0], Rules(temperatures=(0.0,)))
    assert engine.vote_language(english, [Piece(0, 0.0, 10.0)]) == Vote("en", 1.0)
    assert set(engine.hear(english, [Piece(0, 0.0, 3.0)], ENGLISH)) == {0}
    assert refused_by(lambda: engine.hear(english, [Piece(0, 0.0, 3.0)], Options("de"))) == "language_unknown"
    translation = Options("en", task="translate")
    assert refused_by(lambda: engine.hear(english, [Piece(0, 0.0, 3.0)], translation)) == "cannot_translate"


@pytest.fixture
def prompts(model: "Whisper") -> Iterator[list[list[int]]]:
    """The tokens openai's decoder was first shown, once for each batch."""
    seen: list[list[int]] = []

    def note(_: object, given: tuple[object, ...]) -> None:
        tokens = cast("Tensor", given[0])
        if tokens.shape[-1] > 1:  # later steps bring one token each
            seen.append(tokens[0].tolist())

    hook = model.decoder.register_forward_pre_hook(note)
    yield seen
    hook.remove()


@pytest.mark.parametrize(("language", "task"), [("de", "transcribe"), ("de", "translate"), ("en", "translate")])
def test_the_model_is_told_language_and_task(
    model: "Whisper", german: Path, language: str, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heard once each: the demo model never learnt to translate, so no temperature would make it surer."""
    from whisper.tokenizer import get_tokenizer

    from worker.engine.decoder import Decoder

    prompts, begin = [], Decoder.begin

    def note(self: Decoder, memory: "Memory", prompt: Sequence[int], *others: Any, **named: Any) -> object:
        prompts.append(list(prompt))
        return begin(self, memory, prompt, *others, **named)

    monkeypatch.setattr(Decoder, "begin", note)

    tokenizer = get_tokenizer(multilingual=True, language=language, task=task)
    wanted = [tokenizer.sot, tokenizer.to_language_token(language), getattr(tokenizer, task)]
    engine = BatchedEngine(model, Rules(temperatures=(0.0,)))
    heard = engine.hear(german, [Piece(0, 0.0, 10.0)], Options(language, task=task))
    assert list(heard) == [0]
    told = [prompt for prompt in prompts if prompt != [tokenizer.sot]]  # which asks what language it is
    assert told
    assert all(prompt == wanted for prompt in told)


def test_the_oracle_is_told_the_task_too(
    model: "Whisper", prompts: list[list[int]], write: Callable[[object], Path]
) -> None:
    from whisper.tokenizer import get_tokenizer

    transcribe(model, write(np.zeros(SAMPLE_RATE)), "de", "translate")
    assert prompts[0][-1] == get_tokenizer(multilingual=True).translate


@pytest.mark.parametrize(
    ("layers", "vocabulary", "able"), [((32, 32), 51_866, True), ((32, 4), 51_866, False), ((6, 6), 51_864, False)]
)
def test_which_checkpoints_translate(layers: tuple[int, int], vocabulary: int, able: bool) -> None:
    """By their dimensions: large-v3, its turbo version, base.en."""
    from whisper.model import ModelDimensions, Whisper

    from worker.engine.checkpoint import can_translate

    sound, text = layers
    model = Whisper(ModelDimensions(80, 1500, 8, 1, sound, vocabulary, 448, 8, 1, text))
    assert can_translate(model) is able


def test_requests_that_cannot_be_met(engine: BatchedEngine, english: Path, tmp_path: Path) -> None:
    piece = Piece(0, 0.0, 10.0)
    assert refused_by(lambda: engine.hear(english, [piece], Options("klingon"))) == "language_unknown"
    assert refused_by(lambda: engine.hear(english, [piece], Options("yue"))) == "language_unknown"
    assert refused_by(lambda: engine.hear(tmp_path / "none", [piece], ENGLISH)) == "samples_missing"
    assert refused_by(lambda: engine.hear(english, [Piece(0, 0.0, 31.0)], ENGLISH)) == "bad_request"
    assert refused_by(lambda: engine.vote_language(english, [])) == "bad_request"


def test_broken_weights_are_said_and_not_heard(english: Path) -> None:
    from worker.engine.checkpoint import load_checkpoint

    model, _ = load_checkpoint(CHECKPOINT, "cpu")
    model.decoder.positional_embedding.fill_(float("nan"))
    engine = BatchedEngine(model)
    assert refused_by(lambda: engine.hear(english, [Piece(0, 0.0, 5.0)], ENGLISH)) == "not_a_number"


def refused_by(call: Callable[[], object]) -> str:
    with pytest.raises(EngineRefused) as refused:
        call()
    return refused.value.code
