"""The engine on openai-whisper's own decoder: windows in batches, no window's text the prompt of another."""

from collections.abc import Iterator, Sequence
from itertools import batched
from pathlib import Path

import torch
from torch import Tensor
from whisper.model import Whisper
from whisper.tokenizer import Tokenizer, get_tokenizer

from worker.engine.base import SAMPLE_RATE, EngineRefused, Options, Piece, Segment, Vote
from worker.engine.checkpoint import can_translate
from worker.engine.row import Row
from worker.engine.sampling import Rules, decode
from worker.engine.sound import FRAMES_A_SECOND, from_frame, read_samples, spectrogram

ROWS = {"cpu": 8, "cuda": 16}  # decoded together: more gains little and takes memory
ROUNDS = 8  # times a window is heard again where the model was cut off in speech: text that never ends must end
OPENAI = Rules()


class BatchedEngine:
    """Implements `worker.engine.base.Engine`."""

    def __init__(self, model: Whisper, rules: Rules = OPENAI) -> None:
        self._model = model
        self._rules = rules

    def vote_language(self, samples: Path, pieces: Sequence[Piece]) -> Vote:
        """The mean of the language probabilities over these windows."""
        if not pieces:
            raise EngineRefused("bad_request", "There is no window to find the language in.")
        if not self._model.is_multilingual:
            return Vote("en", 1.0)
        totals: dict[str, float] = {}
        for row in self._rows(samples, pieces):  # one by one: nothing to gain by a batch of one step
            [chances] = self._model.detect_language(self._encode([row]))[1]
            totals = {language: totals.get(language, 0.0) + chance for language, chance in chances.items()}
        winner = max(totals, key=lambda language: totals[language])
        return Vote(winner, totals[winner] / len(pieces))

    def hear(self, samples: Path, pieces: Sequence[Piece], options: Options) -> dict[int, list[Segment]]:
        """Segments by window index, in order; an empty list where nothing was said."""
        tokenizer = self._tokenizer(options)
        heard: dict[int, list[Segment]] = {}
        for group in batched(pieces, ROWS[self._model.device.type]):
            rows = list(self._rows(samples, group))
            self._hear(rows, options, tokenizer)
            heard |= {row.piece.index: row.segments for row in rows}
        return heard

    def _hear(self, rows: list[Row], options: Options, tokenizer: Tokenizer) -> None:
        for _ in range(ROUNDS):
            rows = [row for row in rows if not row.heard]
            if not rows:
                return
            seeds = [f"{options.seed}/{row.piece.index}/{row.seek}" for row in rows]
            results = decode(self._model, self._encode(rows), options.language, options.task, seeds, self._rules)
            for row, result in zip(rows, results, strict=True):
                row.skip() if self._rules.is_silence(result) else row.take(result, tokenizer)

    def _rows(self, samples: Path, pieces: Sequence[Piece]) -> Iterator[Row]:
        for piece in pieces:
            sound = read_samples(samples, piece)
            yield Row(piece, spectrogram(sound, self._model.dims.n_mels), len(sound) * FRAMES_A_SECOND // SAMPLE_RATE)

    @torch.no_grad()
    def _encode(self, rows: Sequence[Row]) -> Tensor:
        """(rows, 1500, width). One by one on a CPU: a batch is slower there."""
        mels = torch.stack([from_frame(row.mel, row.seek) for row in rows]).to(self._model.device)
        if mels.is_cuda:
            encoded: Tensor = self._model.encoder(mels.half())
            return encoded
        return torch.cat([self._model.encoder(mel[None]) for mel in mels])

    def _tokenizer(self, options: Options) -> Tokenizer:
        model = self._model
        if not model.is_multilingual and options.language != "en":
            raise EngineRefused("language_unknown", "This model knows English only. Choose English or another model.")
        if options.task == "translate" and not can_translate(model):  # it would transcribe without a word
            raise EngineRefused("cannot_translate", "This model cannot translate. Choose another, or no translation.")
        try:
            return get_tokenizer(
                model.is_multilingual, num_languages=model.num_languages, language=options.language, task=options.task
            )
        except ValueError as error:
            raise EngineRefused(
                "language_unknown", "This model does not know that language. Choose another."
            ) from error
