"""Times of words: against openai-whisper's own alignment, and against the moments espeak-ng says it spoke them."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from worker.demo.moments import read_moments
from worker.engine.alignment import agreement, entries, focus
from worker.engine.alignment_heads import choose_heads, chosen_heads
from worker.engine.alignment_words import Draft, Timed, words_of
from worker.engine.base import Options, Piece, Segment
from worker.engine.batched import BatchedEngine
from worker.engine.sound import read_samples, spectrogram

if TYPE_CHECKING:
    from whisper.model import Whisper
    from whisper.tokenizer import Tokenizer

WORDS = Options("en", words=True)


@pytest.fixture(scope="module")
def engine(model: "Whisper") -> BatchedEngine:
    return BatchedEngine(model)


@pytest.fixture
def oracle(model: "Whisper") -> Iterator[None]:
    """openai's alignment resets torch's threads, through numba: two on busy cores are many times slower than one."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tokenizer(engine: BatchedEngine) -> "Tokenizer":
    return engine.tokenizer(WORDS)


@pytest.mark.usefixtures("oracle")
def test_words_are_those_of_openais_alignment(
    engine: BatchedEngine, model: "Whisper", tokenizer: "Tokenizer", english: Path
) -> None:
    """Its own pass over a window, and ours over what our decoder remembers of it."""
    from whisper.timing import find_alignment

    sound = read_samples(english, Piece(0, 5.0, 17.0))
    mel, positions = spectrogram(sound, 80), len(sound) // 320
    text = tokenizer.encode(" My colleague moved three paintings before lunch.")
    wanted = find_alignment(model, tokenizer, text, mel, 2 * positions)

    shown = [*tokenizer.sot_sequence, tokenizer.no_timestamps, *text, tokenizer.eot]
    memory = engine.decoder.cross(engine.encoder(mel[None]))
    forced = engine.decoder.forced(memory, torch.tensor([shown]), chosen_heads(model), end=tokenizer.eot)
    bounds = entries(focus(forced.attention[0], positions)[3:-1]) * 0.02
    chances = forced.log_probabilities[0, 3:].exp().tolist()
    [found] = words_of([Timed(text, bounds.tolist(), chances[: len(text)])], tokenizer)

    assert [word.text for word in found[:-1]] == [word.word for word in wanted[:-2]]
    assert len(found) > 5
    for ours, theirs in zip(found, wanted, strict=False):
        assert ours.start == pytest.approx(theirs.start, abs=0.04)
        assert ours.end == pytest.approx(theirs.end, abs=0.04)
        assert ours.probability == pytest.approx(theirs.probability, abs=0.001)


@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 40), (40, 7), (60, 700)])
def test_the_path_is_openais(size: tuple[int, int]) -> None:
    from whisper.timing import dtw_cpu

    costs = np.random.default_rng(5).normal(size=size)
    tokens, positions = dtw_cpu(costs)
    jumps = np.pad(np.diff(tokens), (1, 0), constant_values=1).astype(bool)
    assert entries(-costs).tolist() == positions[jumps].tolist()


@pytest.mark.parametrize("language", ["en", "de"])
def test_words_begin_when_they_are_said(engine: BatchedEngine, speech: Callable[[str], Path], language: str) -> None:
    """By espeak-ng's own account. The demo model's heads follow phrases, so most words share their segment's time."""
    samples = speech({"en": "english", "de": "german"}[language])
    pieces = cut(language, 60)
    heard = engine.hear(samples, pieces, Options(language, words=True))
    found = [word for segments in heard.values() for segment in segments for word in segment.words]
    moments: dict[str, list[float]] = {}
    for moment in read_moments(language):
        moments.setdefault(plain(moment.text), []).append(moment.start)
    errors = [
        min(abs(word.start - start) for start in moments[plain(word.text)])
        for word in found
        if plain(word.text) in moments
    ]
    assert len(errors) > 90
    assert median(errors) <= 0.1
    assert np.quantile(errors, 0.9) <= 0.3


def plain(text: str) -> str:
    return re.sub(r"\W", "", text.split()[0].lower())


def cut(language: str, seconds: float) -> list[Piece]:
    """Windows over the sample's first `seconds`, each cut in a pause once it is 20 s long."""
    cuts = [0.0]
    for before, after in pairwise(read_moments(language)):
        if after.start - before.end > 0.25 and before.end - cuts[-1] > 20 and cuts[-1] < seconds:
            cuts.append((before.end + after.start) / 2)
    return [Piece(index, *bounds) for index, bounds in enumerate(pairwise(cuts))]


def test_words_make_up_their_segment_and_keep_to_it(engine: BatchedEngine, english: Path) -> None:
    before = engine.encodes
    heard = engine.hear(english, cut("en", 30), WORDS)
    assert engine.encodes - before == len(heard), "nothing is encoded again for the words"
    segments = [segment for found in heard.values() for segment in found]
    assert len(segments) > 10
    for segment in segments:
        assert "".join(word.text for word in segment.words).strip() == segment.text
        assert segment.start <= segment.words[0].start
        assert segment.words[-1].end <= segment.end
        assert all(word.start <= word.end for word in segment.words)
        assert all(one.end <= other.start for one, other in pairwise(segment.words))
        assert all(0 < word.probability <= 1 for word in segment.words)


def test_words_do_not_depend_on_the_batch_and_change_nothing_else(engine: BatchedEngine, english: Path) -> None:
    pieces = cut("en", 30)
    together = engine.hear(english, pieces, WORDS)
    alone = [segment for piece in pieces for segment in engine.hear(english, [piece], WORDS)[piece.index]]
    assert [times(segment) for found in together.values() for segment in found] == [times(one) for one in alone]
    without = [segment for found in engine.hear(english, pieces, Options("en")).values() for segment in found]
    assert [times(segment)[:3] for segment in without] == [times(segment)[:3] for segment in alone]
    assert not any(segment.words for segment in without)


def times(segment: Segment) -> tuple[float, float, str, list[tuple[float, float, str]]]:
    return segment.start, segment.end, segment.text, [(w.start, w.end, w.text) for w in segment.words]


def test_a_window_heard_in_two_rounds_has_all_its_words(engine: BatchedEngine, english: Path) -> None:
    """Cut in a sentence, so its end is heard again from where that began."""
    [heard] = engine.hear(english, [Piece(0, 0.0, 30.0)], WORDS).values()
    assert all(segment.words for segment in heard)
    starts = [word.start for segment in heard for word in segment.words]
    assert starts == sorted(starts)
    assert starts[-1] > 20


def test_attention_that_follows_the_words_is_believed_and_other_is_not() -> None:
    """Eight tokens in 4 s with a pause of 2 s in the middle, looked at by one head: at its place, and at random."""
    places = [10, 25, 45, 60, 160, 170, 185, 190]
    sharp = np.exp(-(((np.arange(200) - np.array([*places, 198])[:, None]) / 4) ** 2))
    sharp += np.random.default_rng(1).random(sharp.shape) / 1000
    attention = torch.from_numpy(sharp / sharp.sum(1, keepdims=True)).float()[None]
    found = focus(attention, 200)
    bounds = entries(found)
    assert agreement(found[:-1], bounds).all()
    near = [abs(bound - place) <= 10 for bound, place in zip(bounds, places, strict=False)]
    assert near[:4] == [*near[5:], True] == [True] * 4, "the fifth may begin anywhere in the pause"
    lost = focus(attention[:, torch.tensor([3, 7, 1, 5, 0, 6, 2, 4, 8])], 200)
    assert agreement(lost[:-1], entries(lost)).mean() < 0.7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" Well, (yes) he said.", [" Well,", " (yes)", " he", " said."]),
        (' "Go"', [' "Go"']),
        (" Grüße!", [" Grüße!"]),
        ("", []),
    ],
)
def test_punctuation_goes_with_its_word(tokenizer: "Tokenizer", text: str, words: list[str]) -> None:
    assert [word.text for word in drafts(tokenizer, tokenizer.encode(text))] == words


def test_a_character_that_is_never_finished_is_kept(tokenizer: "Tokenizer") -> None:
    tokens = [*tokenizer.encode(" so"), tokenizer.encode(" 🦜")[0]]
    words = drafts(tokenizer, tokens)
    assert "".join(word.text for word in words) == tokenizer.decode(tokens)


def test_the_pause_behind_a_sentence_is_nobodys(tokenizer: "Tokenizer") -> None:
    """The full stop, or the word after it, would last for all of it."""
    tokens = tokenizer.encode(" One two three. Four five")
    bounds = [0.0, 0.5, 1.0, 1.5, 9.0, 9.5, 10.0]
    stop = words_of([Timed(tokens, bounds, [1.0] * 6)], tokenizer)[0]
    assert [(word.start, word.end) for word in stop[2:4]] == [(1.0, 1.5), (9.0, 9.5)]
    late = [0.0, 0.5, 1.0, 1.5, 2.0, 9.5, 10.0]
    after = words_of([Timed(tokens, late, [1.0] * 6)], tokenizer)[0]
    assert (after[3].start, after[3].end) == (8.5, 9.5)


def drafts(tokenizer: "Tokenizer", tokens: list[int]) -> list[Draft]:
    bounds = [0.1 * place for place in range(len(tokens) + 1)]
    return words_of([Timed(tokens, bounds, [0.5] * len(tokens))], tokenizer)[0]


def test_heads_are_openais_for_its_own_checkpoints() -> None:
    import whisper
    from whisper.model import ModelDimensions, Whisper

    tiny = Whisper(ModelDimensions(80, 1500, 384, 6, 4, 51_865, 448, 384, 6, 4))
    assert not choose_heads(tiny, "0" * 64)
    assert chosen_heads(tiny) == [(layer, head) for layer in (2, 3) for head in range(6)]
    assert choose_heads(tiny, whisper._MODELS["tiny"].split("/")[-2])
    assert chosen_heads(tiny) == [(2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5)]


def test_threads_stay_as_they_were(engine: BatchedEngine, english: Path) -> None:
    """whisper's own alignment resets them, through numba."""
    before = torch.get_num_threads()
    engine.hear(english, [Piece(0, 0.0, 10.0)], WORDS)
    assert torch.get_num_threads() == before
