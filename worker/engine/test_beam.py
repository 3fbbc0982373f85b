"""Beam search, with openai-whisper's own classes as the oracle. It decodes one window at a time: it cannot do more."""

import dataclasses
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from whisper.decoding import BeamSearchDecoder, DecodingOptions, DecodingResult, DecodingTask, MaximumLikelihoodRanker
from whisper.model import ModelDimensions, Whisper

from worker.engine.base import Options, Piece
from worker.engine.batched import BatchedEngine
from worker.engine.beam import Beams, Candidate, decode_beams, highest
from worker.engine.conftest import cut_at_pauses
from worker.engine.decode import Result, Task, task
from worker.engine.sound import from_frame, read_samples, spectrogram

# openai's `finalize` hands a tensor to numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
BEAM, END, WORDS = 5, 0, 40


class Still:
    """An inference without a cache."""

    def rearrange_kv_cache(self, source_indices: Sequence[int]) -> None:
        pass


def odds(prefix: Sequence[int]) -> Tensor:
    """Log probabilities of the next of 40 tokens, by chance but always the same after this prefix."""
    chance = torch.Generator().manual_seed(zlib.crc32(f"{prefix}".encode()))
    logits = 2 * torch.randn(WORDS, generator=chance)
    logits[END] += len(prefix) - 3 if prefix else -torch.inf  # nothing ends before it began
    return logits.log_softmax(dim=-1)


def openais(seed: int, steps: int) -> tuple[list[int], float]:
    """The best hypothesis and its sum, by openai's classes over `odds`."""
    decoder = BeamSearchDecoder(BEAM, END, Still())
    tokens, sums = torch.full((BEAM, 1), 1000 + seed), torch.zeros(BEAM)
    for _ in range(steps):
        logits = torch.stack([odds([seed, *row[1:]]) if len(row) > 1 else first(seed) for row in tokens.tolist()])
        tokens, done = decoder.update(tokens, logits, sums)
        if done:
            break
    found, scores = decoder.finalize(tokens[None], sums[None])
    heard = [[each[1 : (each == END).nonzero()[0, 0]] for each in group] for group in found]
    best = MaximumLikelihoodRanker(None).rank(heard, scores)[0]
    return heard[0][best].tolist(), scores[0][best]


def first(seed: int) -> Tensor:
    logits = odds([seed])
    logits[END] = -torch.inf
    return logits


def ours(seed: int, steps: int) -> tuple[list[int], float]:
    beams = Beams(BEAM, END)
    for step in range(steps):
        candidates = []
        for beam, one in enumerate(beams.alive):
            logits = odds([seed, *one.tokens]) if step else first(seed)
            best = logits.log_softmax(dim=-1).topk(BEAM + 1)
            scores = (best.values + torch.tensor(one.score)).tolist()
            pairs = zip(scores, best.indices.tolist(), strict=True)
            candidates += [Candidate(score, beam, token) for score, token in pairs]
        beams.step(candidates)
        assert all(one.tokens[: beams.shared] == beams.alive[0].tokens[: beams.shared] for one in beams.alive)
        if beams.done:
            break
    return beams.best()


@pytest.mark.parametrize("steps", [2, 6, 30])
def test_the_book_is_kept_as_openai_keeps_it(steps: int) -> None:
    """Ended at once, cut off in the middle, and to the end."""
    for seed in range(8):
        heard, score = ours(seed, steps)
        assert heard == openais(seed, steps)[0]
        assert score == pytest.approx(openais(seed, steps)[1], abs=1e-6)


def test_the_highest_of_a_row() -> None:
    logits = torch.randn(7, 51_865, generator=torch.Generator().manual_seed(1))
    logits[0, 51_860:] = torch.arange(9.0, 14.0)  # in what no column holds
    logits[1, :10] = torch.arange(9.0, 19.0)
    logits[2, ::810] = 9 + torch.arange(65.0)  # all in one column
    logits[3, 7:] = -torch.inf
    values, places = highest(logits, 6)
    expected = logits.topk(6)
    assert torch.equal(values, expected.values)
    assert torch.equal(places, expected.indices)


@pytest.fixture(scope="module")
def engine(model: Whisper) -> BatchedEngine:
    return BatchedEngine(model)


def features_of(engine: BatchedEngine, samples: Path, pieces: Sequence[Piece]) -> Tensor:
    mels = [from_frame(spectrogram(read_samples(samples, piece), 80), 0) for piece in pieces]
    return engine.encoder(torch.stack(mels))


def beams_of_openai(model: Whisper, features: Tensor, **more: object) -> list[DecodingResult]:
    options = DecodingOptions(language="en", beam_size=BEAM, fp16=False, **more)
    return [DecodingTask(model, options).run(row[None])[0] for row in features.clone()]


def assert_alike(ours: Sequence[Result], theirs: Sequence[DecodingResult]) -> None:
    for our, their in zip(ours, theirs, strict=True):
        assert our.tokens == their.tokens
        assert our.average_log_probability == pytest.approx(their.avg_logprob, abs=1e-4)
        assert our.no_speech_probability == pytest.approx(their.no_speech_prob, abs=1e-4)
        assert our.compression_ratio == pytest.approx(their.compression_ratio)


def asked_of(engine: BatchedEngine) -> Task:
    return task(engine.decoder, engine.tokenizer(Options("en")))


def test_speech_is_openais_token_for_token(engine: BatchedEngine, model: Whisper, english: Path) -> None:
    """Windows of different lengths side by side, so that one leaves the batch before the other."""
    whole = cut_at_pauses(english, 60)[0]
    pieces = [Piece(0, 30.0, 33.0), whole]
    features = features_of(engine, english, pieces)
    heard = decode_beams(engine.decoder, engine.decoder.cross(features), asked_of(engine), BEAM)
    assert_alike(heard, beams_of_openai(model, features))
    lengths = [len(result.tokens) for result in heard]
    assert min(lengths) < max(lengths) / 2


def test_random_weights_are_openais_token_for_token() -> None:
    """Nothing ends here: the best of those under way counts. Sharp attention, so that beams differ."""
    torch.manual_seed(5)
    chance = Whisper(ModelDimensions(80, 1500, 128, 2, 1, 51_865, 448, 128, 2, 3)).eval().requires_grad_(False)
    chance.decoder.token_embedding.weight.normal_(0, 0.1)
    chance.decoder.positional_embedding.normal_(0, 0.1)
    for name, weight in chance.decoder.named_parameters():
        if name.endswith(("query.weight", "key.weight")):
            weight.mul_(6)
    engine = BatchedEngine(chance)
    features = torch.randn(2, 1500, 128, generator=torch.Generator().manual_seed(2))
    asked = dataclasses.replace(asked_of(engine), limit=25)
    heard = decode_beams(engine.decoder, engine.decoder.cross(features), asked, BEAM)
    assert_alike(heard, beams_of_openai(chance, features, sample_len=25))
    assert len({token for result in heard for token in result.tokens}) > 20
