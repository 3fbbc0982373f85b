"""A Whisper model's weights as the engine's own encoder and decoder want them, in the numbers of a mode."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from whisper.model import AudioEncoder, MultiHeadAttention, ResidualAttentionBlock, TextDecoder

from worker.engine import attention, feed, onednn
from worker.engine.base import EXACT, FAST
from worker.engine.linear import Pack, Product, dense, eight_bits, eight_bits_by_row, laid_out, not_a_number


@dataclass(frozen=True)
class Precision:
    """`pack`: for inputs of one window, `pack_rows`: of several. `compiled`: whether a model with heads so wide runs in
    loops of our own, where they are faster. `flow`: numbers between layers; `memory`: of cross-attention's keys and
    values. `shared`: whether products leave numbers as they lie, so that others can read them, too. All weights are
    taken to `device`."""

    pack: Pack
    pack_rows: Pack
    compiled: Callable[[int], bool]
    flow: torch.dtype
    memory: torch.dtype
    shared: bool
    device: torch.device

    def take(self, weight: Tensor) -> Tensor:
        """A copy as it flows: checkpoints may lie in a mapped file, which must not be needed any more."""
        return weight.to(self.device, self.flow, copy=True)

    def product(self, weight: Tensor, bias: Tensor | None, *, rows: bool = False, bent: bool = False) -> Product:
        """`rows`: of a decoder, whose inputs are of several windows. `bent`: with GELU behind it."""
        pack = self.pack_rows if rows else self.pack
        return pack(weight.to(self.device, self.flow), None if bias is None else self.take(bias), bent=bent)


def precision(mode: str, device: torch.device) -> Precision:
    """`exact`: fp32 everywhere, the tokens of openai-whisper. `fast`: half precision on a GPU, 8 bits on a CPU."""
    on_gpu = device.type == "cuda"
    if mode == FAST and not on_gpu:
        compiled = attention.eight_bits_pay
        return Precision(eight_bits, eight_bits_by_row, compiled, torch.float32, torch.uint8, False, device)
    numbers = torch.float32 if mode == EXACT else torch.float16
    shared = on_gpu or not onednn.pays(bent=False)
    return Precision(dense, dense, lambda _: False, numbers, numbers, shared, device)


@dataclass(frozen=True)
class Norm:
    """Layer normalisation, always computed in fp32."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x.float(), self.weight.shape, self.weight, self.bias).to(x.dtype)


@dataclass(frozen=True)
class Layer:
    """One layer. `attention` gives queries (scaled), keys and values side by side; `cross` a decoder's second part."""

    attention_norm: Norm
    attention: Product
    attention_out: Product
    cross: "Cross | None"
    norm: Norm
    feed: Product


@dataclass(frozen=True)
class Cross:
    """Attention of text to sound. `memory` gives keys and values side by side."""

    norm: Norm
    query: Product
    memory: Product
    out: Product


@dataclass(frozen=True)
class EncoderWeights:
    """`convolutions` over three neighbours each, side by side, with GELU behind them."""

    heads: int
    attend: attention.Attend
    convolutions: list[Product]
    positions: Tensor
    layers: list[Layer]
    norm: Norm
    precision: Precision


@dataclass(frozen=True)
class DecoderWeights:
    heads: int
    table: Tensor
    positions: Tensor
    layers: list[Layer]
    norm: Norm
    vocabulary: Product
    precision: Precision


def encoder_weights(encoder: AudioEncoder, precision: Precision) -> EncoderWeights:
    """Nothing of the encoder is changed or kept: what is packed is a copy."""
    take, heads = precision.take, encoder.blocks[0].attn.n_head
    depth = encoder.ln_post.weight.shape[0] // heads
    compiled, blocks = precision.compiled(depth), precision.device.type == "cpu" and attention.blocks_pay(depth)
    return EncoderWeights(
        heads=heads,
        attend=attention.in_eight_bits if compiled else attention.in_blocks if blocks else attention.exactly,
        convolutions=[
            precision.product(each.weight.transpose(1, 2).flatten(1), each.bias, bent=True)
            for each in (encoder.conv1, encoder.conv2)
        ],
        positions=take(encoder.positional_embedding),
        layers=[_layer(block, precision, compiled=compiled) for block in encoder.blocks],
        norm=_norm(encoder.ln_post, precision),
        precision=precision,
    )


def decoder_weights(decoder: TextDecoder, precision: Precision) -> DecoderWeights:
    """As `encoder_weights`."""
    table, vocabulary = _words(decoder.token_embedding.weight, precision)
    return DecoderWeights(
        heads=decoder.blocks[0].attn.n_head,
        table=table,
        positions=precision.take(decoder.positional_embedding),
        layers=[_layer(block, precision, rows=True) for block in decoder.blocks],
        norm=_norm(decoder.ln, precision),
        vocabulary=vocabulary,
        precision=precision,
    )


def _words(weight: Tensor, precision: Precision) -> tuple[Tensor, Product]:
    """The embeddings of tokens and the product with them, which share their memory if they can. Else embeddings are
    kept in fp16 where nothing is lost by it, as in openai's checkpoints, which are stored so."""
    if precision.shared:
        table = laid_out(weight.to(precision.device, precision.flow))
        return table, precision.pack_rows(table, None)
    half = weight.to(torch.float16)
    table = half if bool((half == weight).all()) else precision.take(weight)
    return table, precision.product(weight, None, rows=True)


def rough_weights(decoder: TextDecoder, exact: DecoderWeights) -> DecoderWeights:
    """In 8 bits, and in the memory of `exact` what is never rounded. For a CPU. What a row gives may depend on its
    neighbours, as it is only a guess: inputs of all rows have one scale, which takes less time, and zero in the middle
    of their range, so 5.0 tokens of a pass of 6 are right, not 4.8."""
    guessing = dataclasses.replace(precision(FAST, exact.precision.device), pack_rows=eight_bits)
    return dataclasses.replace(decoder_weights(decoder, guessing), table=exact.table, positions=exact.positions)


def _layer(block: ResidualAttentionBlock, precision: Precision, *, rows: bool = False, compiled: bool = False) -> Layer:
    pack = functools.partial(precision.product, rows=rows)
    up, _, down = block.mlp
    return Layer(
        attention_norm=_norm(block.attn_ln, precision),
        attention=pack(*_side_by_side(block.attn)),
        attention_out=pack(block.attn.out.weight, block.attn.out.bias),
        cross=_cross(block, precision) if block.cross_attn is not None else None,
        norm=_norm(block.mlp_ln, precision),
        feed=feed.InEightBits(up, down)
        if compiled
        else feed.plain(pack(up.weight, up.bias, bent=True), pack(down.weight, down.bias)),
    )


def _cross(block: ResidualAttentionBlock, precision: Precision) -> Cross:
    weight, bias = _side_by_side(block.cross_attn)
    pack = functools.partial(precision.product, rows=True)
    width = weight.shape[1]
    return Cross(
        norm=_norm(block.cross_attn_ln, precision),
        query=pack(weight[:width], bias[:width]),
        memory=precision.product(weight[width:], bias[width:]),
        out=pack(block.cross_attn.out.weight, block.cross_attn.out.bias),
    )


def _side_by_side(attention: MultiHeadAttention) -> tuple[Tensor, Tensor]:
    """Weight and bias for queries, keys and values at once. The scale of the scores goes into the queries: it is a
    power of two for heads 64 wide, as in every Whisper model, so it rounds nothing."""
    query, key, value = attention.query, attention.key, attention.value
    scale = (query.weight.shape[0] // attention.n_head) ** -0.5
    weight = torch.cat([query.weight * scale, key.weight, value.weight])
    return weight, torch.cat([query.bias * scale, torch.zeros_like(query.bias), value.bias])


def _norm(norm: torch.nn.LayerNorm, precision: Precision) -> Norm:
    parts = [part.to(precision.device, torch.float32, copy=True) for part in (norm.weight, norm.bias)]
    if not all(bool(part.isfinite().all()) for part in parts):
        raise not_a_number()
    return Norm(*parts)
