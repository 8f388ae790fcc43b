"""A few seconds of fuzzing; `python -m tests.fuzz` goes on for as long as it is told to."""

from __future__ import annotations

import pytest

from tests.fuzz import watching
from tests.fuzz.inventing import invent, seeds
from tests.fuzz.targets import TARGETS
from tests.fuzz.watching import Watched


@pytest.mark.parametrize("name", TARGETS)
def test_a_second_of_fuzzing(name: str) -> None:
    watched = invent(name, 1.0)
    assert watched.runs > len(seeds(name))


def test_the_watch_sees_what_it_is_there_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(data: bytes) -> None:
        if data == b"slow":
            sum(range(2_000_000))
        if data == b"raises":
            raise KeyError(data)

    monkeypatch.setitem(TARGETS, "uri", fault)
    monkeypatch.setattr(watching, "MAX_SECONDS", 0.005)
    watched = Watched("uri")
    watched(b"fine")
    with pytest.raises(KeyError):
        watched(b"raises")
    with pytest.raises(AssertionError, match="took"):
        watched(b"slow")
