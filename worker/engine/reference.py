"""openai-whisper's own `transcribe`, unchanged: what other ways of decoding are compared with."""

from pathlib import Path

import numpy as np
from whisper.model import Whisper

from worker.engine.base import Segment
from worker.engine.row import clean


def transcribe(model: Whisper, samples: Path, language: str, task: str = "transcribe") -> list[Segment]:
    """The segments of a whole samples file, window after window from its start. Memory grows with the file."""
    sound = np.fromfile(samples, dtype="<i2").astype(np.float32) / 32768.0
    half = model.device.type == "cuda"
    found = model.transcribe(sound, language=language, task=task, fp16=half, condition_on_previous_text=False)
    return [
        Segment(
            start=segment["start"],
            end=segment["end"],
            text=clean(segment["text"]),
            average_log_probability=segment["avg_logprob"],
            no_speech_probability=segment["no_speech_prob"],
            compression_ratio=segment["compression_ratio"],
            temperature=segment["temperature"],
        )
        for segment in found["segments"]
        if segment["text"].strip()
    ]
