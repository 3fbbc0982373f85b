"""Products of oneDNN, beside torch's own; where torch has none, none of this is used."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.engine.base import Options, Piece

if TYPE_CHECKING:
    from torch import Tensor
    from whisper.model import Whisper


@pytest.fixture(autouse=True)
def there() -> None:
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        pytest.skip("This torch comes without oneDNN.")


@pytest.mark.parametrize("rows", [1, 6, 48, 300])
@pytest.mark.parametrize("bent", [False, True])
def test_the_same_for_any_number_of_rows(rows: int, bent: bool) -> None:
    import torch
    from torch.nn import functional

    from worker.engine import onednn

    torch.manual_seed(3)
    x, weight, bias = torch.randn(rows, 96), torch.randn(70, 96), torch.randn(70)
    wanted = functional.linear(x, weight, bias)
    wanted = functional.gelu(wanted) if bent else wanted
    for given in (onednn.pack(weight), weight):
        assert torch.allclose(onednn.product(x, given, bias, bent=bent), wanted, atol=1e-4)


def test_places_that_overlap_in_memory_are_read_as_they_are() -> None:
    """Neighbours of a convolution lie on each other."""
    import torch

    from worker.engine import onednn
    from worker.engine.encoder import neighbours

    torch.manual_seed(3)
    x, weight = neighbours(torch.randn(1, 60, 16), 2), torch.randn(32, 48)
    assert torch.allclose(onednn.product(x, onednn.pack(weight)), x @ weight.t(), atol=1e-4)


def test_attention_in_blocks_is_attention() -> None:
    import torch

    from worker.engine.attention import exactly, in_blocks

    parts = torch.randn(2, 700, 3, 2, 64, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(in_blocks(parts), exactly(parts), atol=1e-5)


@pytest.mark.parametrize("narrow", [True, False])
def test_the_same_is_heard_with_it(
    english: Path, model: "Whisper", monkeypatch: pytest.MonkeyPatch, narrow: bool
) -> None:
    """Embeddings are kept in fp16 where that loses nothing, and only there."""
    import torch

    from worker.engine import attention, onednn
    from worker.engine.batched import BatchedEngine

    words = model.decoder.token_embedding.weight
    assert torch.equal(words.half().float(), words)
    monkeypatch.setattr(words, "data", words.data if narrow else words.data * (1 + 2**-14))

    def heard(pays: bool) -> "tuple[list[str], Tensor]":
        monkeypatch.setattr(onednn, "pays", lambda *, bent: pays)
        monkeypatch.setattr(attention, "blocks_pay", lambda depth: pays)
        engine = BatchedEngine(model)
        segments = engine.hear(english, [Piece(0, 0.0, 25.0)], Options("en"))[0]
        return [segment.text for segment in segments], engine.decoder._weights.table

    (wanted, table), (found, other) = heard(False), heard(True)
    assert found == wanted != []
    assert (table.dtype, other.dtype) == (torch.float32, torch.float16 if narrow else torch.float32)
    assert torch.equal(other.float(), table)


def test_it_is_used_where_it_is_exact_and_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from worker.engine import onednn, trial

    look = onednn.pays.__wrapped__
    for faster in (True, False):
        monkeypatch.setattr(trial, "pays", lambda ours, other, faster=faster: faster)
        assert [look(bent=bent) for bent in (True, False)] == [faster, faster]
    monkeypatch.setattr(trial, "pays", lambda ours, other: True)
    product = onednn.product
    monkeypatch.setattr(onednn, "product", lambda x, *rest, **more: product(x.bfloat16().float(), *rest, **more))
    assert not look(bent=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not look(bent=True)
