"""Delivery reports are added up alike, in C and in Python."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import pytest

from eplogging.sinks.tally import PythonTally, Tally

both = pytest.mark.parametrize("kind", [Tally, PythonTally], ids=["as it is", "Python"])


class Told:
    """What was not delivered."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def otherwise(self, *arguments: Any) -> None:
        self.calls.append(arguments)


@both
def test_what_is_delivered_is_added_up(kind: type[PythonTally]) -> None:
    told = Told()
    tally = kind(told.otherwise)
    reports = [tally.report(number, mark, "s", size) for number, mark, size in ((0, None, 5), (1, "m", 7))]
    tally.barrier, tally.left_before = 1, 1
    for report in reports:
        assert report(None, object()) is None
    assert (tally.count, tally.left_before) == (2, 0)
    assert tally.take() == (2, 12, ["m"])
    assert tally.take() == (0, 0, [])
    assert (tally.count, tally.barrier, told.calls) == (0, 1, [])


@both
def test_what_is_not_is_told(kind: type[PythonTally]) -> None:
    told = Told()
    tally = kind(told.otherwise)
    tally.barrier, tally.left_before = 9, 3
    assert tally.report(7, "m", "s", 5)("error", "message") is None
    assert told.calls == [(7, "m", "s", "error", "message")]
    assert (tally.left_before, tally.take()) == (3, (0, 0, []))


@both
def test_what_is_raised_is_passed_on(kind: type[PythonTally]) -> None:
    tally = kind(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tally.report(7, None, "s", 5)("error", "message")
    with pytest.raises(TypeError):
        tally.report(7, None, "s", 5)(None)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        tally.report(7)  # type: ignore[call-arg]


@both
def test_it_is_freed_with_what_it_tells(kind: type[PythonTally]) -> None:
    told = Told()
    told.tally = kind(told.otherwise)  # type: ignore[attr-defined]
    report = told.tally.report(0, mark := object(), "s", 1)  # type: ignore[attr-defined]
    held = sys.getrefcount(mark)
    gone = weakref.ref(told)
    del told
    gc.collect()
    assert gone() is not None  # librdkafka may call back still
    del report
    gc.collect()
    assert gone() is None and sys.getrefcount(mark) == held - 1
