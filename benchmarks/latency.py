"""How long a logging call takes at a steady rate, with a broker in any state, and whom logging holds up."""

from __future__ import annotations

import json
import statistics
import threading
import time

from .broker import broker
from .bursts import percentile, warm_up
from .contenders import make
from .events import LARGE, topic_of
from .pacing import pace, pace_together

_SECONDS = 4.0
_LEAST_SECONDS = 0.2
_UNANSWERED = 1.0
_REQUEST_THREADS = 2
_REQUEST_PAUSE = 0.001


def paced(
    contender: str, state: str = "up", threads: int = 8, per_second: int = 4_000, scale: float = 1.0
) -> dict[str, float]:
    """Times calls of threads that keep a rate together.

    Args:
        contender: who is given the events.
        state: the broker's.
        threads: how many log.
        per_second: how many events they log together.
        scale: of the time it takes.

    Returns:
        `median_us`, `p99_us` and `max_us` of a call.
    """
    with broker(state, topic_of(LARGE)) as kafka:
        made = make(contender, kafka.bootstrap_servers, LARGE)
        warm_up(made, LARGE, timeout=30.0 if state == "up" else _UNANSWERED)
        seconds = max(_SECONDS * scale, _LEAST_SECONDS)
        taken = pace_together(made.log, LARGE, per_second, seconds, threads)
        made.finish(30.0 if state == "up" else _UNANSWERED)
    return {
        "median_us": statistics.median(taken),
        "p99_us": percentile(taken, 99),
        "max_us": max(taken),
    }


def bystanders(contender: str, per_second: int, scale: float = 1.0) -> dict[str, float]:
    """Times request-like work of threads that do not log, while one beside them does.

    A request parses and writes some JSON, with a short pause as for a database in its midst.

    Returns:
        `median_us`, `p99_us` and `max_us` of a request.
    """
    stop = threading.Event()
    taken: list[float] = []
    with broker("up", topic_of(LARGE)) as kafka:
        made = make(contender, kafka.bootstrap_servers, LARGE)
        warm_up(made, LARGE)
        serving = [threading.Thread(target=_serve, args=(stop, taken)) for _ in range(_REQUEST_THREADS)]
        for thread in serving:
            thread.start()
        pace(made.log, LARGE, per_second, max(_SECONDS * scale, _LEAST_SECONDS))
        stop.set()
        for thread in serving:
            thread.join()
        made.finish(30.0)
    return {
        "median_us": statistics.median(taken),
        "p99_us": percentile(taken, 99),
        "max_us": max(taken),
    }


def _serve(stop: threading.Event, taken: list[float]) -> None:
    text = json.dumps(LARGE)
    while not stop.is_set():
        start = time.perf_counter_ns()
        for _ in range(5):
            parsed = json.loads(text)
        time.sleep(_REQUEST_PAUSE)
        for _ in range(5):
            json.dumps(parsed)
        taken.append((time.perf_counter_ns() - start) / 1000)
