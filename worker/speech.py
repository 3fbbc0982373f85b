"""How likely each 32 ms of sound is speech: silero's model, run without silero's code (which would import torch).

Lives inside the decode child. The sequence form of the model takes many frames in one call and hands its state on, so
a file of any length is heard in one pass at flat memory; its figures equal those of the frame-by-frame form exactly.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAME_SAMPLES = 512  # 32 ms at 16 kHz
CONTEXT_SAMPLES = 64  # the model wants the end of the frame before in front of each frame
FRAMES_AT_ONCE = 128  # fastest of 32..2048 here; more only costs memory
MODEL = "silero_vad_16k_sequence.onnx"


class Detector:
    """Turns 16 kHz samples, fed in pieces of any length, into one byte for each 512 of them (0 silence, 255 speech)."""

    def __init__(self) -> None:
        self._session = _session()
        self._state = [np.zeros((1, 1, 128), np.float32) for _ in range(2)]
        self._context = np.zeros(CONTEXT_SAMPLES, np.float32)
        self._waiting = np.zeros(0, np.int16)

    def feed(self, samples: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Probabilities of all whole batches of frames that are now complete."""
        self._waiting = np.concatenate([self._waiting, samples])
        size = FRAME_SAMPLES * FRAMES_AT_ONCE
        cut = len(self._waiting) // size * size
        ready, self._waiting = self._waiting[:cut], self._waiting[cut:]
        return self._hear_all(ready)

    def finish(self) -> NDArray[np.uint8]:
        """Probabilities of what is left; a last, short frame is filled up with silence."""
        missing = -len(self._waiting) % FRAME_SAMPLES
        rest, self._waiting = np.pad(self._waiting, (0, missing)), np.zeros(0, np.int16)
        return self._hear_all(rest)

    def _hear_all(self, samples: NDArray[np.int16]) -> NDArray[np.uint8]:
        size = FRAME_SAMPLES * FRAMES_AT_ONCE
        heard = [self._hear(samples[at : at + size]) for at in range(0, len(samples), size)]
        return np.concatenate(heard) if heard else np.zeros(0, np.uint8)

    def _hear(self, samples: NDArray[np.int16]) -> NDArray[np.uint8]:
        line = np.concatenate([self._context, samples.astype(np.float32) / 32768])
        self._context = line[-CONTEXT_SAMPLES:]
        frames = np.lib.stride_tricks.sliding_window_view(line, CONTEXT_SAMPLES + FRAME_SAMPLES)[::FRAME_SAMPLES]
        inputs = {"input": np.ascontiguousarray(frames), "h": self._state[0], "c": self._state[1]}
        probabilities, *self._state = self._session.run(None, inputs)
        return np.asarray(np.rint(probabilities * 255), np.uint8)


def _session() -> Any:
    # The wheels of 1.29 and later send usage reports to their maker unless this is set before the import.
    # It also keeps their uploader thread away: a process with two threads could not be shut in.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns about initializers this model does not use
    session = onnxruntime.InferenceSession(_model_file(), options, providers=["CPUExecutionProvider"])
    nothing = {"input": np.zeros((1, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)}
    session.run(None, nothing | {name: np.zeros((1, 1, 128), np.float32) for name in "hc"})  # load what loads on use
    return session


def _model_file() -> Path:
    found = find_spec("silero_vad")  # looks the package up; importing it would import torch
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("silero-vad is not installed; it carries the speech detection model")
    return Path(found.submodule_search_locations[0]) / "data" / MODEL
