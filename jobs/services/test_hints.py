"""What people may tell the model before it listens."""

import pytest

from jobs.services.hints import HOT_WORDS, HOT_WORDS_CHARACTERS, PROMPT_CHARACTERS, last_of, read_hot_words, read_prompt


@pytest.mark.parametrize(
    ("told", "terms"),
    [
        ("NVMe, Łódź", "NVMe, Łódź"),
        ("NVMe\r\n\n Bad   Aibling ;NVMe,,", "NVMe, Bad Aibling"),
        ("a\x00b\ud800", "a b"),
        ("Mu\u0308ller", "Müller"),
        (" , \n", ""),
    ],
)
def test_terms_are_parted_by_commas_and_lines(told: str, terms: str) -> None:
    assert read_hot_words(told) == terms
    assert read_hot_words(terms) == terms


def test_a_prompt_is_one_line() -> None:
    assert read_prompt("  A talk,\r\n\tabout\x00 disks.\u2028") == "A talk, about disks."
    assert read_prompt("x" * PROMPT_CHARACTERS + "\n") == "x" * PROMPT_CHARACTERS


def test_the_limits_themselves_are_allowed() -> None:
    assert len(read_hot_words("x" * HOT_WORDS_CHARACTERS)) == HOT_WORDS_CHARACTERS
    assert read_hot_words(",".join(map(str, range(HOT_WORDS)))).count(",") == HOT_WORDS - 1


@pytest.mark.parametrize(
    ("prompt", "end"),
    [
        ("short", "short"),
        ("cut " + "x" * 795 + " end", "x" * 795 + " end"),
        ("cut" + "x" * 800, "x" * 800),
        ("y " + "x" * 800, "x" * 800),
        ("one " * 250, "one " * 199 + "one"),
    ],
)
def test_the_end_of_a_long_prompt(prompt: str, end: str) -> None:
    assert last_of(prompt) == end
    assert read_prompt(end) == end
