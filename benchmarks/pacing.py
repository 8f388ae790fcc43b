"""Logging at a steady rate, as applications do: latency is measured so, since bursts measure the queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .events import Event

_TICK = 0.001
"""Seconds between two looks at the clock; who logs more often than that logs a few at once."""


def pace(log: Callable[[Event], None], event: Event, per_second: float, seconds: float) -> list[float]:
    """Logs at a rate.

    Returns:
        Microseconds of each call.
    """
    clock = time.perf_counter_ns
    taken: list[float] = []
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for _ in range(int(elapsed * per_second) - len(taken)):
            begun = clock()
            log(event)
            taken.append((clock() - begun) / 1000)
        due = start + (len(taken) + 1) / per_second
        time.sleep(max(due - time.perf_counter(), _TICK))
    return taken


def pace_together(
    log: Callable[[Event], None], event: Event, per_second: float, seconds: float, threads: int
) -> list[float]:
    """Logs at a rate that so many threads keep together.

    Returns:
        Microseconds of each call, of all threads.
    """
    taken: list[float] = []

    def work() -> None:
        taken.extend(pace(log, event, per_second / threads, seconds))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return taken
