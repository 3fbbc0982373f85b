"""From tokens with their times to words with theirs, after openai-whisper's `timing.py`. Times in seconds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, median

from whisper.tokenizer import Tokenizer

# openai's lists, with the wide forms escaped: they look like others.
OPENING = "\"'\u201c\u00bf([{-"  # belong to the word after them
CLOSING = "\"'.\u3002,\uff0c!\uff01?\uff1f:\uff1a\u201d)]}\u3001"  # to the word before them
SENTENCE_ENDS = ".\u3002!\uff01?\uff1f"
LONGEST_USUAL = 0.7


@dataclass(frozen=True)
class Timed:
    """Text tokens of a segment: `bounds` are when each begins, and when the last one ends; `chances` their odds."""

    tokens: Sequence[int]
    bounds: Sequence[float]
    chances: Sequence[float]


@dataclass
class Draft:
    """A word before its punctuation is joined to it, with the mean of its tokens' probabilities."""

    text: str
    start: float
    end: float
    probability: float

    @property
    def length(self) -> float:
        return self.end - self.start


def words_of(segments: Sequence[Timed], tokenizer: Tokenizer) -> list[list[Draft]]:
    """The words of each segment, in order. Their texts, one after the other, are the segment's."""
    drafts = [list(_drafts(segment, tokenizer)) for segment in segments]
    shorten([word for words in drafts for word in words])
    return [join_marks(words) for words in drafts]


def _drafts(segment: Timed, tokenizer: Tokenizer) -> Iterator[Draft]:
    at = 0
    for text, count in _split(segment.tokens, tokenizer):
        yield Draft(text, segment.bounds[at], segment.bounds[at + count], fmean(segment.chances[at : at + count]))
        at += count


def _split(tokens: Sequence[int], tokenizer: Tokenizer) -> Iterator[tuple[str, int]]:
    """Texts, and how many tokens each is. The whole of a character that is never finished is a word too: whisper's own
    function leaves it out."""
    texts, groups = tokenizer.split_to_word_tokens(list(tokens))
    counts = [len(group) for group in groups]
    yield from zip(texts, counts, strict=True)
    rest = list(tokens[sum(counts) :])
    if rest:
        yield tokenizer.decode(rest), len(rest)


def shorten(words: Sequence[Draft]) -> None:
    """The pause behind a sentence belongs neither to its full stop nor to the word after it."""
    longest = 2 * usual_length(words)
    for before, word in pairwise(words):
        if word.length > longest and word.text in SENTENCE_ENDS:
            word.end = word.start + longest
        elif word.length > longest and before.text in SENTENCE_ENDS:
            word.start = word.end - longest


def usual_length(words: Iterable[Draft]) -> float:
    """Of a word: the median, and not more than people need."""
    lengths = [word.length for word in words if word.length]
    return min(LONGEST_USUAL, median(lengths)) if lengths else 0.0


def join_marks(words: Sequence[Draft]) -> list[Draft]:
    """Punctuation goes with its word, and takes none of its time."""
    opened: list[Draft] = []
    for word in reversed(words):
        if opened and word.text.startswith(" ") and word.text.strip() in OPENING:
            opened[-1] = replace(opened[-1], text=word.text + opened[-1].text)
        else:
            opened.append(word)
    joined: list[Draft] = []
    for word in reversed(opened):
        if joined and word.text in CLOSING and not joined[-1].text.endswith(" "):
            joined[-1] = replace(joined[-1], text=joined[-1].text + word.text)
        else:
            joined.append(word)
    return joined
