"""Keeps eplogging from making events of its own doings: without it, one event could become thousands.

What HTTP libraries and librdkafka log while an event is handled is no event, on whichever thread
that happens. A signal handler that logs in the midst of it, though, logs an event like any other.
"""

from __future__ import annotations

import gc
import threading

MAX_DEPTH = 3
"""Logging calls within logging calls: a signal handler within one is fine, a recursion is not."""

_OWN = 1000
_DOINGS = frozenset({"urllib3", "requests", "confluent_kafka", "charset_normalizer"})


class _State(threading.local):
    depth = 0
    is_own = False


STATE = _State()
"""How deep the current thread is in the handling of events; `STATE.depth` goes up and down by one."""


def enter_own_thread() -> None:
    """Marks the current thread as eplogging's own, for good: nothing that it logs is an event."""
    STATE.depth, STATE.is_own = _OWN, True


def _collecting(phase: str, _info: object, state: _State = STATE, own: int = _OWN) -> None:
    """What `__del__` logs while this thread collects garbage is the application's: any thread may."""
    if state.is_own:  # bound as defaults: module globals may be gone at shutdown
        state.depth += own if phase == "stop" else -own


gc.callbacks.append(_collecting)


def is_own_doing(logger_name: str, depth: int) -> bool:
    """Whether a record by that logger, that deep in the handling of an event, is eplogging's own doing."""
    if depth == 0:
        return logger_name.startswith("eplogging") and logger_name[9:10] in ("", ".")
    package = logger_name.partition(".")[0]
    return depth >= MAX_DEPTH or package == "eplogging" or package in _DOINGS
