"""Loads a checkpoint in openai-whisper's format. The file is not trusted: nothing in it may run."""

import hashlib
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import torch
import whisper.model
from torch.overrides import TorchFunctionMode
from whisper.model import AudioEncoder, ModelDimensions, TextDecoder, Whisper

from worker.engine.base import EngineRefused

LAYERS_LIMIT, SIZE_LIMIT = 256, 1 << 20
MEL_BANDS = (80, 128)  # the only filter banks openai-whisper carries
VOCABULARIES = (51_864, 51_865, 51_866)  # English only, multilingual, multilingual with Cantonese
AUDIO_CONTEXT = 1_500  # encoder positions for 30 s; the times of segments are counted in them


def load_checkpoint(path: Path, device: str) -> tuple[Whisper, str]:
    """The model in fp32 on `device`, ready for openai-whisper's own code. Otherwise as `read_checkpoint`."""
    stored, sha256 = read_checkpoint(path)
    model = Whisper(stored.dims)
    model.load_state_dict(stored.state_dict())
    return model.eval().requires_grad_(False).to(device), sha256


def read_checkpoint(path: Path) -> tuple[Whisper, str]:
    """The model as it is stored, and the SHA-256 of the very file it came from: weights to be packed, not to be run.
    They are mapped into memory, not read, so what is packed is all that a process keeps.

    Raises EngineRefused: checkpoint_missing, checkpoint_unreadable, checkpoint_foreign.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise EngineRefused("checkpoint_missing", f"The checkpoint cannot be read: {error.strerror}.") from error
    with file:  # one open file for both, so a file put in its place between them is not loaded under this hash
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return _build(_read(file)), sha256


def can_translate(model: Whisper) -> bool:
    """Into English. Not what knows English alone, nor what was cut down to transcribe: openai trained the turbo model
    (4 decoder layers of 32) without translations, and distil-whisper (2 of 32) did the same."""
    return bool(model.is_multilingual) and 2 * model.dims.n_text_layer >= model.dims.n_audio_layer


def _read(file: BinaryIO) -> Mapping[str, Any]:
    mapped = zipfile.is_zipfile(file)  # checkpoints of old versions of torch are not
    file.seek(0)
    source = f"/proc/self/fd/{file.fileno()}" if mapped else file  # only paths are mapped, and this one is that file
    try:
        content = torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise EngineRefused(
            "checkpoint_unreadable", "The checkpoint is damaged or holds more than weights, so it was not loaded."
        ) from error
    if not isinstance(content, dict):
        raise _foreign("it holds no table")
    return content


def _build(content: Mapping[str, Any]) -> Whisper:
    dimensions, weights = _dimensions(content.get("dims")), content.get("model_state_dict")
    if not isinstance(weights, dict) or _shapes(weights) != _expected_shapes(dimensions):
        raise _foreign("its weights do not match its dimensions")
    # Whisper itself cannot be made without memory, its parts can: a small one is given those of the right size.
    model = Whisper(replace(dimensions, n_vocab=1, n_audio_layer=0, n_audio_ctx=2, n_audio_state=4, n_text_state=4))
    model.dims, (model.encoder, model.decoder) = dimensions, _without_memory(dimensions)
    model.load_state_dict(weights, assign=True)
    return model.eval().requires_grad_(False)


def _dimensions(found: object) -> ModelDimensions:
    names = {field.name for field in fields(ModelDimensions)}
    if not isinstance(found, dict) or set(found) != names:
        raise _foreign("its dimensions are missing")
    if not all(isinstance(value, int) and 0 < value <= SIZE_LIMIT for value in found.values()):
        raise _foreign("its dimensions are impossible")
    dimensions = ModelDimensions(**found)
    layers = max(dimensions.n_audio_layer, dimensions.n_text_layer)
    usual = dimensions.n_mels in MEL_BANDS and dimensions.n_vocab in VOCABULARIES
    if not usual or dimensions.n_audio_ctx != AUDIO_CONTEXT or layers > LAYERS_LIMIT:
        raise _foreign("its dimensions are no Whisper's")
    return dimensions


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(getattr(value, "shape", ())) for name, value in weights.items()}


def _expected_shapes(d: ModelDimensions) -> dict[str, tuple[int, ...]]:
    """What the weights must look like, found without memory: dimensions that lie must not make us allocate."""
    try:
        encoder, decoder = _without_memory(d)
    except (RuntimeError, ZeroDivisionError) as error:
        raise _foreign("its dimensions are impossible") from error
    parts = {"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}
    return {f"{part}.{name}": tuple(value.shape) for part, state in parts.items() for name, value in state.items()}


def _without_memory(d: ModelDimensions) -> tuple[AudioEncoder, TextDecoder]:
    with torch.device("meta"), _NothingComputed(), _positions_not_computed():
        return (
            AudioEncoder(d.n_mels, d.n_audio_ctx, d.n_audio_state, d.n_audio_head, d.n_audio_layer),
            TextDecoder(d.n_vocab, d.n_text_ctx, d.n_text_state, d.n_text_head, d.n_text_layer),
        )


class _NothingComputed(TorchFunctionMode):
    """First values are for nothing where there is no memory. To compute them all the same brings torch's compiler: half
    of the processor time until a child with the demo model was ready."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func.__name__.endswith("_") and not func.__name__.startswith("_"):  # in place: `normal_`, `fill_`
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextmanager
def _positions_not_computed() -> Iterator[None]:
    """The encoder's table of positions, too: its weights hold it."""
    computed = whisper.model.sinusoids
    whisper.model.sinusoids = torch.empty
    try:
        yield
    finally:
        whisper.model.sinusoids = computed


def _foreign(why: str) -> EngineRefused:
    return EngineRefused("checkpoint_foreign", f"The checkpoint is no Whisper model in openai-whisper's format: {why}.")
