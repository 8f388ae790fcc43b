"""What an application's own tests, and this project's, need beyond the application itself.

Run as `python -m eplogging.testing` it is a Kafka in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, overload

from eplogging.conformance import Message
from eplogging.handler import EventPlatformHandler
from eplogging.mockkafka import MockKafka
from eplogging.sinks import MemorySink

__all__ = ["CapturedEvents", "MockKafka", "capture_events"]


class CapturedEvents(Sequence[dict[str, Any]]):
    """The events logged within `capture_events`, conformed, as a consumer would read them.

    To look at them waits until every event logged before has come out, or was rejected.
    """

    def __init__(self, handlers: Sequence[EventPlatformHandler], sink: MemorySink) -> None:
        self._handlers = handlers
        self._sink = sink

    @property
    def messages(self) -> list[Message]:
        """The messages: topic, key, value, timestamp and stream."""
        for handler in self._handlers:
            handler.flush()
        return list(self._sink.messages)

    def __len__(self) -> int:
        return len(self.messages)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._events()[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._events())

    def __repr__(self) -> str:
        return f"CapturedEvents({self._events()!r})"

    def _events(self) -> list[dict[str, Any]]:
        return [json.loads(message.value) for message in self.messages]


@contextmanager
def capture_events(logger: logging.Logger | None = None, **options: Any) -> Iterator[CapturedEvents]:
    """Captures events in place of sending them, for an application's tests.

    Without options, every `EventPlatformHandler` that is configured keeps its settings and sends
    its events here for the duration of the block. With options, a handler of its own is attached to
    a logger; it is strict (`on_rejected="raise"`) unless the options say otherwise. Handlers that are
    configured go on sending then.

    Args:
        logger: where to attach a handler; the root logger, if not given.
        **options: keywords of `EventPlatformHandler`, without `kafka` and `output`.

    Yields:
        The events, as a sequence of dicts.

    Raises:
        RuntimeError: no options, and no handler is configured.
    """
    sink = MemorySink()
    with ExitStack() as stack:
        if options:
            handlers = [stack.enter_context(_attached(logger or logging.getLogger(), sink, options))]
        else:
            handlers = _configured_handlers()
            for handler in handlers:
                stack.enter_context(handler.redirected(sink))
        yield CapturedEvents(handlers, sink)


@contextmanager
def _attached(
    logger: logging.Logger, sink: MemorySink, options: dict[str, Any]
) -> Iterator[EventPlatformHandler]:
    handler = EventPlatformHandler(sink=sink, **{"on_rejected": "raise", **options})
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(level, logging.INFO) or logging.INFO)
    try:
        yield handler
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()


def _configured_handlers() -> list[EventPlatformHandler]:
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    found = {
        handler
        for logger in loggers
        for handler in getattr(logger, "handlers", ())
        if isinstance(handler, EventPlatformHandler)
    }
    if not found:
        raise RuntimeError(
            "no EventPlatformHandler is configured; configure logging first, or give capture_events "
            "schema_base_uris and stream_config_uri"
        )
    return list(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve an embedded Kafka until standard input closes, which it does when the caller dies."""
    parser = argparse.ArgumentParser(prog="python -m eplogging.testing", description=main.__doc__)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("topics", nargs="*", metavar="TOPIC[:PARTITIONS]", help="created at the start")
    options = parser.parse_args(arguments)
    with MockKafka(options.brokers) as kafka:
        for topic in options.topics:
            name, _, partitions = topic.partition(":")
            kafka.create_topic(name, *([int(partitions)] if partitions else []))
        print(kafka.bootstrap_servers, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
