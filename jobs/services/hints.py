"""What a person tells the model before it listens: a prompt, and names and terms to expect. People's own text.

A Whisper model takes 223 tokens of it. In languages with Latin letters the limits here fit that, each alone; of both
together, and in other scripts, the hot words stay and the prompt loses its beginning (`worker.engine.prompt`).
"""

import re
import unicodedata

from jobs.errors import JobError

PROMPT_CHARACTERS, HOT_WORDS_CHARACTERS, HOT_WORDS = 800, 400, 50
_NOT_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # NUL and lone surrogates among them, which Postgres refuses


def read_prompt(text: str) -> str:
    """One line, as it is stored. Raises JobError: `prompt_too_long`."""
    prompt = _line(text)
    if len(prompt) > PROMPT_CHARACTERS:
        raise JobError(
            "The context is longer than %(limit)d characters. Shorten it.",
            code="prompt_too_long",
            limit=PROMPT_CHARACTERS,
        )
    return prompt


def last_of(text: str) -> str:
    """As much of the end of a prompt as `read_prompt` takes, from the beginning of a word."""
    prompt = _line(text)
    if len(prompt) <= PROMPT_CHARACTERS:
        return prompt
    cut, end = prompt[-PROMPT_CHARACTERS - 1 :].split(" ", 1)[-1], prompt[-PROMPT_CHARACTERS:]
    return cut if len(cut) <= PROMPT_CHARACTERS else end


def read_hot_words(text: str) -> str:
    """Terms parted by commas or lines, each once, as "one, two". Raises JobError: `too_many_hot_words`."""
    terms = list(dict.fromkeys(filter(None, map(_line, re.split(r"[,;\n\r]", text)))))
    told = ", ".join(terms)
    if len(terms) > HOT_WORDS or len(told) > HOT_WORDS_CHARACTERS:
        raise JobError(
            "There are more than %(count)d names and terms, or more than %(limit)d characters. Leave some out.",
            code="too_many_hot_words",
            count=HOT_WORDS,
            limit=HOT_WORDS_CHARACTERS,
        )
    return told


def _line(text: str) -> str:
    kept = (" " if unicodedata.category(c) in _NOT_TEXT else c for c in unicodedata.normalize("NFC", text))
    return " ".join("".join(kept).split())
