"""What a person told the model before it listens, as tokens: hot words first, then the prompt's end."""

from whisper.tokenizer import Tokenizer


def before(tokenizer: Tokenizer, context: int, *, prompt: str = "", hot_words: str = "") -> list[int]:
    """Tokens behind `<|startofprev|>`, at most `context // 2 - 1` as in openai-whisper.

    A prompt alone gives what `whisper.decoding.DecodingTask` makes of it: the last tokens count. Hot words ("one, two")
    stand before it and stay; terms that do not fit at all are left out from the end.
    """
    most = context // 2 - 1
    said = _encode(tokenizer, prompt)
    names = _names(tokenizer, hot_words, "." if said else "", most)
    return names + said[max(0, len(said) - (most - len(names))) :]


def _names(tokenizer: Tokenizer, hot_words: str, end: str, most: int) -> list[int]:
    terms = [term for term in hot_words.split(", ") if term.strip()]
    while terms:
        tokens = _encode(tokenizer, ", ".join(terms) + end)
        if len(tokens) <= most:
            return tokens
        terms.pop()
    return []


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """What looks like a special token ("<|endoftext|>") is only text: by default tiktoken refuses it."""
    return tokenizer.encode(" " + text.strip(), disallowed_special=()) if text.strip() else []
