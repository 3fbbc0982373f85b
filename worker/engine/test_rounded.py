"""What is remembered of the sound in 8 bits, beside the same in fp32."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from worker.engine.memory import Memory

ROWS, HEADS, POSITIONS, LAYERS = 3, 4, 200, 2


def memories() -> "tuple[Memory, Memory]":
    import torch

    from worker.engine.memory import Memory
    from worker.engine.rounded import RoundedMemory

    chance, cpu, shape = torch.Generator().manual_seed(3), torch.device("cpu"), (ROWS, HEADS, POSITIONS, 64)
    exact = Memory.empty(LAYERS, shape, torch.float32, cpu)
    rounded = RoundedMemory.empty(LAYERS, shape, torch.uint8, cpu)
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
    chosen, _ = rounded.select([2, 0]).attend(1, query[[2, 0]], 2)
    assert torch.equal(chosen, whole[[2, 0]])
    rounded.swap(0, 2)
    swapped, _ = rounded.attend(1, query[[2, 1, 0]], ROWS)
    assert torch.equal(swapped, whole[[2, 1, 0]])
