"""The step for a GPU, without a graph on a CPU: the same numbers, and nothing that moves."""

import warnings
from typing import TYPE_CHECKING

import pytest

from worker.engine.base import EXACT
from worker.engine.test_decode import seeded

if TYPE_CHECKING:
    from worker.engine.decoder import Decoder


def decoder(*, fixed: bool) -> "Decoder":
    import torch

    from worker.engine.decoder import Decoder
    from worker.engine.weights import decoder_weights, precision

    with warnings.catch_warnings(action="ignore"):
        return Decoder(decoder_weights(seeded().decoder, precision(EXACT, torch.device("cpu"))), fixed=fixed)


def test_the_fixed_step_gives_the_same_numbers_also_when_rows_leave() -> None:
    import torch

    features, logits = torch.randn(3, 1500, 128), []
    for fixed in (False, True):
        each = decoder(fixed=fixed)
        state, first = each.begin(each.cross(features), [50_258, 50_259, 50_359], room=3)
        found = [first[:, 0], each.step(state, torch.tensor([1, 2, 3])).clone()]
        each.widen(state, 2)
        found.append(each.step(state, torch.tensor([4, 5, 6, 7, 8, 9])).clone())
        assert state.keep([0, 2]) == [0, 2]
        state.reorder(torch.tensor([1, 0, 2, 3]))
        logits.append([*found, each.step(state, torch.tensor([1, 2, 3, 4])).clone()])
    for one, other in zip(*logits, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("fixed", [False, True])
def test_caches_hold_what_was_asked_for_and_the_last_token_still_fits(fixed: bool) -> None:
    import torch

    each, prompt, features, logits = decoder(fixed=fixed), [50_258, 50_259, 50_359], torch.randn(2, 1500, 128), []
    for room, capacity in ((500, 448), (2, 5)):
        state, _ = each.begin(each.cross(features), prompt, room=room)
        assert state.capacity == capacity
        each.widen(state, 2)
        assert state.capacity == capacity
        for token in (7, 8):
            found = each.step(state, torch.tensor([token] * 4)).clone()
        logits.append(found)
    assert torch.allclose(logits[0], logits[1], atol=1e-4)


def test_the_caches_of_beams_come_back_to_the_pool() -> None:
    import torch

    each = decoder(fixed=False)
    state, _ = each.begin(each.cross(torch.randn(2, 1500, 128)), [50_258], room=5)
    each.widen(state, 5)
    lent = {cache.data_ptr() for cache in state.caches}
    assert lent.isdisjoint({block.data_ptr() for block in each._pool._free})
    del state
    assert lent <= {block.data_ptr() for block in each._pool._free}


def test_a_fixed_step_reads_and_writes_the_same_memory() -> None:
    """What a graph needs: addresses of its first run are those of all later ones."""
    import torch

    from worker.engine.graph import FixedState

    each = decoder(fixed=True)
    state, _ = each.begin(each.cross(torch.randn(2, 1500, 128)), [50_258], room=5)
    assert isinstance(state, FixedState)
    addresses = set()
    for token in range(5):
        logits = each.step(state, torch.tensor([token, token]))
        parts = [logits, state.place, state.later, *state.caches]
        addresses.add(tuple(part.data_ptr() for part in parts))
    assert len(addresses) == 1
    assert int(state.place) == state.length == 6
