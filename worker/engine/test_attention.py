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


@pytest.mark.parametrize(("queries", "depth"), [(0.02, 64), (0.125, 64), (0.5, 64), (0.5, 32)])
def test_near_to_the_exact_one_however_sharply_it_looks(queries: float, depth: int) -> None:
    from worker.engine.attention import exactly, in_eight_bits

    parts = by_chance(queries, depth=depth)
    wanted = exactly(parts.double())
    found = in_eight_bits(parts)
    assert found.shape == (1, 300, 2 * depth)
    assert float((found - wanted).std()) < 0.05 * float(wanted.std())


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
    for pays, chosen in ((True, attention.in_eight_bits), (False, attention.exactly)):
        monkeypatch.setattr(attention, "_eight_bits_pay", lambda pays=pays: pays)
        assert precision(FAST, cpu).attention(64) is chosen
    monkeypatch.setattr(attention, "_eight_bits_pay", lambda: True)
    assert precision(FAST, cpu).attention(32) is attention.exactly
    assert precision(EXACT, cpu).attention(64) is attention.exactly
    assert precision(FAST, torch.device("cuda")).attention(64) is attention.exactly


def test_the_faster_one_is_found_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.engine import attention

    seconds = {attention.in_eight_bits: 1.0, attention.exactly: 1.05}
    monkeypatch.setattr(attention, "_timed", lambda attend, _: seconds[attend])
    look = attention._eight_bits_pay.__wrapped__
    assert not look()  # what is gained must be worth a coarser look
    seconds[attention.exactly] = 2.0
    assert look()


def test_fractions_are_spread_evenly() -> None:
    from worker.engine.attention import _dither

    fractions = _dither(1500)
    assert np.abs(np.sort(fractions) - (np.arange(1500) + 0.5) / 1500).max() < 0.002
    assert max(abs(part.mean() - 0.5) for part in np.split(fractions, 100)) < 0.1
