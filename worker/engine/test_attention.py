"""Attention in 8 bits, beside the same in fp32."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from worker.engine.base import EXACT, FAST, Options, Piece

if TYPE_CHECKING:
    from torch import Tensor
    from whisper.model import Whisper


def by_chance(queries: float, *, depth: int = 64) -> "Tensor":
    """Scores spread by about `queries` times 8; keys lie to one side, as a model's do."""
    import torch

    parts = torch.randn(1, 300, 3, 2, depth, generator=torch.Generator().manual_seed(5))
    parts[:, :, 0] *= queries
    parts[:, :, 1] += 30
    return parts


@pytest.mark.usefixtures("true_sums")
@pytest.mark.parametrize(("queries", "depth"), [(0.02, 64), (0.125, 64), (0.5, 64), (0.5, 32)])
def test_near_to_the_exact_one_however_sharply_it_looks(queries: float, depth: int) -> None:
    from worker.engine.attention import exactly, in_eight_bits

    parts = by_chance(queries, depth=depth)
    wanted = exactly(parts.double())
    found = in_eight_bits(parts)
    assert found.shape == (1, 300, 2 * depth)
    assert float((found - wanted).std()) < 0.05 * float(wanted.std())


@pytest.mark.usefixtures("true_sums")
def test_many_small_weights_count_as_much_as_they_are() -> None:
    """Each position looks at itself, and 250 times less at each of the others, which all say the same."""
    import torch

    from worker.engine.attention import exactly, in_eight_bits

    parts = torch.zeros(1, 300, 3, 1, 512)
    own = torch.eye(300)
    parts[0, :, 0, 0, :300], parts[0, :, 1, 0, :300] = own * 5.5, own
    parts[0, :, 2, 0, 0] = 1.0
    parts[0, :, 2, 0, 1] = torch.arange(300) % 2
    parts[0, 0, 2, 0, :2] = torch.tensor([-1.0, 1.0])  # the one place that says something else
    wanted, found = exactly(parts)[0], in_eight_bits(parts)[0]
    assert float(wanted[0, 0]) < 0.2
    assert float((found - wanted).abs().max()) < 0.05


@pytest.mark.usefixtures("true_sums")
@pytest.mark.parametrize("mode", [EXACT, FAST])
def test_the_same_is_heard_with_it(english: Path, model: "Whisper", mode: str) -> None:
    from worker.engine.attention import in_eight_bits
    from worker.engine.batched import BatchedEngine

    engine = BatchedEngine(model, mode=mode)
    pieces, options = [Piece(0, 0.0, 25.0)], Options("en")
    wanted = engine.hear(english, pieces, options)
    weights = engine.encoder._weights
    engine.encoder._weights = dataclasses.replace(weights, attend=in_eight_bits)
    found = engine.hear(english, pieces, options)
    assert [each.text for each in found[0]] == [each.text for each in wanted[0]] != []


def test_it_is_used_where_it_pays_in_models_like_openais_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from worker.engine import attention
    from worker.engine.weights import precision

    cpu = torch.device("cpu")
    for exact, pays in ((True, False), (True, True), (False, True)):
        monkeypatch.setattr(attention, "sums_overflow", lambda exact=exact: not exact)
        monkeypatch.setattr(attention, "_eight_bits_tried", lambda pays=pays: pays)
        assert precision(FAST, cpu).compiled(64) is (exact and pays)
        assert not precision(FAST, cpu).compiled(32)
        assert not precision(EXACT, cpu).compiled(64)
        assert not precision(FAST, torch.device("cuda")).compiled(64)


@pytest.mark.usefixtures("true_sums")
@pytest.mark.parametrize("pays", [False, True])
def test_a_model_like_openais_hears_nearly_the_same_features(monkeypatch: pytest.MonkeyPatch, pays: bool) -> None:
    import torch

    from worker.engine import attention
    from worker.engine.encoder import Encoder
    from worker.engine.weights import encoder_weights, precision

    monkeypatch.setattr(attention, "_eight_bits_tried", lambda: pays)
    weights, cpu = like_openais().encoder, torch.device("cpu")
    mels = torch.randn(2, 80, 3000, generator=torch.Generator().manual_seed(6))
    fast = Encoder(encoder_weights(weights, precision(FAST, cpu)))
    assert (fast._weights.attend is attention.in_eight_bits) is pays
    wanted, found = Encoder(encoder_weights(weights, precision(EXACT, cpu)))(mels), fast(mels)
    assert float((found - wanted).std()) < 0.03 * float(wanted.std())
    assert torch.equal(fast(mels[1:]), found[1:])


def like_openais() -> "Whisper":
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(7)
    return Whisper(ModelDimensions(80, 1500, 128, 2, 2, 51864, 448, 128, 2, 1)).eval().requires_grad_(False)


def test_the_faster_one_is_found_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.engine import attention, trial

    seconds = {attention.in_eight_bits: 1.0, attention.in_blocks: 1.0, attention.exactly: 1.05}
    monkeypatch.setattr(trial, "seconds_of", lambda work: seconds[work.func])
    looks = attention._eight_bits_tried.__wrapped__, attention._blocks_tried.__wrapped__
    assert [look() for look in looks] == [False, False]  # what is gained must be worth it
    seconds[attention.exactly] = 2.0
    assert [look() for look in looks] == [True, True]


def test_fractions_are_spread_evenly() -> None:
    from worker.engine.attention import _dither

    fractions = _dither(1500)
    assert np.abs(np.sort(fractions) - (np.arange(1500) + 0.5) / 1500).max() < 0.002
    assert max(abs(part.mean() - 0.5) for part in np.split(fractions, 100)) < 0.1
