"""What is remembered of the sound in 8 bits, beside the same in fp32."""

from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from worker.engine.memory import Memory

ROWS, HEADS, POSITIONS, LAYERS = 3, 4, 200, 2


def memories() -> "tuple[Memory, Memory]":
    import torch

    from worker.engine.memory import Memory
    from worker.engine.pool import Pool
    from worker.engine.rounded import RoundedMemory

    chance, cpu, shape = torch.Generator().manual_seed(3), torch.device("cpu"), (ROWS, HEADS, POSITIONS, 64)
    exact = Memory.empty(LAYERS, shape, torch.float32, cpu, Pool())
    rounded = RoundedMemory.empty(LAYERS, shape, torch.uint8, cpu, Pool())
    for layer in range(LAYERS):
        for row in range(ROWS):
            keys, values = torch.randn(2, POSITIONS, HEADS * 64, generator=chance)
            exact.write(layer, row, keys, values)
            rounded.write(layer, row, keys, values)
    return exact, rounded


@pytest.mark.parametrize("each", [1, 5, 12])
def test_near_to_the_exact_one_for_few_queries_and_for_many(each: int) -> None:
    import torch

    exact, rounded = memories()
    query = torch.randn(ROWS * each, HEADS * 64, generator=torch.Generator().manual_seed(4)) / 4
    for layer in range(LAYERS):
        wanted, weights = exact.attend(layer, query, ROWS)
        found, near = rounded.attend(layer, query, ROWS)
        assert float((found - wanted).std()) < 0.03 * float(wanted.std())
        assert float((near - weights).abs().max()) < 0.1 * float(weights.max())


def test_rows_are_told_apart_wherever_they_stand() -> None:
    import torch

    _, rounded = memories()
    query = torch.randn(ROWS, HEADS * 64, generator=torch.Generator().manual_seed(4))
    whole, _ = rounded.attend(1, query, ROWS)
    first, _ = rounded.attend(1, query[:2], 2)
    assert torch.equal(first, whole[:2])
    rounded.swap(0, 2)
    swapped, _ = rounded.attend(1, query[[2, 1, 0]], ROWS)
    assert torch.equal(swapped, whole[[2, 1, 0]])


def test_rows_selected_are_the_same_whoever_moved_before() -> None:
    """Also where those selected before were not let go in the order they came."""
    import torch

    exact, rounded = memories()
    for memory, same in ((exact, partial(torch.allclose, atol=1e-6)), (rounded, torch.equal)):
        query = torch.randn(ROWS, HEADS * 64, generator=torch.Generator().manual_seed(4))
        whole, _ = memory.attend(1, query, ROWS)
        for rows in ([1], [0, 1, 2], [2, 0], [1, 2], [2, 1, 0], [1, 2], [2], [0, 2]):
            chosen, last = memory.select(rows), len(rows) - 1
            found, _ = chosen.attend(1, query[rows], len(rows))
            assert same(found, whole[rows])
            chosen.swap(0, last)
            assert chosen.keys[0].data_ptr() == memory.keys[0][memory.order.index(rows[last]) * HEADS].data_ptr()
            rows[0], rows[last] = rows[last], rows[0]
            found, _ = chosen.attend(1, query[rows], len(rows))
            assert same(found, whole[rows])


@pytest.mark.parametrize("sharpness", [0.01, 3.0])
def test_guesses_look_at_what_counts(sharpness: float) -> None:
    """Of flat attention nothing is left out, of a sharp one most."""
    import torch

    from worker.engine.rounded import HARDLY, MANY, GuessedMemory

    exact, rounded = memories()
    guessed = GuessedMemory.of(exact)
    query = torch.randn(ROWS, HEADS * 64, generator=torch.Generator().manual_seed(4)) * sharpness
    for layer in range(LAYERS):
        wanted, weights = rounded.attend(layer, query, ROWS)
        found, near = guessed.attend(layer, query, ROWS)
        assert torch.equal(near, weights)
        assert float((weights > HARDLY).float().mean()) < MANY or sharpness < 1
        assert torch.equal(found, wanted) == (sharpness < 1)
        assert float((found - wanted).std()) < 0.02 * float(wanted.std())


def test_guesses_follow_their_rows() -> None:
    """As rows that have ended leave, the others change places in both memories."""
    import torch

    from worker.engine.memory import State
    from worker.engine.placed import PlacedState

    exact, _ = memories()
    begun = State(exact, [torch.zeros(2, ROWS, HEADS, 10, 64) for _ in range(LAYERS)])
    begun.length = 2
    state = PlacedState(begun)
    state.places += torch.tensor([0, 1, 2])
    query = torch.randn(ROWS, HEADS * 64, generator=torch.Generator().manual_seed(4))
    before = [each.memory.attend(1, query, ROWS)[0] for each in (state, state.roughly())]
    order = state.keep([0, 2])
    after = [each.memory.attend(1, query[order], 2)[0] for each in (state, state.roughly())]
    assert state.places.tolist() == [[2, 3, 4][row] for row in order]
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one[order], other, atol=1e-6)
