"""Whose turn it is, seen from the edge."""

import pytest

from jobs.services.turns import Turns


@pytest.mark.django_db
def test_a_model_that_nobody_waits_for_any_more_has_no_turns() -> None:
    assert list(Turns().next_of("demo", slots=1)) == []
