"""A steady load of numbered events: what was logged is known exactly, and so is what each call took.

Each thread numbers its events; `meta.id` tells the thread and the number, and each key belongs to one
thread, so `tally` can tell lost, duplicate and inverted events apart. Only a few kilobytes are kept,
however long it lasts: it also runs where memory is measured.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.support.application import page

TOPIC = "eqiad.sample.page"
_TICK = 0.001


class Calls:
    """How long calls took: counts in buckets that are 2 % wide."""

    _PER_DOUBLING = 32

    def __init__(self) -> None:
        self._counts = [0] * (self._PER_DOUBLING * 40)
        self._longest = 0

    def add(self, nanoseconds: int) -> None:
        self._counts[int(math.log2(nanoseconds or 1) * self._PER_DOUBLING)] += 1
        self._longest = max(self._longest, nanoseconds)

    @classmethod
    def together(cls, several: Iterable[Calls]) -> Calls:
        total = cls()
        for calls in several:
            total._counts = [a + b for a, b in zip(total._counts, calls._counts, strict=True)]
            total._longest = max(total._longest, calls._longest)
        return total

    def percentile(self, percent: float) -> float:
        """Microseconds that so many percent of all calls took at most."""
        left = sum(self._counts) * percent / 100
        for bucket, count in enumerate(self._counts):
            left -= count
            if count and left <= 0:
                return float(2 ** ((bucket + 1) / self._PER_DOUBLING) / 1000)
        return self._longest / 1000

    def __str__(self) -> str:
        shares = ", ".join(f"p{percent} {self.percentile(percent):.0f}" for percent in (50, 99, 99.9))
        return f"calls {shares}, longest {self._longest / 1000:.0f} µs"


class Load:
    """Threads that log at a rate that they keep together.

    Args:
        logger: whom they log to.
        per_second: events of all threads.
        threads: how many.
        keys: message keys, shared out among the threads.
        size: bytes of text in each event.
    """

    def __init__(
        self, logger: logging.Logger, per_second: float, *, threads: int = 4, keys: int = 16, size: int = 0
    ) -> None:
        self._logger = logger
        self._rate = per_second / threads
        self._threads = range(threads)
        self._keys = keys // threads
        self._fields = {"comment": "x" * size} if size else {}
        self._calls = [Calls() for _ in self._threads]
        self._logged = [0] * threads
        self._stopped = False

    def log_one(self) -> None:
        """Logs the first event, before all others, so that what they need is there."""
        self._log(0)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Logs throughout the block."""
        with ThreadPoolExecutor(len(self._threads)) as pool:
            try:
                working = [pool.submit(self._work, thread) for thread in self._threads]
                yield
            finally:
                self._stopped = True
        for done in working:
            done.result()

    @property
    def logged(self) -> int:
        """Events logged by now."""
        return sum(self._logged)

    @property
    def calls(self) -> Calls:
        return Calls.together(self._calls)

    def _work(self, thread: int) -> None:
        start = time.perf_counter() - self._logged[thread] / self._rate
        while not self._stopped:
            while self._logged[thread] < int((time.perf_counter() - start) * self._rate):
                self._log(thread)
            due = start + (self._logged[thread] + 1) / self._rate
            time.sleep(max(due - time.perf_counter(), _TICK))

    def _log(self, thread: int) -> None:
        number = self._logged[thread]
        key = thread * self._keys + number % self._keys
        event = page(page={"id": key + 1}, **self._fields)
        event["meta"]["id"] = id_of(thread, number)
        info, clock = self._logger.info, time.perf_counter_ns
        begun = clock()
        info("one of many", extra=event)
        self._calls[thread].add(clock() - begun)
        self._logged[thread] = number + 1


def id_of(thread: int, number: int) -> str:
    """The `meta.id` of a thread's event."""
    return f"{thread:08x}-0000-4000-8000-{number:012}"


def thread_and_number(id_: str) -> tuple[int, int]:
    """What a `meta.id` tells."""
    return int(id_[:8], 16), int(id_[-12:])
