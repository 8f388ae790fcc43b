"""What a process of `exitprogram` does before it ends: it logs, and writes down what became of it.

The state is one of the process, so that a fork takes it along and a path of ending needs no arguments.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import logging.config
import os
import time
from collections.abc import Callable
from multiprocessing import util
from typing import Any, NamedTuple

from tests.support.accounts import fates, write_down
from tests.support.application import basic, dict_config, keywords, to_kafka

EVENTS = 20
"""What `log` logs at a time."""

at_the_end: list[Callable[[], object]] = []
"""Called in turn after `logging.shutdown`."""

AMPLE = 10.0
"""Seconds of `flush_timeout` in which whatever eplogging imports late is surely imported."""

_LATE = ("jsonschema", "jsonschema_rs", "orjson", "requests", "yaml")
_AFTER_EPLOGGING = -100_000


class Given(NamedTuple):
    """What the test wants of a process."""

    path: str
    accounts: str
    kafka: str
    flush_timeout: float


_given: Given
_role = "main"
_ending: float | None = None
_numbers = itertools.count()
_ids: list[str] = []


def import_late() -> None:
    """Import what eplogging imports with the first event."""
    for name in _LATE:
        with contextlib.suppress(ImportError):  # without the extra fast
            __import__(name)


def configure(given: Given) -> None:
    global _given
    _given = given
    if given.flush_timeout < AMPLE:
        import_late()  # an interpreter that ends in the midst of it may abort: there is code in Rust
    options = keywords(**to_kafka(given.kafka), flush_timeout=given.flush_timeout)
    logging.config.dictConfig(dict_config(options))


def given() -> Given:
    return _given


def handler() -> Any:
    [found] = logging.getLogger("app").handlers
    return found


def log(count: int = EVENTS) -> None:
    """Log events whose ids this process remembers; from any thread."""
    for number in itertools.islice(_numbers, count):
        name = f"{_given.path}-{os.getpid()}-{number}"
        logging.getLogger("app").info("x", extra=basic(number, meta={"stream": "sample.basic", "id": name}))
        _ids.append(name)


def ending() -> None:
    """From here on, the time counts."""
    global _ending
    _ending = time.monotonic()


def account() -> None:
    counts = fates(handler().stats())
    write_down(_given.accounts, path=_given.path, role=_role, ending=_ending, ids=_ids, **counts)


def ended(child: int | None, *, since: float = 0.0, code: int = 0, of: Given | None = None) -> None:
    """A child has ended, or all have; those of a pool may have waited for their end until `since`."""
    own = of or _given
    fields = {"child": child, "since": since, "code": code, "at": time.monotonic()}
    write_down(own.accounts, path=own.path, role="ended", **fields)


def begin_child(given: Given | None = None) -> None:
    """In a forked child, and in any other, which is configured anew: an account of its own."""
    global _role, _ending
    _role, _ending = "child", None
    _ids.clear()
    if given:
        configure(given)


def begin_child_of_multiprocessing(given: Given | None = None) -> None:
    """The same where no exit handlers run."""
    begin_child(given)
    util.Finalize(None, account, exitpriority=_AFTER_EPLOGGING)
