"""What the guards find in text, and what they leave alone: people repeat themselves and speak fast, too."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worker.engine.base import Segment, Word
from worker.engine.guards import guarded, loops, too_fast

DEMO = Path(__file__).resolve().parents[1] / "demo" / "samples"


def segment(text: str, start: float = 0.0, end: float = 10.0, **odd: Any) -> Segment:
    return replace(Segment(start, end, text, -0.2, 0.0, 1.1, 0.0), **odd)


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ("So it was. " + "Thank you. " * 9, "So it was. Thank you."),
        ("you " * 30, "you"),
        ("And the, and the, and the, and the, And the, and the boat came back.", "And the, boat came back."),
        ("I went home, " * 5 + "and slept.", "I went home, and slept."),
        ("Der Wagen ist da. " * 4 + "Ja. " * 8, "Der Wagen ist da. Ja."),
        ("ありがとうございます。" * 5, "ありがとうございます"),
        ("今日は" + "はは" * 8, "今日は"),
        ("1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2", "1, 2,"),
    ],
)
def test_a_loop_is_cut_behind_its_first_round(heard: str, left: str) -> None:
    [found] = guarded([segment(heard)])
    assert found.text.rstrip("。") == left
    assert "loop_cut" in found.notes
    assert loops(heard)


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, no, no. Never.",
        "Ja, ja, ja, das ist sehr, sehr, sehr schön.",
        "Duck, duck, duck, duck, goose.",
        "Happy birthday to you, happy birthday to you, happy birthday dear Anna, happy birthday to you.",
        "We will, we will rock you. We will, we will rock you.",
        "ははははははは",
        "... ... ... ... ... ... ... ... ... ...",
        "one two three four five six seven eight nine ten",
        "",
    ],
)
def test_people_repeat_themselves_too(text: str) -> None:
    assert not loops(text)
    assert [found.text for found in guarded([segment(text)])] == ([text] if text else [])


def test_no_loop_is_found_in_real_text() -> None:
    for name in ("english", "german"):
        assert not loops((DEMO / f"{name}.txt").read_text())


def test_a_loop_over_segments_leaves_the_first() -> None:
    heard = [segment("Good evening.", 0, 2), *(segment("Thank you.", s, s + 2) for s in range(2, 20, 2))]
    found = guarded([*heard, segment("Goodbye.", 20, 22)])
    assert [(s.start, s.text, s.notes) for s in found] == [
        (0, "Good evening.", ()),
        (2, "Thank you.", ("loop_cut",)),
        (20, "Goodbye.", ()),
    ]


def test_the_words_of_a_loop_go_with_it() -> None:
    said = [" We", " left.", *[" Thank", " you."] * 6, " We", " left."]
    words = tuple(Word(i, i + 1, text, 0.9) for i, text in enumerate(said))
    [found] = guarded([segment("".join(said).strip(), words=words)])
    assert found.text == "We left. Thank you. We left."
    assert [word.start for word in found.words] == [0, 1, 2, 3, 14, 15]


@pytest.mark.parametrize(
    ("text", "seconds", "fast"),
    [
        ("a b c d e f g h i j k l m n o p q r s t", 1.0, True),
        ("extraordinarily straightforward misunderstandings notwithstanding everything", 1.5, True),
        ("The people talk really fast in this clip, six words each second it is.", 2.3, False),
        ("Yes, I know that.", 0.2, False),  # too few to tell
        ("東京特許許可局の局長が今日急遽許可却下を発表した", 1.0, True),
        ("東京特許許可局の局長", 1.0, False),
        ("", 0.0, False),
    ],
)
def test_what_nobody_can_say_in_the_time(text: str, seconds: float, fast: bool) -> None:
    assert too_fast(text, seconds) is fast


def test_text_too_fast_is_kept_and_marked_unless_it_was_a_loop() -> None:
    text = "The boat comes back before the evening and the wind."
    fast, slow = guarded([segment(text, 0.0, 0.5), segment(text, 1.0, 9.0)])
    assert (fast.text, fast.notes, slow.notes) == (text, ("too_fast",), ())
    [looped] = guarded([segment("Thank you. " * 9, 0.0, 1.0)])
    assert looped.notes == ("loop_cut",)


def test_what_failed_at_every_temperature_is_marked() -> None:
    unsure, repeating = segment("Boats.", average_log_probability=-1.1), segment("Boats.", compression_ratio=3.0)
    assert [found.notes for found in guarded([unsure, repeating, segment("Boats.")])] == [
        ("low_confidence",),
        ("low_confidence",),
        (),
    ]


def test_another_language_is_noted_on_each_segment() -> None:
    assert [found.notes for found in guarded([segment("Eins."), segment("Zwei.")], "en")] == [
        ("other_language:en",),
        ("other_language:en",),
    ]
