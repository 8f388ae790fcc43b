"""An application that logs events, in this process or in a child, and what tests ask of it.

Wherever it is used, it checks at the end that no event was lost without being counted.
"""

from __future__ import annotations

import contextlib
import logging
import logging.config
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from eplogging import EventPlatformHandler
from eplogging.metrics import Stats
from eplogging.testing import MockKafka
from tests.support.processes import ROOT

DATA = ROOT / "tests" / "data"
SCHEMAS = DATA / "schemas"
STREAMS = DATA / "streams.yaml"
SHORT_PAUSES = {"linger.ms": 1, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100}


def keywords(**others: Any) -> dict[str, Any]:
    """The handler's keywords for the schemas and streams of `tests/data`, and others beside them."""
    own = {
        "schema_base_uris": [str(SCHEMAS)],
        "schema_file_extension": ".yaml",
        "stream_config_uri": str(STREAMS),
        "topic_prefix": "eqiad.",
    }
    return {**own, **others}


def to_kafka(kafka: MockKafka | str, **properties: Any) -> dict[str, Any]:
    """The keyword `kafka`, for a cluster or its bootstrap servers, with further properties."""
    servers = kafka if isinstance(kafka, str) else kafka.bootstrap_servers
    names = {name.replace("_", "."): value for name, value in properties.items()}
    return {"kafka": {"bootstrap.servers": servers, **SHORT_PAUSES, **names}}


def basic(number: int = 0, stream: str = "sample.basic", **fields: Any) -> dict[str, Any]:
    """A small event that is valid."""
    return {"$schema": "/sample/basic/1.0.0", "meta": {"stream": stream}, "number": number, **fields}


def page(stream: str = "sample.page", **fields: Any) -> dict[str, Any]:
    """An event of a stream with message keys; valid, unless a field says otherwise."""
    own = {"$schema": "/sample/page/1.0.0", "meta": {"stream": stream}, "wiki": "enwiki", "page": {"id": 7}}
    return {**own, **fields}


class Collected(logging.Handler):
    """Keeps every record that reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@dataclass
class Application:
    """A logger with the handler on it, and what eplogging itself said meanwhile."""

    handler: EventPlatformHandler
    logger: logging.Logger
    reports: Collected = field(default_factory=Collected)

    @property
    def stats(self) -> Stats:
        return self.handler.stats()


def dict_config(options: dict[str, Any], *, root: bool = False, **handler: Any) -> dict[str, Any]:
    """A configuration of logging with one handler, on the logger `app` or on the root logger."""
    entry = {"class": "eplogging.EventPlatformHandler", **options, **handler}
    logger = {"handlers": ["events"], "level": "DEBUG"}
    where: dict[str, Any] = {"root": logger} if root else {"loggers": {"app": {**logger, "propagate": False}}}
    return {"version": 1, "disable_existing_loggers": False, "handlers": {"events": entry}, **where}


@contextlib.contextmanager
def application(*, root: bool = False, sink: Any = None, **options: Any) -> Iterator[Application]:
    """Configure logging with `dictConfig`; at the end close the handler and check its sums."""
    config = dict_config(options, root=root)
    if sink is not None:
        config["handlers"]["events"]["sink"] = sink
    logging.config.dictConfig(config)
    holder = logging.getLogger() if root else logging.getLogger("app")
    handler = next(one for one in holder.handlers if isinstance(one, EventPlatformHandler))
    app = Application(handler, logging.getLogger("app"))
    logging.getLogger("eplogging").addHandler(app.reports)
    try:
        yield app
    finally:
        handler.close()
    assert_balanced(handler.stats())
    assert (handler.stats().pending, handler.stats().pending_bytes) == (0, 0)


def assert_balanced(stats: Stats) -> None:
    """Every event that was accepted has one fate."""
    lost = sum(stats.rejected.values()) + sum(stats.dropped.values())
    assert stats.accepted + stats.taken_over == stats.delivered + lost + stats.spooled + stats.pending, stats
    if not stats.spooled:
        assert (stats.pending == 0) == (stats.pending_bytes == 0), stats


def wait_until(condition: Callable[[], object], what: str, timeout: float = 10.0) -> None:
    """Look again until something holds; fail when it does not in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.005)
