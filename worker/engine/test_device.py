"""What a GPU would be asked, without one: tensors that say they are on it and hold nothing
(https://docs.pytorch.org/docs/stable/torch.compiler_fake_tensor.html). An operation between two devices is an error
there as on a GPU, and so is reading a number back, for which a GPU is waited for and a CUDA graph cannot be captured.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from whisper.audio import mel_filters
from whisper.tokenizer import get_tokenizer

from worker.engine import weights
from worker.engine.base import EXACT, FAST
from worker.engine.beam import highest
from worker.engine.decode import likeliest, task
from worker.engine.decoder import Decoder
from worker.engine.encoder import Encoder
from worker.engine.graph import FixedState
from worker.engine.rules import Grammar
from worker.engine.sound import from_frame, spectrogram
from worker.engine.test_decode import seeded

pytestmark = pytest.mark.usefixtures("model")  # whisper's tables of tokens are read by then
GPU, ROWS = torch.device("cuda"), 4
PROMPT, PLACES = [50_258, 50_259], [0, -1]  # two: a single number is not forgotten, and wants a real GPU


@pytest.fixture(autouse=True)
def nothing_real(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def unchecked(norm: torch.nn.LayerNorm, precision: weights.Precision) -> weights.Norm:
        """As `weights._norm`, which reads whether all are numbers."""
        return weights.Norm(*(part.to(precision.device, torch.float32) for part in (norm.weight, norm.bias)))

    monkeypatch.setattr(weights, "_norm", unchecked)
    mel_filters.cache_clear()
    with FakeTensorMode(), torch.inference_mode():
        yield
    mel_filters.cache_clear()


class NothingElsewhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """All that is read and made is on the GPU: what comes from the processor cannot be part of a graph."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        parts = [part for part in tree_leaves((args, kwargs, found)) if isinstance(part, Tensor)]
        assert all(part.is_cuda for part in parts), func
        return found


@pytest.mark.parametrize(("mode", "numbers"), [(FAST, torch.float16), (EXACT, torch.float32)])
def test_the_whole_way_of_a_batch_stays_on_the_device(mode: str, numbers: torch.dtype) -> None:
    model, precision = seeded(), weights.precision(mode, GPU)
    encoder = Encoder(weights.encoder_weights(model.encoder, precision))
    decoder = Decoder(weights.decoder_weights(model.decoder, precision))
    mel = from_frame(spectrogram(np.zeros(16_000, np.float32), 80, GPU), 0)
    with NothingElsewhere():
        features = encoder(torch.stack([mel] * ROWS))
        memory = decoder.cross(features)
    assert features.shape == (ROWS, 1500, 128)
    assert {part.dtype for part in [features, *memory.keys, *memory.values]} == {numbers}
    asked = task(decoder, get_tokenizer(multilingual=True, language="en"))
    state, logits = decoder.begin(memory, asked.prompt, (asked.start, -1), room=asked.limit)
    assert isinstance(state, FixedState)
    assert (logits.shape, logits.dtype) == ((ROWS, 2, decoder.vocabulary), torch.float32)
    grammar, logits = Grammar(asked.vocabulary, ROWS), logits[:, 1]
    for _ in range(3):
        with NothingElsewhere():
            tokens, _ = likeliest(grammar.apply(logits), range(ROWS))
            grammar.note(tokens)
            logits = one_step(decoder, state, tokens)
    with NothingElsewhere():
        found = decoder.forced(memory, torch.zeros(ROWS, 9, dtype=torch.long, device=GPU), [(0, 1), (1, 0)], end=50_257)
    assert (found.attention.shape, found.attention.dtype) == ((ROWS, 2, 9, 1500), torch.float32)


def test_beams_and_rows_that_leave_stay_on_the_device() -> None:
    decoder = Decoder(weights.decoder_weights(seeded().decoder, weights.precision(FAST, GPU)))
    memory = decoder.cross(torch.zeros(ROWS, 1500, 128, device=GPU, dtype=torch.float16))
    state, _ = decoder.begin(memory, PROMPT, PLACES, room=2)
    assert isinstance(state, FixedState)
    decoder.widen(state, 5)
    with NothingElsewhere():
        logits = one_step(decoder, state, torch.zeros(ROWS * 5, dtype=torch.long, device=GPU))
        assert highest(logits, 6)[1].shape == (ROWS * 5, 6)
        assert state.keep([0, 3]) == [0, 3]
        assert len(one_step(decoder, state, torch.zeros(10, dtype=torch.long, device=GPU))) == 10


def test_a_step_that_reads_a_number_back_would_be_seen() -> None:
    with pytest.raises(DataDependentOutputException):
        int(torch.zeros(1, device=GPU))
    number = torch.zeros(ROWS)
    with NothingElsewhere(), pytest.raises(AssertionError):
        number.to(GPU)


def one_step(decoder: Decoder, state: FixedState, tokens: Tensor) -> Tensor:
    """As `Decoder.step`, but captured by nobody."""
    return state.step(functools.partial(decoder._fixed_step, state), tokens, graph=False)
