"""Steps of self-attention in a loop of our own, beside torch's operations."""

from types import SimpleNamespace

import pytest

from worker.engine.base import FAST
from worker.engine.test_attention import like_openais

ROWS, HEADS, PLACES, DEPTH = 3, 2, 9, 64


@pytest.mark.parametrize("width", [1, 4])
def test_it_finds_and_keeps_what_torch_does(width: int) -> None:
    """Row by row as they leave, for beams, too."""
    import torch

    from worker.engine.compiled import CompiledState
    from worker.engine.memory import State

    torch.manual_seed(9)
    memory = SimpleNamespace(rows=ROWS, swap=lambda one, other: None)
    caches = [torch.zeros(2, ROWS, HEADS, PLACES, DEPTH) for _ in range(2)]
    wanted, found = (kind(memory, [caches[n].clone()]) for n, kind in enumerate((State, CompiledState)))  # type: ignore[arg-type]
    first = torch.randn(ROWS * 2, 3 * HEADS * DEPTH)
    for length, rows in ((0, ROWS), (2, ROWS), (3, ROWS), (4, 2), (5, 2)):
        parts = first if not length else torch.randn(rows * width, 3 * HEADS * DEPTH) * 4
        for state in (wanted, found):
            state.length = length
            if length == 2:
                state.widen(width, [torch.zeros(2, ROWS * width, HEADS, PLACES, DEPTH)])
            if length == 4:
                state.keep([2, 0])
        assert torch.allclose(found.attend(0, parts), wanted.attend(0, parts), atol=1e-5)
        assert torch.equal(found.caches[0], wanted.caches[0])


@pytest.mark.parametrize("pays", [False, True])
def test_fast_steps_of_models_like_openais_use_it_where_it_pays(monkeypatch: pytest.MonkeyPatch, pays: bool) -> None:
    import torch

    from worker.engine import attention
    from worker.engine.compiled import CompiledState
    from worker.engine.decoder import Decoder
    from worker.engine.weights import decoder_weights, precision

    monkeypatch.setattr(attention, "_eight_bits_tried", lambda: pays)
    monkeypatch.setattr(attention, "sums_overflow", lambda: False)
    model = like_openais()
    decoder = Decoder(decoder_weights(model.decoder, precision(FAST, torch.device("cpu"))))
    state, _ = decoder.begin(decoder.cross(torch.randn(2, 1500, model.dims.n_text_state)), [1, 2, 3], room=0)
    assert isinstance(state, CompiledState) is pays
