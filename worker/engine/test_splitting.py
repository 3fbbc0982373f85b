"""Token sequences as a model gives them; 1000 is the timestamp 0.00."""

import pytest

from worker.engine.splitting import Part, split

A, B, C = 7, 8, 9


@pytest.mark.parametrize(
    ("tokens", "parts", "heard_to"),
    [
        pytest.param([1000, A, 1050], [Part(0, 50, [1000, A, 1050])], None, id="one sentence"),
        pytest.param([1000, A], [Part(0, 700, [1000, A])], None, id="no end told: to the end of the sound"),
        pytest.param([], [Part(0, 700, [])], None, id="nothing"),
        pytest.param(
            [1000, A, 1050, 1060, B, 1090],
            [Part(0, 50, [1000, A, 1050]), Part(60, 90, [1060, B, 1090])],
            None,
            id="two sentences and quiet after them",
        ),
        pytest.param(
            [1000, A, 1050, 1060, B, 1090, 1090],
            [Part(0, 50, [1000, A, 1050]), Part(60, 90, [1060, B, 1090])],
            90,
            id="cut off where the next begins",
        ),
        pytest.param(
            [1000, A, 1050, 1060, B, C], [Part(0, 50, [1000, A, 1050])], 50, id="cut off within the next: hear it again"
        ),
    ],
)
def test_split(tokens: list[int], parts: list[Part], heard_to: int | None) -> None:
    found = split(tokens, 1000, 700)
    assert found.parts == parts
    assert found.heard_to == heard_to
