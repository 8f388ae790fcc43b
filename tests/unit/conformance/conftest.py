"""Fixtures of the conformance core's tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eplogging.conformance import Conformer, schemas, streams
from tests.unit.conformance.world import REPOSITORY, STREAMS, stand_still


@pytest.fixture
def make() -> Callable[..., Conformer]:
    """Makes conformers of the small world; keywords change it."""

    def make(**options: Any) -> Conformer:
        given = {
            "schema_base_uris": [REPOSITORY],
            "stream_config_uri": STREAMS,
            "schema_file_extension": ".yaml",
            **options,
        }
        return Conformer(**given)

    return make


@pytest.fixture
def thread_switches() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands, and every new id is the same."""
    stand_still(monkeypatch)


class Clock:
    """Stands in for the module `time` in look-ups: it moves only when told to, and pauses take no time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time as schemas and stream configs see it."""
    clock = Clock()
    monkeypatch.setattr(streams, "time", clock)
    monkeypatch.setattr(schemas, "time", clock)
    return clock
