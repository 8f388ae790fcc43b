"""A program that configures logging anew while it logs, and tells what is left of the earlier handlers.

    reconfiguring.py TIMES DEAD_KAFKA LIVE_KAFKA

The first rounds only warm it up: what is imported and cached then stays.
"""

from __future__ import annotations

import gc
import json
import logging
import logging.config
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.support.accounts import fates
from tests.support.application import basic, dict_config, keywords, to_kafka, wait_until

THREADS, WARM_UP, WITH_A_BROKER = 4, 3, 100
FLUSH_TIMEOUT = 0.2
_PATIENCE = 60.0
_SELF = Path("/proc/self")


class Flow:
    """Threads that log events within a block, through whatever handler is configured."""

    def __init__(self) -> None:
        self._calls = [0] * THREADS
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._log, args=(own,)) for own in range(THREADS)]

    def _log(self, own: int) -> None:
        log = logging.getLogger("app")
        while not self._stop.wait(0.001):
            log.info("x", extra=basic(self._calls[own], text="x" * 500))
            self._calls[own] += 1

    def __enter__(self) -> Flow:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def calls(self) -> int:
        return sum(self._calls)

    def go_on(self, calls: int) -> None:
        """Return when each thread has logged so often; after two, none is in a call of before."""
        before = self._calls[:]
        wait_until(lambda: min(map(int.__sub__, self._calls, before)) >= calls, "events flow", _PATIENCE)


def configure(kafka: str) -> Any:
    """Configure logging; the handler that logs from now on."""
    config = dict_config(keywords(**to_kafka(kafka)), flush_timeout=FLUSH_TIMEOUT)
    config["handlers"]["nothing"] = {"class": "logging.NullHandler"}
    config["loggers"]["eplogging"] = {"handlers": ["nothing"], "propagate": False}
    logging.config.dictConfig(config)
    return logging.getLogger("app").handlers[0]


def close(handler: Any) -> dict[str, int]:
    """Close the last handler, and forget it; its account."""
    handler.close()
    logging.getLogger("app").handlers.clear()
    return fates(handler.stats())


def configure_often(times: int, kafka: str) -> dict[str, Any]:
    """Configure while events flow; the accounts of all handlers, each written when it is out of use."""
    accounts, took = [], []
    with Flow() as flow:
        handler = configure(kafka)
        for _ in range(times):
            flow.go_on(20)
            started = time.monotonic()
            successor = configure(kafka)
            took.append(time.monotonic() - started)
            flow.go_on(2)
            accounts.append(fates(handler.stats()))
            handler = successor
    accounts.append(close(handler))
    return {"accounts": accounts, "longest": max(took), "logged": flow.calls}


def held() -> dict[str, int]:
    """What this process holds while no handler is in use."""
    gc.collect()
    kinds = (str(getattr(type(one), "__module__", "")) for one in gc.get_objects())
    own = [kind for kind in kinds if kind.startswith(("eplogging", "cimpl"))]
    return {
        "objects": len(own),
        "threads": len(os.listdir(_SELF / "task")),
        "files": len(os.listdir(_SELF / "fd")),
        "memory": int((_SELF / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
    }


def main(times: str, dead: str, live: str) -> None:
    configure_often(WARM_UP, dead)
    before = held()
    told = configure_often(int(times), dead)
    after = held()
    handler = configure(live)
    for number in range(WITH_A_BROKER):
        logging.getLogger("app").info("x", extra=basic(number))
    assert handler.flush(_PATIENCE)
    told["accounts"].append(close(handler))
    print(json.dumps({**told, "before": before, "after": after}))


if __name__ == "__main__":
    main(*sys.argv[1:])
