"""Where one passage ends and the next begins."""

import pytest

from jobs.models import Segment
from jobs.passages import continues, passages, space_after, word_marks


def heard(start: float, text: str, length: float = 4.0) -> Segment:
    return Segment(start=start, end=start + length, text=text)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (heard(0, "and so"), heard(5, "it went"), True),
        (heard(0, "and so"), heard(6, "it went"), False),  # a pause of two seconds
        (heard(0, "It went."), heard(5, "Then"), True),
        (heard(0, "It went."), heard(5.5, "Then"), False),  # a shorter one counts where a sentence has ended
        (heard(0, "“It went?”"), heard(5.5, "Then"), False),
        (heard(0, "它去了。"), heard(5.5, "然后"), False),
        (heard(0, "3.5"), heard(5.5, "metres"), True),
        (heard(26, "It went."), heard(30, "Then"), False),  # the first sentence beyond half a minute
        (heard(26, "and so"), heard(30, "it went"), True),
        (heard(116, "and so"), heard(120, "it went"), False),  # nobody breathes: two minutes are enough
        (heard(5, "later"), heard(0, "earlier"), False),  # stored in this order
    ],
)
def test_neighbours(before: Segment, after: Segment, same: bool) -> None:
    assert continues(before, after) == same


def test_passages_begin_with_their_first_words() -> None:
    found = passages([heard(0, "One."), heard(4, "two"), heard(8, "three."), heard(20, "Four.")])
    assert [(each.start, [said.text for said in each.segments]) for each in found] == [
        (0, ["One.", "two", "three."]),
        (20, ["Four."]),
    ]


@pytest.mark.parametrize(("text", "space"), [("One.", " "), ("네", " "), ("好。", ""), ("好 ", ""), ("ありがとう", "")])
def test_only_scripts_with_spaces_get_one(text: str, space: str) -> None:
    assert space_after(text) == space


@pytest.mark.parametrize(
    ("text", "words", "marks"),
    [
        ("Two words.", [[5.0, 5.4, " Two", 0.9], [5.52, 6.0, " words.", 0.9]], "0:3 52:7"),
        ("Alone", [[5.5, 6.0, " Alone ", 0.9]], "50:5"),
        ("\U0001f600 so", [[5.0, 5.1, "\U0001f600", 0.9], [5.2, 5.3, " so", 0.9]], "0:2 20:3"),  # as scripts count
        ("Something else", [[5.0, 5.4, " Two", 0.9]], ""),
        ("Unknown", [], ""),
    ],
)
def test_marks_of_words(text: str, words: list[list[float | str]], marks: str) -> None:
    segment = heard(5.0, text)
    segment.words = words
    assert word_marks(segment) == marks
