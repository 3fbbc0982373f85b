"""A Whisper model's weights as the engine's own encoder and decoder want them, in the numbers of a mode."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from whisper.model import AudioEncoder, MultiHeadAttention, ResidualAttentionBlock, TextDecoder

from worker.engine.base import EXACT
from worker.engine.linear import Pack, Product, dense, eight_bits


@dataclass(frozen=True)
class Precision:
    """`flow`: numbers between layers; `memory`: of cross-attention's keys and values; `table`: of token embeddings."""

    pack: Pack
    flow: torch.dtype
    memory: torch.dtype
    table: torch.dtype


def precision(mode: str, device: torch.device) -> Precision:
    """`exact`: fp32 everywhere, the tokens of openai-whisper. `fast`: half precision on a GPU, 8 bits on a CPU."""
    if mode == EXACT:
        return Precision(dense, torch.float32, torch.float32, torch.float32)
    if device.type == "cuda":
        return Precision(dense, torch.float16, torch.float16, torch.float16)
    # Checkpoints are stored in fp16, so a table in fp16 loses nothing.
    return Precision(eight_bits, torch.float32, torch.bfloat16, torch.float16)


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
    up: Product
    down: Product


@dataclass(frozen=True)
class Cross:
    """Attention of text to sound. `memory` gives keys and values side by side."""

    norm: Norm
    query: Product
    memory: Product
    out: Product


@dataclass(frozen=True)
class EncoderWeights:
    heads: int
    convolutions: list[tuple[Tensor, Tensor]]
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
    """Nothing of the encoder is changed; what is packed is a copy."""
    flow = precision.flow
    return EncoderWeights(
        heads=encoder.blocks[0].attn.n_head,
        convolutions=[(each.weight.to(flow), each.bias.to(flow)) for each in (encoder.conv1, encoder.conv2)],
        positions=encoder.positional_embedding.to(flow),
        layers=[_layer(block, precision) for block in encoder.blocks],
        norm=_norm(encoder.ln_post),
        precision=precision,
    )


def decoder_weights(decoder: TextDecoder, precision: Precision) -> DecoderWeights:
    """As `encoder_weights`. The vocabulary's product shares its memory with the table where neither is rounded."""
    table = decoder.token_embedding.weight.to(precision.table)
    return DecoderWeights(
        heads=decoder.blocks[0].attn.n_head,
        table=table,
        positions=decoder.positional_embedding.to(precision.flow),
        layers=[_layer(block, precision) for block in decoder.blocks],
        norm=_norm(decoder.ln),
        vocabulary=precision.pack(table, None),
        precision=precision,
    )


def _layer(block: ResidualAttentionBlock, precision: Precision) -> Layer:
    pack = _packer(precision)
    return Layer(
        attention_norm=_norm(block.attn_ln),
        attention=pack(*_side_by_side(block.attn)),
        attention_out=pack(block.attn.out.weight, block.attn.out.bias),
        cross=_cross(block, pack) if block.cross_attn is not None else None,
        norm=_norm(block.mlp_ln),
        up=pack(block.mlp[0].weight, block.mlp[0].bias),
        down=pack(block.mlp[2].weight, block.mlp[2].bias),
    )


def _cross(block: ResidualAttentionBlock, pack: Callable[[Tensor, Tensor], Product]) -> Cross:
    weight, bias = _side_by_side(block.cross_attn)
    width = weight.shape[1]
    return Cross(
        norm=_norm(block.cross_attn_ln),
        query=pack(weight[:width], bias[:width]),
        memory=pack(weight[width:], bias[width:]),
        out=pack(block.cross_attn.out.weight, block.cross_attn.out.bias),
    )


def _side_by_side(attention: MultiHeadAttention) -> tuple[Tensor, Tensor]:
    """Weight and bias for queries, keys and values at once. The scale of the scores goes into the queries: it is a
    power of two for heads 64 wide, as in every Whisper model, so it rounds nothing."""
    query, key, value = attention.query, attention.key, attention.value
    scale = (query.weight.shape[0] // attention.n_head) ** -0.5
    weight = torch.cat([query.weight * scale, key.weight, value.weight])
    return weight, torch.cat([query.bias * scale, torch.zeros_like(query.bias), value.bias])


def _packer(precision: Precision) -> Callable[[Tensor, Tensor], Product]:
    return lambda weight, bias: precision.pack(weight.to(precision.flow), bias.to(precision.flow))


def _norm(norm: torch.nn.LayerNorm) -> Norm:
    return Norm(norm.weight.float(), norm.bias.float())
