"""From tokens to timed pieces of text, as openai-whisper's `transcribe` does it. Positions count 0.02 s."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Part:
    """Text tokens with their timestamps among them, and the positions they begin and end at."""

    start: int
    end: int
    tokens: Sequence[int]


@dataclass(frozen=True)
class Split:
    """`heard_to`: the position where the model was cut off in speech, so hear again from there; None: all heard."""

    parts: list[Part]
    heard_to: int | None


def split(tokens: Sequence[int], first_timestamp: int, length: int) -> Split:
    """Cut where two timestamps meet. `length` is the position where the sound ends, used where no timestamp says it."""
    stamps = [token >= first_timestamp for token in tokens]
    cuts = [place for place, pair in enumerate(pairwise(stamps), start=1) if all(pair)]
    if not cuts:
        return Split([Part(0, _last_position(tokens, first_timestamp) or length, tokens)], None)
    closed = stamps[-2:] == [False, True]  # one timestamp at the end: nothing is said after it
    if closed:
        cuts.append(len(tokens))
    parts = [_part(tokens[a:b], first_timestamp) for a, b in pairwise([0, *cuts])]
    return Split(parts, None if closed else parts[-1].end)


def _part(tokens: Sequence[int], first_timestamp: int) -> Part:
    return Part(tokens[0] - first_timestamp, tokens[-1] - first_timestamp, tokens)


def _last_position(tokens: Sequence[int], first_timestamp: int) -> int:
    return next((token - first_timestamp for token in reversed(tokens) if token >= first_timestamp), 0)
