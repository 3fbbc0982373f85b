"""Which tokens may follow: openai-whisper's SuppressBlank, SuppressTokens and ApplyTimestampRules, on tensors.

Nothing is read back from the device, so the rules can run on a GPU between two steps.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from whisper.tokenizer import Tokenizer

FIRST_TIMESTAMP_LIMIT = 50  # positions of 0.02 s: text begins in the first second
NEVER = -torch.inf


@dataclass(frozen=True)
class Vocabulary:
    """What the rules need of a tokenizer, on the device of the logits. `never`: tokens that are no text of speech;
    `not_first`: those that cannot begin; text is below `end`, timestamps are from `timestamps` on."""

    end: int
    timestamps: int
    never: Tensor
    not_first: Tensor


def vocabulary(tokenizer: Tokenizer, device: torch.device, *, endless: bool = False) -> Vocabulary:
    """`endless` forbids the end of text too: for measurements of a fixed length."""
    special = [tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm]
    never = {*tokenizer.non_speech_tokens, *special, tokenizer.no_speech, tokenizer.no_timestamps}
    blank = {*tokenizer.encode(" "), tokenizer.eot}
    never |= {tokenizer.eot} if endless else set()
    return Vocabulary(
        end=tokenizer.eot,
        timestamps=tokenizer.timestamp_begin,
        never=torch.tensor(sorted(never), device=device),
        not_first=torch.tensor(sorted(blank), device=device),
    )


class Grammar:
    """The rules for `sequences` sequences that have just begun. Every chosen token is told by `note`."""

    def __init__(self, vocabulary: Vocabulary, sequences: int) -> None:
        device = vocabulary.never.device
        self._vocabulary = vocabulary
        self._begun = False
        self._last = torch.zeros(sequences, dtype=torch.bool, device=device)  # whether the last token was a timestamp
        self._before = torch.ones(sequences, dtype=torch.bool, device=device)  # and the one before it
        self._position = torch.zeros(sequences, dtype=torch.long, device=device)  # one behind the last one's, or 0

    @classmethod
    def joined(cls, grammars: "Sequence[Grammar]") -> "Grammar":
        """Of the same sequences behind more and more tokens: sequence s behind t of them is `s * len(grammars) + t`."""
        whole = copy.copy(grammars[0])
        whole._last = torch.stack([each._last for each in grammars], dim=1).flatten()
        whole._before = torch.stack([each._before for each in grammars], dim=1).flatten()
        whole._position = torch.stack([each._position for each in grammars], dim=1).flatten()
        return whole

    def after(self, tokens: Tensor) -> "Grammar":
        """The rules behind these tokens, too; these here stay as they are."""
        other = copy.copy(self)
        other.note(tokens)
        return other

    @torch.inference_mode()
    def apply(self, logits: Tensor) -> Tensor:
        """Logits (sequences, vocabulary), changed in place: what may not follow becomes minus infinity."""
        rules = self._vocabulary
        text, stamps = logits[:, : rules.timestamps], logits[:, rules.timestamps :]
        logits.index_fill_(1, rules.never, NEVER)
        if not self._begun:
            logits.index_fill_(1, rules.not_first, NEVER)
            text.fill_(NEVER)
            stamps[:, FIRST_TIMESTAMP_LIMIT + 1 :] = NEVER
            return logits
        self._pairs(logits, stamps)
        _forbid(text, stamps.logsumexp(dim=-1) > text.amax(dim=-1))
        return logits

    def _pairs(self, logits: Tensor, stamps: Tensor) -> None:
        """Timestamps come in pairs, but at the end, and never go back; a segment is longer than nothing."""
        places = torch.arange(stamps.shape[1], device=stamps.device)
        closed = self._last & ~self._before  # it ended a segment: the next one's start follows, or the end of text
        _forbid(logits[:, : self._vocabulary.end], closed)
        lowest = torch.where(closed, self._position - 1, self._position)
        barred = (self._last & self._before)[:, None] | (places < lowest[:, None])
        stamps.masked_fill_(barred, NEVER)

    @torch.inference_mode()
    def note(self, tokens: Tensor) -> None:
        """The token chosen for each sequence."""
        place = tokens - self._vocabulary.timestamps
        self._before = self._last if self._begun else self._before
        self._last = place >= 0
        self._position = torch.where(self._last, place + 1, self._position)
        self._begun = True

    @torch.inference_mode()
    def keep(self, sequences: Tensor) -> None:
        """Only these sequences go on, in this order; the same one may be there more than once."""
        self._last, self._before = self._last[sequences], self._before[sequences]
        self._position = self._position[sequences]


def _forbid(part: Tensor, rows: Tensor) -> None:
    """On a CPU only the rows that are meant are written: this is most of the vocabulary."""
    if part.is_cuda:
        part.masked_fill_(rows[:, None], NEVER)
        return
    for row in rows.nonzero().flatten().tolist():
        part[row] = NEVER
