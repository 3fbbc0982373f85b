"""The feed-forward part in 8 bits, beside the same in fp32."""

import pytest

ROWS, WIDTH = 300, 96


@pytest.mark.usefixtures("true_sums")
@pytest.mark.parametrize("loud", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("rows", [20, ROWS])
def test_near_to_the_exact_one_row_by_row(loud: float, rows: int) -> None:
    """A row much louder than its neighbours takes nothing from them."""
    import torch

    from worker.engine.feed import InEightBits, plain

    torch.manual_seed(8)
    up, down = (torch.nn.Linear(*size).requires_grad_(False) for size in ((WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)))
    x = torch.randn(1, rows, WIDTH)
    x[:, 7] *= loud
    wanted = plain(lambda x: torch.nn.functional.gelu(up(x)), down)(x)
    found = InEightBits(up, down)(x)
    others = [row for row in range(rows) if row != 7]
    for of in ([7], others):
        assert float((found - wanted)[:, of].abs().max()) < 0.05 * float(wanted[:, of].abs().max())


def test_gelu_is_that_of_torch() -> None:
    import numpy as np
    import torch

    from worker.engine import kernels

    sums = torch.arange(-127, 128, dtype=torch.int32)[None]
    for step in (0.001, 0.01, 0.1, 1.0):
        steps, rounded = np.full(1, step, np.float32), torch.empty((1, 255), dtype=torch.int8)
        kernels.bend(sums.numpy(), np.ones(255, np.float32), np.full(255, 0.5, np.float32), steps, rounded.numpy())
        wanted = torch.nn.functional.gelu(sums[0] * step + 0.5)
        assert float((rounded[0] * steps[0] - wanted).abs().max()) <= 0.51 * steps[0]


def test_weights_that_are_no_numbers_are_refused() -> None:
    import torch

    from worker.engine.base import EngineRefused
    from worker.engine.feed import InEightBits

    up, down = (torch.nn.Linear(*size).requires_grad_(False) for size in ((4, 16), (16, 4)))
    down.weight[0, 0] = float("nan")
    with pytest.raises(EngineRefused, match="not_a_number"):
        InEightBits(up, down)
