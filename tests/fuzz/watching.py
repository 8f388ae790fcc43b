"""Runs a target on one input, and fails where that costs too much time, or where memory grows."""

from __future__ import annotations

import logging
import resource
import sys
import time

from tests.fuzz.targets import MAX_INPUT, MAX_SECONDS, OURS, TARGETS

_MAX_GROWTH = 150_000  # kilobytes, of a process that goes on for minutes
_YARDSTICK = 0.015  # seconds for a million additions
_SETTLED = 3000
_CHECKED = 1000


class Watched:
    """A target, with its bounds.

    Args:
        name: the target's.

    Raises:
        AssertionError: an input took too long, or memory grows.
    """

    def __init__(self, name: str) -> None:
        self._target = TARGETS[name]
        logging.getLogger("eplogging").setLevel(logging.CRITICAL)
        self.runs = 0
        self.slowest = 0.0
        self._memory = 0
        for warming in (b"{}", b"title: x\nproperties: {a: {type: string}}", b'{"title": "x", "a": 1.5}'):
            self._seconds(warming)

    def __call__(self, data: bytes) -> None:
        data = data[:MAX_INPUT]
        seconds = self._seconds(data)
        limit = MAX_SECONDS
        if seconds > limit:  # once may be an accident, such as a collection of garbage
            seconds = min(self._seconds(data) for _ in range(3))
            limit *= _slowness()
        self.slowest = max(self.slowest, seconds)
        assert seconds <= limit, f"took {seconds:.3f} s: {data!r}"
        self._check_memory()

    def _seconds(self, data: bytes) -> float:
        before = time.thread_time()
        try:
            self._target(data)
        except OURS as error:
            assert len(str(error).encode(errors="replace")) <= 2000, f"its error is long: {data!r}"
        return time.thread_time() - before

    def _check_memory(self) -> None:
        self.runs += 1
        if self.runs == _SETTLED:
            self._memory = _peak()
        elif self.runs > _SETTLED and self.runs % _CHECKED == 0:
            grown = _peak() - self._memory
            assert grown < _MAX_GROWTH, f"memory grew by {grown:,} KB in {self.runs:,} runs"


def _slowness() -> float:
    """How much slower this machine is now than the one that the bound was set on; never less than 1."""
    before = time.thread_time()
    sum(range(1_000_000))
    return max(1.0, (time.thread_time() - before) / _YARDSTICK)


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak
