"""Samples of a window, read by offset, and what the encoder wants of them."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from whisper.audio import HOP_LENGTH, N_FFT, N_FRAMES, N_SAMPLES, log_mel_spectrogram

from worker.engine.base import SAMPLE_RATE, WINDOW_SECONDS, EngineRefused, Piece

BYTES = 2
SLACK = 0.01  # seconds a window may be too long by: bounds are floats
FRAMES_A_SECOND = SAMPLE_RATE // HOP_LENGTH


def read_samples(path: Path, piece: Piece) -> NDArray[np.float32]:
    """The samples of a window in [-1, 1); fewer where the file ends before it. Memory does not grow with the file."""
    if not 0 <= piece.end - piece.start <= WINDOW_SECONDS + SLACK or piece.start < 0:
        raise EngineRefused("bad_request", f"Window {piece.index} is not a piece of at most 30 seconds.")
    first, last = round(piece.start * SAMPLE_RATE), round(piece.end * SAMPLE_RATE)
    count = min(last - first, N_SAMPLES)
    try:
        samples = np.fromfile(path, dtype="<i2", count=count, offset=first * BYTES)
    except FileNotFoundError as error:
        raise EngineRefused("samples_missing", "The decoded samples of the recording are not there.") from error
    return samples.astype(np.float32) / 32768.0


def spectrogram(samples: NDArray[np.float32], bands: int, device: torch.device | None = None) -> Tensor:
    """Log-mel (bands, 3000) of the samples with digital silence up to 30 s, as Whisper models were trained; computed
    where it is wanted, as a core takes 7 ms for a window and a GPU would wait for it.

    Silence goes on past 30 s before the cut, else the last frames would see the sound mirrored; so does `transcribe`.
    """
    padded = np.pad(samples, (0, N_SAMPLES + N_FFT - len(samples)))
    mel: Tensor = log_mel_spectrogram(torch.from_numpy(padded), bands, device=device)
    return mel[:, :N_FRAMES]


def from_frame(mel: Tensor, seek: int) -> Tensor:
    """The spectrogram as heard from frame `seek` on, quiet at its end."""
    return torch.nn.functional.pad(mel[:, seek:], (0, seek), value=float(mel.min())) if seek else mel
