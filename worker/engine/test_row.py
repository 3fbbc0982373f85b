import pytest

from worker.engine.row import clean


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" Hello. ", "Hello."),
        ("a\x00b\nc\x1b[31m", "a b c [31m"),
        ("نمی\u200cدانم", "نمی\u200cدانم"),  # noqa: RUF001  # the joiner is part of how Persian is written
        ("\u2028", ""),
    ],
)
def test_clean(text: str, kept: str) -> None:
    assert clean(text) == kept
