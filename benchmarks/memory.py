"""What an outage takes of memory: at the bound, and over time with recovery."""

from __future__ import annotations

import os
import time
from typing import Any

from .broker import Broker, broker
from .bursts import warm_up
from .contenders import Contender, make, ours
from .events import LARGE, event_of, topic_of
from .pacing import pace

_MIB = 1024 * 1024
_BOUND = 64 * _MIB
_LEAST_BOUND = 2 * _MIB
_SAMPLE = 0.1
_PHASES = (("up", 3.0), ("down", 8.0), ("up", 6.0))
_TIMELINE_BYTES = 16 * _MIB
_TIMELINE_RATE = 4_000


def outage(event: str, scale: float = 1.0) -> dict[str, float]:
    """Logs to a broker that is not there until events are dropped, and a while longer.

    Returns:
        `growth_mib`: by how much the process grew at most; `allowed_mib`: the bound x 1.5 + 32 MiB.
    """
    given = event_of(event)
    bound = max(int(_BOUND * scale), _LEAST_BOUND)
    with broker("down", topic_of(given)) as kafka:
        made = ours(kafka.bootstrap_servers, given, queue_size=10_000_000, queue_bytes=bound)
        warm_up(made, given, finish=False)
        rss = _rss()
        before = peak = rss()
        after_full = 0
        while after_full < 10:
            for _ in range(1_000):
                made.log(given)
            time.sleep(0.02)
            peak = max(peak, rss())
            after_full += bool(_dropped(made))
        time.sleep(1.0 if scale >= 1 else 0.1)
        peak = max(peak, rss())
    return {"growth_mib": (peak - before) / _MIB, "allowed_mib": (bound * 1.5) / _MIB + 32}


def timeline(contender: str, scale: float = 1.0) -> dict[str, Any]:
    """Samples memory while the broker goes and comes back; eplogging's bound is 16 MiB here.

    Returns:
        `seconds`, `growth_mib`, and for eplogging `pending_mib` and `dropped`, one of each a sample;
        `phases`: the seconds at which the broker went and came.
    """
    with broker("up", topic_of(LARGE)) as kafka:
        to = kafka.bootstrap_servers
        bounded = contender == "eplogging"
        made = ours(to, LARGE, queue_bytes=_TIMELINE_BYTES) if bounded else make(contender, to, LARGE)
        warm_up(made, LARGE)
        return _sampled(made, kafka, scale)


def _sampled(made: Contender, kafka: Broker, scale: float) -> dict[str, Any]:
    rss = _rss()
    before, start = rss(), time.monotonic()
    samples: dict[str, Any] = {
        "seconds": [],
        "growth_mib": [],
        "pending_mib": [],
        "dropped": [],
        "phases": [],
    }
    state = "up"
    for wanted, seconds in _PHASES:
        if wanted != state:
            kafka.tell(wanted)
            samples["phases"].append(time.monotonic() - start)
            state = wanted
        end = time.monotonic() + seconds * scale
        while time.monotonic() < end:
            pace(made.log, LARGE, _TIMELINE_RATE, _SAMPLE)
            _sample(samples, made, time.monotonic() - start, (rss() - before) / _MIB)
    return samples


def _sample(samples: dict[str, Any], made: Contender, seconds: float, growth: float) -> None:
    samples["seconds"].append(seconds)
    samples["growth_mib"].append(growth)
    if made.handler is not None:
        samples["pending_mib"].append(made.handler.stats().pending_bytes / _MIB)
        samples["dropped"].append(_dropped(made))


def _dropped(made: Contender) -> int:
    assert made.handler is not None
    return sum(made.handler.stats().dropped.values())


def _rss() -> Any:
    import psutil

    process = psutil.Process(os.getpid())
    return lambda: process.memory_info().rss
