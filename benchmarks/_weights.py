"""Checkpoints to measure with: random ones of real dimensions, and the demo checkpoint grown to them.

`random_checkpoint`: nothing to say, so the number of tokens is forced; the same seed gives the same file.
`grown_checkpoint`: the demo checkpoint in the dimensions of tiny or base, for the same text at their cost. Each width
of 128 is repeated (a layer norm of [x, x, x] is that of x three times), heads are padded to 64, heads and layers that
are too many are copies that add nothing; products with zeros cost what others cost.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from whisper.model import ModelDimensions, Whisper

from benchmarks._race import Roofline
from transcribe.embedded import places
from worker.engine.ahead import AHEAD
from worker.engine.checkpoint import load_checkpoint

DEMO = places.CHECKOUT / "worker" / "demo" / "demo.pt"
HEAD = 64  # width of a head in all of openai's models
SEED = 20260
SHARP = 4
FORM = 2  # counted up when the same name would hold something else
SIZES = {"tiny": (384, 4, 4, 80, 51_865), "base": (512, 6, 6, 80, 51_865), "large-v3": (1280, 32, 32, 128, 51_866),
         "turbo": (1280, 32, 4, 128, 51_866)}  # fmt: skip


def dimensions(size: str) -> ModelDimensions:
    """Those of openai's models."""
    width, encoder, decoder, mels, vocabulary = SIZES[size]
    heads = width // HEAD
    return ModelDimensions(mels, 1500, width, heads, encoder, vocabulary, 448, width, heads, decoder)


def bound_seconds(size: str, limits: Roofline, tokens: int, batch: int, *, exact: bool = False) -> float:
    """A window at the measured rates, nothing overlaps: products with weights in 8 bits, attention in fp32; for each
    token the weights read once a batch, and the keys and values of the sound, in 8 bits. `exact`: all in fp32, read
    once for as many tokens as are checked at once, and each token guessed in 8 bits before."""
    d = dimensions(size)
    width, positions, layers, mels = int(d.n_audio_state), int(d.n_audio_ctx), int(d.n_text_layer), int(d.n_mels)
    products = positions * 24 * width**2 * int(d.n_audio_layer)  # 12 width^2 weights, two operations
    convolutions = 2 * 3 * width * (2 * positions * mels + positions * width)
    keys = layers * positions * 4 * width**2
    attention = positions * 4 * positions * width * int(d.n_audio_layer)
    weights = layers * 14 * width**2 + int(d.n_vocab) * width
    whole, each = max(limits.exact, limits.medium) * 1e9, limits.eight * 1e9
    each = whole if exact else each
    seen, numbers = layers * 4 * positions * width / whole, weights / batch + layers * 2 * positions * width
    reading = numbers / (limits.read * 1e9)
    a_token = max(2 * weights / (limits.eight * 1e9) + seen, reading)
    if exact:
        a_token += max(2 * weights / whole + seen, 4 * reading / (AHEAD + 1))
    return (products + convolutions + keys) / each + attention / whole + tokens * a_token


def bound(seconds: float, ours: float, openai: float, goal: float) -> str:
    """What these rates allow at most, as a line: a goal beyond it is out of reach on this machine."""
    return (
        f"bound by the rates above: {seconds:.3f} s a window, {openai / seconds:.2f}x openai at most (goal {goal:g}); "
        f"ours is at {seconds / ours:.0%} of it"
    )


def cache() -> Path:
    """Where checkpoints and what is made of them are kept between runs."""
    return places.make(places.data_folder() / "benchmarks")


def random_checkpoint(size: str) -> Path:
    """A file of openai-whisper's format with seeded random weights in half precision."""
    path = cache() / f"random-{size}-{SEED}-{FORM}.pt"
    if not path.exists():
        torch.manual_seed(SEED)
        _save(path, dimensions(size), random_weights(Whisper(dimensions(size))))
    return path


def random_weights(model: Whisper) -> Mapping[str, Tensor]:
    """Sharp attention and small embeddings, so that what is heard and said decides the next token: torch's own first
    weights look everywhere alike, and say one token for ever."""
    with torch.no_grad():
        model.decoder.token_embedding.weight.normal_(0, 0.05)
        model.decoder.positional_embedding.normal_(0, 0.05)
        for name, weight in model.named_parameters():
            if name.endswith(("query.weight", "key.weight")):
                weight.mul_(SHARP)
    weights: Mapping[str, Tensor] = model.state_dict()
    return weights


def grown_checkpoint(size: str) -> Path:
    """The demo checkpoint in these dimensions."""
    path = cache() / f"demo-as-{size}-{FORM}.pt"
    if not path.exists():
        demo, _ = load_checkpoint(DEMO, "cpu")
        _save(path, dimensions(size), grow(demo, dimensions(size)))
    return path


def grow(small: Whisper, wanted: ModelDimensions) -> dict[str, Tensor]:
    """Weights of a model of these dimensions that computes what `small` does, but for rounding."""
    times = wanted.n_audio_state // small.dims.n_audio_state
    old = small.state_dict()
    new: dict[str, Tensor] = {
        "encoder.positional_embedding": old["encoder.positional_embedding"].repeat(1, times),
        "encoder.conv1.weight": old["encoder.conv1.weight"].repeat(times, 1, 1),
        "encoder.conv1.bias": old["encoder.conv1.bias"].repeat(times),
        "encoder.conv2.weight": old["encoder.conv2.weight"].repeat(times, times, 1) / times,
        "encoder.conv2.bias": old["encoder.conv2.bias"].repeat(times),
        "decoder.token_embedding.weight": old["decoder.token_embedding.weight"].repeat(1, times),
        "decoder.positional_embedding": old["decoder.positional_embedding"].repeat(1, times),
    }
    for norm, scale in (("encoder.ln_post", 1), ("decoder.ln", times)):  # the vocabulary sums over all repetitions
        for kind in ("weight", "bias"):
            new[f"{norm}.{kind}"] = old[f"{norm}.{kind}"].repeat(times) / scale
    layers = {"encoder": (small.dims.n_audio_layer, wanted.n_audio_layer)}
    layers["decoder"] = (small.dims.n_text_layer, wanted.n_text_layer)
    for part, (has, wants) in layers.items():
        for layer in range(wants):
            real = layer - (wants - has)  # the last ones: alignment looks at the latter half of the decoder
            source = {name: value for name, value in old.items() if name.startswith(f"{part}.blocks.{max(real, 0)}.")}
            grown = _layer(source, small.dims.n_audio_head, wanted.n_audio_head, times, real >= 0)
            new |= {f"{part}.blocks.{layer}.{name}": value for name, value in grown.items()}
    return new


def _layer(old: Mapping[str, Tensor], heads: int, wanted: int, times: int, counts: bool) -> dict[str, Tensor]:
    """One layer; where it does not count, what it adds is zero."""
    new: dict[str, Tensor] = {}
    for long_name, value in old.items():
        name = long_name.split(".", 3)[3]
        module, kind = name.rsplit(".", 1)
        if module.endswith("_ln"):
            new[name] = value.repeat(times)
        elif module.endswith(("query", "key", "value")):
            new[name] = _into_heads(value, heads, wanted, times, scaled=module.endswith("query"))
        elif module.endswith("attn.out"):
            new[name] = _out_of_heads(value, heads, wanted, times)
        elif module == "mlp.0":
            new[name] = _padded(value.repeat(1, times) / times if kind == "weight" else value, times)
        else:
            new[name] = _padded(value.repeat(times, 1).T, times).T if kind == "weight" else value.repeat(times)
        if not counts and module.endswith((".out", "mlp.2")):
            new[name] = torch.zeros_like(new[name])
    return {name: value.contiguous() for name, value in new.items()}


def _padded(value: Tensor, times: int) -> Tensor:
    """As many rows again as `times` says, all zero."""
    return torch.cat([value, value.new_zeros((times - 1) * len(value), *value.shape[1:])])


def _into_heads(value: Tensor, heads: int, wanted: int, times: int, scaled: bool) -> Tensor:
    """Query, key or value (rows are heads): inputs repeated, heads padded to 64 and copied up to `wanted`."""
    per_head = value.reshape(heads, -1, *value.shape[1:])
    if value.dim() == 2:
        per_head = per_head.repeat(1, 1, times) / times
    width = per_head.shape[1]
    if scaled:  # attention divides by the root of the width of a head
        per_head = per_head * math.sqrt(HEAD / width)
    padded = torch.cat([per_head, per_head.new_zeros(heads, HEAD - width, *per_head.shape[2:])], dim=1)
    return padded[[head % heads for head in range(wanted)]].flatten(0, 1)


def _out_of_heads(value: Tensor, heads: int, wanted: int, times: int) -> Tensor:
    """The layer behind the heads (columns are heads); copied heads are not listened to."""
    if value.dim() == 1:
        return value.repeat(times)
    per_head = value.reshape(len(value), heads, -1)
    new = value.new_zeros(len(value), wanted, HEAD)
    new[:, :heads, : per_head.shape[2]] = per_head
    return new.flatten(1, 2).repeat(times, 1)


def _save(path: Path, dims: ModelDimensions, weights: Mapping[str, Tensor]) -> None:
    """Whole or not at all: a run that is stopped leaves nothing under this name."""
    content: dict[str, Any] = {"dims": asdict(dims)}
    content["model_state_dict"] = {name: value.half() for name, value in weights.items()}
    part = path.with_suffix(".part")
    torch.save(content, part)
    part.rename(path)
