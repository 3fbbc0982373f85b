"""What parent and engine child say to each other: one JSON object a line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from worker.engine.base import EngineRefused, Loaded, Options, Piece, Segment, Vote, Word

HEAR, VOTE = "hear", "vote_language"


def pack(message: Mapping[str, Any]) -> bytes:
    """A line. Numbers that JSON does not know are an error, not a surprise for the reader."""
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def request(number: int, verb: str, samples: Path, pieces: Sequence[Piece], options: Options | None) -> dict[str, Any]:
    """What the parent asks."""
    return {
        "id": number,
        "verb": verb,
        "samples": str(samples),
        "pieces": [astuple(piece) for piece in pieces],
        "options": asdict(options) if options else None,
    }


def pieces_in(message: Mapping[str, Any]) -> list[Piece]:
    return [Piece(*piece) for piece in message["pieces"]]


def options_in(message: Mapping[str, Any]) -> Options:
    return Options(**message["options"])


def windows(heard: Mapping[int, Sequence[Segment]]) -> dict[str, Any]:
    """The answer to `hear`."""
    return {"windows": [[index, [asdict(segment) for segment in segments]] for index, segments in heard.items()]}


def windows_in(message: Mapping[str, Any]) -> dict[int, list[Segment]]:
    return {index: [_segment(segment) for segment in segments] for index, segments in message["windows"]}


def _segment(told: Mapping[str, Any]) -> Segment:
    words = tuple(Word(**word) for word in told["words"])
    return Segment(**{**told, "words": words, "notes": tuple(told["notes"])})


def vote(vote: Vote) -> dict[str, Any]:
    """The answer to `vote_language`."""
    return {"vote": asdict(vote)}


def vote_in(message: Mapping[str, Any]) -> Vote:
    return Vote(**message["vote"])


def loaded(loaded: Loaded) -> dict[str, Any]:
    """The first line of a child."""
    return {"loaded": asdict(loaded)}


def loaded_in(message: Mapping[str, Any]) -> Loaded:
    return Loaded(**message["loaded"])


def refusal(refused: EngineRefused) -> dict[str, Any]:
    """The answer to anything that failed."""
    return {"error": refused.code, "detail": refused.detail}


def refusal_in(message: Mapping[str, Any]) -> EngineRefused | None:
    return EngineRefused(message["error"], message["detail"]) if "error" in message else None
