"""The others, on the same weights: openai-whisper, and CTranslate2 with faster-whisper, converted without a hub."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from ctranslate2.specs import WhisperSpec, common_spec
from numpy.typing import NDArray
from torch import Tensor, nn
from whisper.decoding import DecodingOptions, DecodingTask
from whisper.model import MultiHeadAttention, ResidualAttentionBlock, Whisper
from whisper.tokenizer import LANGUAGES, Tokenizer, get_tokenizer

from worker.engine.checkpoint import load_checkpoint

Tokens = list[list[int]]
"""Of each window, without the prompt and the end of text."""

HALVED = 2  # CTranslate2's Whisper counts half of `max_length` for its output: 100 asked for were 52 tokens given


def load(checkpoint: Path, device: str = "cpu") -> Whisper:
    """openai's model, untouched by anybody else."""
    return load_checkpoint(checkpoint, device)[0]


def endless(model: Whisper, tokens: int) -> DecodingOptions:
    """Greedy text with times, of exactly so many tokens: the end of text is forbidden."""
    end = get_tokenizer(model.is_multilingual, num_languages=model.num_languages).eot
    half = model.device.type == "cuda"
    return DecodingOptions(language="en", sample_len=tokens, suppress_tokens=[-1, end], fp16=half)


@torch.no_grad()
def openai_sequential(model: Whisper, mels: Tensor, tokens: int) -> Tokens:
    """What `transcribe` does: one window after another."""
    return [DecodingTask(model, endless(model, tokens)).run(mel[None])[0].tokens for mel in mels]


class CTranslate:
    """CTranslate2's Whisper, with one thread."""

    def __init__(self, checkpoint: Path, kind: str, device: str = "cpu") -> None:
        folder = converted(checkpoint)
        self.model = ctranslate2.models.Whisper(
            str(folder), device=device, compute_type=kind, inter_threads=1, intra_threads=1
        )
        model = load(checkpoint)
        self._task = DecodingTask(model, endless(model, 1))

    def decode(self, mels: NDArray[np.float32], tokens: int, batch: int) -> Tokens:
        """As `openai_sequential`, `batch` windows at once."""
        found: Tokens = []
        for start in range(0, len(mels), batch):
            some = np.ascontiguousarray(mels[start : start + batch])
            results = self.model.generate(
                ctranslate2.StorageView.from_array(some),
                [list(self._task.initial_tokens)] * len(some),
                beam_size=1,
                max_length=HALVED * tokens,
                suppress_tokens=list(self._task._get_suppress_tokens()),
            )
            found += [result.sequences_ids[0] for result in results]
        return found


def faster_whisper(checkpoint: Path, kind: str = "int8", device: str = "cpu") -> Any:
    """Its batched pipeline with one thread. `transcribe` takes the path of a recording."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(str(converted(checkpoint)), device=device, compute_type=kind, cpu_threads=1, num_workers=1)
    return BatchedInferencePipeline(model)


def converted(checkpoint: Path) -> Path:
    """A folder beside the checkpoint with the same weights for CTranslate2, and what faster-whisper wants besides."""
    folder = checkpoint.with_suffix(".ct2")
    if not (folder / "tokenizer.json").exists():
        model = load(checkpoint)
        tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
        vocabulary = names(tokenizer, model.dims.n_vocab)
        folder.mkdir(exist_ok=True)
        _specify(model, tokenizer, vocabulary).save(str(folder))
        (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": model.dims.n_mels}))
        tokenizer_file(tokenizer).save(str(folder / "tokenizer.json"))  # last: it says that all is there
    return folder


def names(tokenizer: Tokenizer, count: int) -> list[str]:
    """What each token is called: bytes in GPT-2's letters, special tokens as they are, and times."""
    ranks = tokenizer.encoding._mergeable_ranks
    letters = byte_letters()
    found = {rank: "".join(letters[byte] for byte in token) for token, rank in ranks.items()}
    found |= {number: name for name, number in tokenizer.special_tokens.items()}
    return [found[number] for number in range(count)]


def byte_letters() -> list[str]:
    """A printable letter for each byte, as in GPT-2: printable ones are themselves, the others follow from 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte if byte in printable else 256 + others.index(byte)) for byte in range(256)]


def tokenizer_file(tokenizer: Tokenizer) -> Any:
    """The `tokenizers.Tokenizer` that hubs hand out as tokenizer.json, from openai's tiktoken table."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    ranks = tokenizer.encoding._mergeable_ranks
    letters = byte_letters()
    written = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges = [(written[a], written[b]) for token in ranks if len(token) > 1 for a, b in _halves(token, ranks)]
    vocabulary = {written[token]: rank for token, rank in ranks.items()}
    made = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    for name, number in sorted(tokenizer.special_tokens.items(), key=lambda item: item[1]):
        made.add_special_tokens([tokenizers.AddedToken(name, special=True, normalized=False)])
        assert made.token_to_id(name) == number, (name, number)
    return made


def _halves(token: bytes, ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The pairs of tokens that this one may be merged from, the likelier first."""
    pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
    known = [(ranks[a], ranks[b], a, b) for a, b in pairs if a in ranks and b in ranks]
    return [(a, b) for _, _, a, b in sorted(known)]


def _specify(model: Whisper, tokenizer: Tokenizer, vocabulary: Sequence[str]) -> WhisperSpec:
    dims = model.dims
    spec = WhisperSpec(dims.n_audio_layer, dims.n_audio_head, dims.n_text_layer, dims.n_text_head)
    encoder, decoder = spec.encoder, spec.decoder
    for name in ("conv1", "conv2"):
        _linear(getattr(encoder, name), getattr(model.encoder, name))
    encoder.position_encodings.encodings = _array(model.encoder.positional_embedding)
    _norm(encoder.layer_norm, model.encoder.ln_post)
    decoder.embeddings.weight = _array(model.decoder.token_embedding.weight)
    decoder.projection.weight = _array(model.decoder.token_embedding.weight)
    decoder.position_encodings.encodings = _array(model.decoder.positional_embedding)
    _norm(decoder.layer_norm, model.decoder.ln)
    for layers, blocks in ((encoder.layer, model.encoder.blocks), (decoder.layer, model.decoder.blocks)):
        for layer, block in zip(layers, blocks, strict=True):
            _block(layer, block)
    _configure(spec, model, tokenizer)
    spec.register_vocabulary(list(vocabulary))
    spec.validate()
    spec.optimize(quantization="float32")
    return spec


def _block(layer: Any, block: ResidualAttentionBlock) -> None:
    own, norm = layer.self_attention, block.attn_ln
    _fused(own.linear[0], [block.attn.query, block.attn.key, block.attn.value])
    _linear(own.linear[1], block.attn.out)
    _norm(own.layer_norm, norm)
    if block.cross_attn is not None:
        cross: MultiHeadAttention = block.cross_attn
        _linear(layer.attention.linear[0], cross.query)
        _fused(layer.attention.linear[1], [cross.key, cross.value])
        _linear(layer.attention.linear[2], cross.out)
        _norm(layer.attention.layer_norm, block.cross_attn_ln)
    _linear(layer.ffn.linear_0, block.mlp[0])
    _linear(layer.ffn.linear_1, block.mlp[2])
    _norm(layer.ffn.layer_norm, block.mlp_ln)


def _configure(spec: WhisperSpec, model: Whisper, tokenizer: Tokenizer) -> None:
    """What hubs keep in generation_config.json; openai's alignment looks at all heads of the latter half."""
    task = DecodingTask(model, DecodingOptions(language="en", fp16=False))
    spec.config.suppress_ids = list(task._get_suppress_tokens())
    spec.config.suppress_ids_begin = [*tokenizer.encode(" "), tokenizer.eot]
    spec.config.lang_ids = [tokenizer.to_language_token(code) for code in list(LANGUAGES)[: model.num_languages]]
    layers, heads = model.dims.n_text_layer, model.dims.n_text_head
    spec.config.alignment_heads = list(product(range(layers // 2, layers), range(heads)))


def _fused(spec: common_spec.LinearSpec, modules: Sequence[nn.Linear]) -> None:
    """Several layers with the same input as one; openai's key has no bias."""
    spec.weight = np.concatenate([_array(module.weight) for module in modules])
    biases = [module.weight.new_zeros(len(module.weight)) if module.bias is None else module.bias for module in modules]
    spec.bias = np.concatenate([_array(bias) for bias in biases])


def _linear(spec: Any, module: Any) -> None:
    spec.weight = _array(module.weight)
    if module.bias is not None:
        spec.bias = _array(module.bias)


def _norm(spec: common_spec.LayerNormSpec, module: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(module.weight), _array(module.bias)


def _array(value: Tensor) -> NDArray[np.float32]:
    return value.detach().float().cpu().numpy()
