"""Hugging Face's transformers on the same weights, renamed without a hub."""

import re
from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch import Tensor
from whisper.decoding import DecodingTask
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import get_tokenizer

from benchmarks._peers import Tokens, endless
from worker.engine.rules import FIRST_TIMESTAMP_LIMIT

RENAMED: dict[str, str | Callable[[re.Match[str]], str]] = {  # what openai calls a part, and what it is called there
    r"\.blocks\.": ".layers.",
    r"\.attn_ln\.": ".self_attn_layer_norm.",
    r"\.attn\.": ".self_attn.",
    r"\.cross_attn_ln\.": ".encoder_attn_layer_norm.",
    r"\.cross_attn\.": ".encoder_attn.",
    r"\.(query|key|value)\.": lambda found: f".{found[1][0]}_proj.",
    r"\.out\.": ".out_proj.",
    r"\.mlp\.0\.": ".fc1.",
    r"\.mlp\.2\.": ".fc2.",
    r"\.mlp_ln\.": ".final_layer_norm.",
    r"\.(ln_post|ln)\.": ".layer_norm.",
    r"\.positional_embedding$": ".embed_positions.weight",
    r"\.token_embedding\.": ".embed_tokens.",
}


class Transformers:
    """Its Whisper in fp32, as it comes: attention by torch, caches that grow."""

    def __init__(self, model: Whisper, tokens: int) -> None:
        """`tokens`: how many are said of each window."""
        transformers.logging.set_verbosity_error()  # each call warns of defaults it fills in itself
        self._model = transformers.WhisperForConditionalGeneration(_config(model.dims)).eval()
        weights = {f"model.{_renamed(name)}": weight for name, weight in model.state_dict().items()}
        self._model.load_state_dict(weights | {"proj_out.weight": model.decoder.token_embedding.weight})
        self._model.generation_config = transformers.GenerationConfig(max_new_tokens=tokens, **_rules(model))
        self._tokens = tokens

    @torch.inference_mode()
    def decode(self, mels: Tensor) -> Tokens:
        """As `_peers.openai_sequential`, all windows at once."""
        found = self._model.generate(
            mels,
            return_timestamps=True,
            return_dict_in_generate=True,
            force_unique_generate_call=True,  # else it hears again what is behind the last time it said
        )
        texts: Tokens = found.sequences[:, -self._tokens :].tolist()
        return texts


def _renamed(name: str) -> str:
    for openai, theirs in RENAMED.items():
        name = re.sub(openai, theirs, name)
    return name


def _config(dims: ModelDimensions) -> transformers.WhisperConfig:
    return transformers.WhisperConfig(
        vocab_size=dims.n_vocab,
        num_mel_bins=dims.n_mels,
        d_model=dims.n_audio_state,
        encoder_layers=dims.n_audio_layer,
        decoder_layers=dims.n_text_layer,
        encoder_attention_heads=dims.n_audio_head,
        decoder_attention_heads=dims.n_text_head,
        encoder_ffn_dim=4 * dims.n_audio_state,
        decoder_ffn_dim=4 * dims.n_text_state,
        max_source_positions=dims.n_audio_ctx,
        max_target_positions=dims.n_text_ctx,
    )


def _rules(model: Whisper) -> dict[str, Any]:
    """What hubs keep in generation_config.json; as `_peers.endless`."""
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    return {
        "bos_token_id": tokenizer.eot,
        "eos_token_id": tokenizer.eot,
        "pad_token_id": tokenizer.eot,
        "decoder_start_token_id": tokenizer.sot,
        "no_timestamps_token_id": tokenizer.no_timestamps,
        "max_initial_timestamp_index": FIRST_TIMESTAMP_LIMIT,
        "suppress_tokens": list(DecodingTask(model, endless(model, 1))._get_suppress_tokens()),
        "begin_suppress_tokens": [*tokenizer.encode(" "), tokenizer.eot],
        "is_multilingual": model.is_multilingual,
        "language": "en",
        "task": "transcribe",
        "lang_to_id": {"<|en|>": tokenizer.to_language_token("en")},
        "task_to_id": {"transcribe": tokenizer.transcribe},
    }
