"""Products in fp32 by oneDNN, which comes with torch. torch itself asks MKL for these, and that uses half of what an
AMD processor has.

One thread of an AMD processor (Zen 5), billions of operations a second for 1500 x 512 x 512, 48 x 512 x 2048 and
48 x 512 x 51865: MKL 108, 101, 69, this 258, 247, 207. On an Intel Xeon with VNNI the two are alike, but GELU costs
nothing here. What is called is what torch's own compiler calls (`torch/_inductor/mkldnn_ir.py`).
`set_float32_matmul_precision("medium")` leads to the same kernels here, but may lead to others, in bfloat16.
"""

import functools

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine import trial

NEAR = 1e-3  # of sums of 512 products of numbers around 1; in bfloat16 they are 0.1 off
ROWS, WIDTH = 1500, 512


@functools.cache
def pays(*, bent: bool) -> bool:
    """Whether it is faster on this processor, and as exact. `bent`: with GELU behind it. 0.1 s, once."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    chance = torch.Generator().manual_seed(1)
    x, weight = torch.randn(ROWS, WIDTH, generator=chance), torch.randn(WIDTH, WIDTH, generator=chance)
    packed = pack(weight)

    def others() -> Tensor:
        found = functional.linear(x, weight)
        return torch.ops.aten.gelu_(found) if bent else found

    ours = functools.partial(product, x, packed, None, bent=bent)
    return bool((ours() - others()).abs().max() < NEAR) and trial.pays(ours, others)


def pack(weight: Tensor) -> Tensor:
    """A weight (outputs, inputs), fp32, as its kernels want it, for any number of rows; of use to `product` alone."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
    return packed


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, bent: bool = False) -> Tensor:
    """(..., inputs) -> (..., outputs). `weight`: packed, or as it is where it is used but once."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu" if bent else "none", [], "none")
    return found
