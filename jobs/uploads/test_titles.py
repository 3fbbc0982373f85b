import pytest

from jobs.uploads.titles import FALLBACK, LIMIT, title_of

TRAVERSALS = [
    "/tmp/talk.mp3",
    "C:\\Windows\\talk.mp3",
    "C:/Windows/talk.mp3",
    "\\tmp\\talk.mp3",
    "/tmp\\talk.mp3",
    "folder/talk.mp3",
    "folder\\talk.mp3",
    "fol/der\\talk.mp3",
    "../../talk.mp3",
    "..\\..\\talk.mp3",
    "../..\\talk.mp3",
    "..&#x2F;talk.mp3",
    "..&sol;talk.mp3",
]


@pytest.mark.parametrize("name", TRAVERSALS)
def test_only_the_last_part_of_a_path_is_kept(name: str) -> None:
    assert title_of(name) == "talk.mp3"


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/", "\\", "   ", "\x00", "\u202e", "..&sol;..", "a/.."])
def test_a_name_with_nothing_in_it_becomes_a_plain_word(name: str) -> None:
    assert title_of(name) == FALLBACK


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("a\x00b\r\nc\x1b[31m.mp3", "abc[31m.mp3"),
        ("\u202egpj.exe", "gpj.exe"),
        ("\u2066a\u2069\u200e.mp3", "a.mp3"),
        ("line\u2028break\u0085.mp3", "linebreak.mp3"),
        ("lone\ud800.mp3", "lone.mp3"),
        ("Besprechung über Äpfel 🎧.mp3", "Besprechung über Äpfel 🎧.mp3"),
        ("u\u0308ber.mp3", "über.mp3"),
        ("<img src=x onerror=alert(1)>.mp3", "<img src=x onerror=alert(1)>.mp3"),  # shown as text by every template
        ("$(touch M).mp3", "$(touch M).mp3"),
        ("-i.mp3", "-i.mp3"),
    ],
)
def test_what_would_deceive_is_dropped_and_what_is_text_stays(name: str, title: str) -> None:
    assert title_of(name) == title


def test_a_long_name_is_cut() -> None:
    assert title_of("é" * 1000) == "é" * LIMIT
