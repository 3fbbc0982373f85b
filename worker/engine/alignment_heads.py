"""Which attention heads of the decoder look where the words are said."""

import whisper
from whisper.model import Whisper

from worker.engine.decoder import Heads


def choose_heads(model: Whisper, sha256: str) -> bool:
    """Mark in `model` the heads that openai lists for this very checkpoint file; whether it lists any.

    For all others whisper takes every head of the latter half of the layers, be they of use or not.
    """
    for name, address in whisper._MODELS.items():
        if address.split("/")[-2] == sha256:
            model.set_alignment_heads(whisper._ALIGNMENT_HEADS[name])
            return True
    return False


def chosen_heads(model: Whisper) -> Heads:
    return [(layer, head) for layer, head in model.alignment_heads.indices().T.tolist()]
