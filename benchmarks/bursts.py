"""Bursts: how much CPU and time it takes until everything that was logged at once is acknowledged."""

from __future__ import annotations

import statistics
import threading
import time

from .broker import broker
from .contenders import Contender, make
from .events import Event, event_of, topic_of

WARM_UP = 300
TIMEOUT = 60.0


def burst(
    contender: str, event: str = "large", events: int = 50_000, threads: int = 1, scale: float = 1.0
) -> dict[str, float]:
    """Logs so many events as fast as it goes.

    Returns:
        `cpu_us`: CPU of the whole process per event, `per_second`: events, both to acknowledgement.
    """
    given = event_of(event)
    count = max(int(events * scale), 100) // threads
    with broker("up", topic_of(given)) as kafka:
        made = make(contender, kafka.bootstrap_servers, given)
        warm_up(made, given)
        cpu, start = time.process_time(), time.perf_counter()
        _log(made, given, count, threads)
        made.finish(TIMEOUT)
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
        check_all_delivered(made, WARM_UP + count * threads)
    return {"cpu_us": cpu / (count * threads) * 1e6, "per_second": count * threads / seconds}


def calls(contender: str, event: str = "large", events: int = 20_000, scale: float = 1.0) -> dict[str, float]:
    """Times each call of a burst by itself.

    Returns:
        `median_us` and `p99_us` of a call.
    """
    given = event_of(event)
    with broker("up", topic_of(given)) as kafka:
        made = make(contender, kafka.bootstrap_servers, given)
        warm_up(made, given, finish="held" not in contender)
        taken = timed(made, given, max(int(events * scale), 100))
        made.finish(TIMEOUT)
    return {"median_us": statistics.median(taken), "p99_us": percentile(taken, 99)}


def timed(made: Contender, event: Event, count: int) -> list[float]:
    """Microseconds of each of so many calls."""
    log, clock = made.log, time.perf_counter_ns
    taken = []
    for _ in range(count):
        start = clock()
        log(event)
        taken.append((clock() - start) / 1000)
    return taken


def warm_up(made: Contender, event: Event, *, finish: bool = True, timeout: float = TIMEOUT) -> None:
    """Has caches filled and connections made: the first message of an idempotent producer takes a second."""
    for _ in range(2):
        for _ in range(WARM_UP // 2):
            made.log(event)
        if finish:
            made.finish(timeout)
        else:
            time.sleep(min(timeout, 0.5))


def check_all_delivered(made: Contender, count: int) -> None:
    if made.handler is not None:
        stats = made.handler.stats()
        if stats.delivered != count:
            raise AssertionError(f"of {count} events not all were delivered: {stats}")


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[min(int(len(values) * percent / 100), len(values) - 1)]


def _log(made: Contender, event: Event, count: int, threads: int) -> None:
    def work() -> None:
        log = made.log
        for _ in range(count):
            log(event)

    if threads == 1:
        work()
        return
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
