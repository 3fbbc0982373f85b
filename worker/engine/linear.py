"""Matrix products of weights that never change: in single, half, or 8-bit numbers."""

import functools
import warnings
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine import onednn
from worker.engine.base import EngineRefused

Product = Callable[[Tensor], Tensor]
"""(..., inputs) -> (..., outputs)."""

ENGINES = ("fbgemm", "onednn", "qnnpack")  # by preference, see `eight_bits`
LARGEST = 127
SMALLEST = 1e-12


class Pack(Protocol):
    """Weight (outputs, inputs) and bias (outputs) -> the product, with GELU behind it where it is `bent`."""

    def __call__(self, weight: Tensor, bias: Tensor | None, *, bent: bool = False) -> Product: ...


def dense(weight: Tensor, bias: Tensor | None, *, bent: bool = False) -> Product:
    """In the numbers of the weight."""
    if not weight.is_cuda and onednn.pays(bent=bent):
        return functools.partial(onednn.product, weight=onednn.pack(weight), bias=bias, bent=bent)
    return _bent(functools.partial(functional.linear, weight=laid_out(weight), bias=bias), bent)


def not_a_number() -> EngineRefused:
    """Weights that are no numbers, or give none."""
    return EngineRefused(
        "not_a_number", "The model gave no numbers. Its checkpoint is damaged or unfit for this device."
    )


def laid_out(weight: Tensor) -> Tensor:
    """The same matrix; on a CPU with its inputs, not its outputs, one row after another in memory. For 8 rows MKL then
    takes half the time: 12.0 ms instead of 23.5 for 384 x 51865, 0.23 instead of 0.47 for 512 x 2048, one thread."""
    return weight.contiguous() if weight.is_cuda else weight.t().contiguous().t()


def eight_bits(weight: Tensor, bias: Tensor | None, *, bent: bool = False) -> Product:
    """Weights in 8 bits with a scale for each output, inputs in 8 bits with a scale found in each call; fp32 in, out.

    `torch.ops.quantized.linear_dynamic` is what `torch.ao.quantization.quantize_dynamic`, which is being removed, is
    built on. On a Xeon with VNNI and without AMX, one thread, billions of operations a second for 1500 x 512 x 512,
    8 x 512 x 512 and 8 x 512 x 51865: fp32 156, 105, 17; bf16 84, 44, 40; fbgemm 426, 167, 264; onednn 478, 110, 289.
    `torch._int_mm` is faster for many rows (647), but that is before numbers are rounded into it and scaled out of it,
    and `torch.ops.onednn.qlinear_pointwise` takes a thousand times longer for 8 rows. So fbgemm, where it is.
    """
    packed = _packed(weight, bias)
    product = functools.partial(torch.ops.quantized.linear_dynamic, W_prepack=packed, reduce_range=sums_overflow())
    return _bent(product, bent)


def eight_bits_by_row(weight: Tensor, bias: Tensor | None, *, bent: bool = False) -> Product:
    """As `eight_bits`, but each row of inputs has a scale of its own, so that what a row gives does not depend on its
    neighbours: the rows of a decoder are windows, and a window's text must not depend on what is heard beside it.

    `abs().amax()` takes 5 us for 8 x 512, `vector_norm` 16 and `aminmax` 11.
    """
    if _kernels() != "fbgemm":  # the others have no product whose scale is given
        return eight_bits(weight, bias, bent=bent)
    packed, most = _packed(weight, None), LARGEST // 2 if sums_overflow() else LARGEST
    product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32

    def by_row(x: Tensor) -> Tensor:
        size = x.abs().amax(dim=-1, keepdim=True).clamp_min_(SMALLEST)
        found: Tensor = product(x / size, 1 / most, most + 1, packed)
        return found.mul_(size) if bias is None else torch.addcmul(bias, found, size)

    return _bent(by_row, bent)


def _packed(weight: Tensor, bias: Tensor | None) -> torch.ScriptObject:
    scales = steps_of(weight)
    zeros = torch.zeros(len(scales), dtype=torch.long)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # tensors of this kind go some day, too:
        # then the prepacked form must come from elsewhere (pytorch issue 184982)
        rounded = torch.quantize_per_channel(weight.float().contiguous(), scales, zeros, 0, torch.qint8)
    torch.backends.quantized.engine = _kernels()
    packed: torch.ScriptObject = torch.ops.quantized.linear_prepack(rounded, None if bias is None else bias.float())
    return packed


def steps_of(weight: Tensor) -> Tensor:
    """What 1 is in 8-bit numbers of each output (fp32)."""
    steps = weight.abs().amax(dim=1).float().clamp_min(SMALLEST) / LARGEST
    if not bool(steps.isfinite().all()):
        raise not_a_number()
    return steps


def _bent(product: Product, bent: bool) -> Product:
    return (lambda x: gelu_(product(x))) if bent else product


def gelu_(x: Tensor) -> Tensor:
    """In place."""
    changed: Tensor = torch.ops.aten.gelu_(x)
    return changed


@functools.cache
def _kernels() -> str:
    return next(name for name in ENGINES if name in torch.backends.quantized.supported_engines)


@functools.cache
def sums_overflow() -> bool:
    """Without VNNI, pairs of products are added in 16 bits: inputs must do with 7 bits, or sums are cut off."""
    return not torch.cpu._is_vnni_supported()
