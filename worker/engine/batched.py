"""The engine: openai-whisper's weights in our own loop; windows in batches, no window's text the prompt of another."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from whisper.model import Whisper
from whisper.tokenizer import Tokenizer, get_tokenizer

from worker.engine.alignment_heads import chosen_heads
from worker.engine.alignment_pass import Aligner
from worker.engine.base import EXACT, SAMPLE_RATE, EngineRefused, Options, Piece, Segment, Vote
from worker.engine.checkpoint import can_translate
from worker.engine.decode import Result, task
from worker.engine.decoder import Decoder
from worker.engine.encoder import Encoder
from worker.engine.guards import LANGUAGE_SECONDS, SURE_OF_LANGUAGE, guarded
from worker.engine.memory import Memory
from worker.engine.prompt import before
from worker.engine.row import Row
from worker.engine.sampling import Rules, decode_surely
from worker.engine.sound import FRAMES_A_SECOND, from_frame, read_samples, spectrogram
from worker.engine.weights import decoder_weights, encoder_weights, precision, rough_weights

logger = logging.getLogger(__name__)

ROWS = {"cpu": 8, "cuda": 16}  # decoded together: more gains little and takes memory
ROUNDS = 8  # times a window is heard again where the model was cut off in speech: text that never ends must end
OPENAI = Rules()
LANGUAGE_FRAMES = LANGUAGE_SECONDS * FRAMES_A_SECOND


class BatchedEngine:
    """Implements `worker.engine.base.Engine`. Nothing of `model` is kept: let go of it, and its memory is free.

    `known_heads`: the model's alignment heads were chosen for its very weights (`alignment_heads.choose_heads`).
    """

    def __init__(
        self,
        model: Whisper,
        rules: Rules = OPENAI,
        mode: str = EXACT,
        device: str = "cpu",
        *,
        known_heads: bool = False,
    ) -> None:
        self.device = torch.device(device)
        numbers = precision(mode, self.device)
        self.dimensions = model.dims
        self.is_multilingual, self.translates = bool(model.is_multilingual), can_translate(model)
        self.encoder = Encoder(encoder_weights(model.encoder, numbers))
        weights = decoder_weights(model.decoder, numbers)
        goes_ahead = mode == EXACT and self.device.type == "cpu"
        rough = Decoder(rough_weights(model.decoder, weights)) if goes_ahead else None
        self.decoder = Decoder(weights, rough=rough)
        self._aligner = Aligner(self.decoder, chosen_heads(model), sure=known_heads)
        self._languages = model.num_languages
        self._rules = rules
        self._together = ROWS[self.device.type]

    @property
    def encodes(self) -> int:
        """Windows encoded so far: retries and word times must not encode one again."""
        return self.encoder.encodes

    def vote_language(self, samples: Path, pieces: Sequence[Piece]) -> Vote:
        """The mean of the language probabilities over these windows."""
        if not pieces:
            raise EngineRefused("bad_request", "There is no window to find the language in.")
        if not self.is_multilingual:
            return Vote("en", 1.0)
        tokenizer = get_tokenizer(multilingual=True, num_languages=self._languages)
        tokens = list(tokenizer.all_language_tokens)
        chances = torch.stack([self._odds([row], tokenizer, tokens) for row in self._rows(samples, pieces)]).mean(dim=0)
        winner = int(chances.argmax())
        return Vote(tokenizer.all_language_codes[winner], float(chances[winner]))

    def hear(self, samples: Path, pieces: Sequence[Piece], options: Options) -> dict[int, list[Segment]]:
        """Segments by window index, in order; an empty list where nothing was said."""
        tokenizer = self.tokenizer(options)
        heard: dict[int, list[Segment]] = {}
        done = 0
        while done < len(pieces):
            rows = list(self._rows(samples, pieces[done : done + self._together]))
            try:
                self._hear(rows, options, tokenizer)
            except torch.OutOfMemoryError:  # of a GPU; it stays usable
                self._halve(len(rows))
                continue
            done += len(rows)
            heard |= {row.piece.index: guarded(row.segments, row.other_language) for row in rows}
        return heard

    def _halve(self, rows: int) -> None:
        """So many were too many, for the rest of this engine's life. One that is too many is an error."""
        if rows == 1:
            raise
        self._together = rows // 2
        torch.cuda.empty_cache()
        logger.warning("The graphics processor has no memory for %d windows at once: %d from here on", rows, rows // 2)

    def tokenizer(self, options: Options) -> Tokenizer:
        """For the language and task of these options. Raises EngineRefused: language_unknown, cannot_translate."""
        if not self.is_multilingual and options.language != "en":
            raise EngineRefused("language_unknown", "This model knows English only. Choose English or another model.")
        if options.task == "translate" and not self.translates:  # it would transcribe without a word
            raise EngineRefused("cannot_translate", "This model cannot translate. Choose another, or no translation.")
        try:
            return get_tokenizer(
                self.is_multilingual, num_languages=self._languages, language=options.language, task=options.task
            )
        except ValueError as error:
            raise EngineRefused(
                "language_unknown", "This model does not know that language. Choose another."
            ) from error

    def _hear(self, rows: list[Row], options: Options, tokenizer: Tokenizer) -> None:
        for _ in range(ROUNDS):
            rows = [row for row in rows if not row.heard]
            if not rows:
                return
            memory = self._memory(rows)
            results = self._decode(memory, rows, options, tokenizer)
            taken = [
                row.skip() if self._rules.is_silence(result) else row.take(result, tokenizer)
                for row, result in zip(rows, results, strict=True)
            ]
            if options.words:
                for row, words in zip(rows, self._aligner.words(memory, taken, tokenizer), strict=True):
                    row.time(words)

    def _decode(self, memory: Memory, rows: Sequence[Row], options: Options, tokenizer: Tokenizer) -> list[Result]:
        seeds = [f"{options.seed}/{row.piece.index}/{row.seek}" for row in rows]
        told = before(tokenizer, self.decoder.context, prompt=options.prompt, hot_words=options.hot_words)
        asked = task(self.decoder, tokenizer, told)
        self._note_languages(memory, rows, tokenizer)
        return decode_surely(self.decoder, memory, asked, seeds, self._rules, options.beam)

    def _note_languages(self, memory: Memory, rows: Sequence[Row], tokenizer: Tokenizer) -> None:
        """Of windows long enough to tell, what else is spoken there. Before any prompt: that would bend the odds."""
        long = [place for place, row in enumerate(rows) if not row.seek and row.length >= LANGUAGE_FRAMES]
        if not long or not self.is_multilingual:
            return
        _, logits = self.decoder.begin(memory, [tokenizer.sot], room=0)
        odds = logits[:, 0, list(tokenizer.all_language_tokens)].softmax(dim=-1).max(dim=-1)
        for place in long:
            code = tokenizer.all_language_codes[int(odds.indices[place])]
            if code != tokenizer.language and float(odds.values[place]) > SURE_OF_LANGUAGE:
                rows[place].other_language = code

    def _memory(self, rows: Sequence[Row]) -> Memory:
        mels = torch.stack([from_frame(row.mel, row.seek) for row in rows])
        return self.decoder.cross(self.encoder(mels))

    def _odds(self, rows: Sequence[Row], tokenizer: Tokenizer, tokens: list[int]) -> torch.Tensor:
        """Probabilities of these tokens alone, right at the start of the transcript."""
        _, logits = self.decoder.begin(self._memory(rows), [tokenizer.sot], room=0)
        return logits[0, 0, tokens].softmax(dim=-1).cpu()

    def _rows(self, samples: Path, pieces: Sequence[Piece]) -> Iterator[Row]:
        for piece in pieces:
            sound = read_samples(samples, piece)
            mel = spectrogram(sound, self.dimensions.n_mels, self.device)
            yield Row(piece, mel, len(sound) * FRAMES_A_SECOND // SAMPLE_RATE)
