"""Tokens by guesses and checks: the same as one after another, whatever is guessed."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.engine.base import EXACT, Piece
from worker.engine.batched import BatchedEngine
from worker.engine.conftest import cut_at_pauses
from worker.engine.sound import read_samples, spectrogram
from worker.engine.test_decode import ENGLISH, seeded

if TYPE_CHECKING:
    from torch import Tensor
    from whisper.model import Whisper

    from worker.engine.decode import Result
    from worker.engine.decoder import Decoder
    from worker.engine.placed import PlacedState


def both(engine: BatchedEngine, mels: "Tensor", before: int = 0, tokens: int = 0) -> "tuple[list[Result], ...]":
    """One after another, and with guesses; `before`: so many tokens are in front."""
    from worker.engine.ahead import decode_ahead
    from worker.engine.decode import decode, likeliest, task

    asked = task(engine.decoder, engine.tokenizer(ENGLISH), range(1000, 1000 + before), tokens=tokens)
    features, rough = engine.encoder(mels), engine.decoder.rough
    assert rough is not None
    one_by_one = decode(engine.decoder, engine.decoder.cross(features), asked, likeliest, 0.0)
    return one_by_one, decode_ahead(engine.decoder, rough, engine.decoder.cross(features), asked)


def same(results: "tuple[list[Result], ...]") -> None:
    for one, other in zip(*results, strict=True):
        assert other.tokens == one.tokens
        assert other.average_log_probability == pytest.approx(one.average_log_probability, abs=1e-5)
        assert other.no_speech_probability == pytest.approx(one.no_speech_probability, abs=1e-6)


@pytest.mark.usefixtures("model")  # it has read the files that whisper leaves open
@pytest.mark.parametrize(("before", "tokens"), [(0, 0), (0, 60), (250, 0), (440, 0)])
def test_by_chance_weights_and_up_to_the_end_of_the_context(before: int, tokens: int) -> None:
    """Nothing is likely, so many guesses are wrong. Of 448 tokens that a model knows, the last case leaves 6."""
    import torch

    engine, mels = BatchedEngine(seeded()), torch.randn(5, 80, 3000, generator=torch.Generator().manual_seed(1))
    results = both(engine, mels, before, tokens)
    same(results)
    assert len({token for result in results[0] for token in result.tokens}) > 4


@pytest.mark.usefixtures("model")
def test_wrong_guesses_change_nothing() -> None:
    """What guesses is another model."""
    import torch

    engine, mels = BatchedEngine(seeded()), torch.randn(3, 80, 3000, generator=torch.Generator().manual_seed(1))
    engine.decoder.rough = BatchedEngine(seeded(8)).decoder.rough
    same(both(engine, mels, tokens=30))


def test_right_guesses_save_passes_and_rows_that_have_ended_leave(
    model: "Whisper", english: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from worker.engine.decoder import Decoder

    rows, ahead = list[int](), Decoder.ahead

    def note(self: "Decoder", state: "PlacedState", tokens: "Tensor", first: int = 0) -> "Tensor":
        if self.rough is not None:
            rows.append(len(tokens))
        return ahead(self, state, tokens, first)

    monkeypatch.setattr(Decoder, "ahead", note)
    pieces = [*cut_at_pauses(english, 60)[:2], Piece(2, 0.0, 4.0)]
    mels = torch.stack([spectrogram(read_samples(english, piece), 80) for piece in pieces])
    results = both(BatchedEngine(model, mode=EXACT), mels)
    same(results)
    lengths = sorted(len(result.tokens) for result in results[0])
    assert len(rows) < lengths[-1] / 3
    assert rows == sorted(rows, reverse=True)
    assert (rows[0], rows[-1]) == (3, 1)
