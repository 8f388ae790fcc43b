"""Everyone who is given the same events: eplogging in its variants, the floor, and the yardsticks.

A contender is made in a process of its own. Each that sends to Kafka is configured alike.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from logging.handlers import QueueHandler, QueueListener
from queue import Queue
from typing import Any, NamedTuple

from confluent_kafka import Producer

from eplogging import EventPlatformHandler
from eplogging.sinks import Sink

from . import bareloops, packages
from .bareloops import FLUSH_TIMEOUT, KAFKA
from .events import EXTENSION, PREFIX, SCHEMAS, STREAMS, Event, topic_of
from .handlers import ProducingHandler, json_formatter, logging_with
from .sinks import HeldSink, NullSink


class Contender(NamedTuple):
    """One who is given events.

    Attributes:
        log: gives it one event.
        finish: waits, at most so many seconds, until all are acknowledged.
        handler: eplogging's, where it is one of ours.
    """

    log: Callable[[Event], None]
    finish: Callable[[float], object]
    handler: EventPlatformHandler | None = None


Maker = Callable[[str, Event], Contender]


def make(name: str, bootstrap_servers: str, event: Event) -> Contender:
    return CONTENDERS[name](bootstrap_servers, event)


def ours(bootstrap_servers: str, event: Event, *, sink: Sink | None = None, **options: Any) -> Contender:
    target: dict[str, Any] = (
        {"kafka": {"bootstrap.servers": bootstrap_servers, **KAFKA}} if sink is None else {"sink": sink}
    )
    handler = EventPlatformHandler(
        **{
            "schema_base_uris": [str(SCHEMAS)],
            "schema_file_extension": EXTENSION,
            "stream_config_uri": STREAMS,
            "schema_precache_uris": [event["$schema"]],
            "topic_prefix": PREFIX,
            "flush_timeout": FLUSH_TIMEOUT,
            **target,
            **options,
        }
    )
    return Contender(logging_with(handler), handler.flush, handler)


def _ours_to_nowhere(bootstrap_servers: str, event: Event) -> Contender:
    return ours(bootstrap_servers, event, sink=NullSink())


def _ours_held(bootstrap_servers: str, event: Event, *, deferred: bool) -> Contender:
    """Nothing runs beside the caller: the listener is held once it has its first message."""
    release = threading.Event()
    contender = ours(bootstrap_servers, event, sink=HeldSink(release), queue_size=10_000_000)
    assert contender.handler is not None
    contender.handler._conformer.conforms_fast = not deferred  # as without the extra `fast`
    contender.handler._shorten()
    handler = contender.handler

    def finish(timeout: float) -> None:
        release.set()
        handler.close()

    return Contender(contender.log, finish, handler)


def _synchronous(formatter: str) -> Maker:
    def made(bootstrap_servers: str, event: Event) -> Contender:
        producer = bareloops.producer_to(bootstrap_servers)
        handler = ProducingHandler(producer, topic_of(event))
        handler.setFormatter(json_formatter(formatter))
        return Contender(logging_with(handler), producer.flush)

    return made


def _stdlib_queue(formatter: str) -> Maker:
    def made(bootstrap_servers: str, event: Event) -> Contender:
        producer = bareloops.producer_to(bootstrap_servers)
        target = ProducingHandler(producer, topic_of(event))
        target.setFormatter(json_formatter(formatter))
        queue: Queue[Any] = Queue(-1)
        listener = QueueListener(queue, target)
        listener.start()

        def finish(timeout: float) -> None:
            listener.stop()  # returns when the queue is empty
            producer.flush(timeout)
            listener.start()

        return Contender(logging_with(QueueHandler(queue)), finish)

    return made


def _stdlib_queue_held(bootstrap_servers: str, event: Event) -> Contender:
    return Contender(logging_with(QueueHandler(Queue(-1))), _nothing)


def _floor(bootstrap_servers: str, event: Event) -> Contender:
    return Contender(logging_with(logging.NullHandler()), _nothing)


def _bare(loop: Callable[[Producer, Event], Callable[[Event], None]]) -> Maker:
    def made(bootstrap_servers: str, event: Event) -> Contender:
        producer = bareloops.producer_to(bootstrap_servers)
        return Contender(loop(producer, event), producer.flush)

    return made


def _package(made_by: Callable[[str, Event], packages.Made]) -> Maker:
    return lambda bootstrap_servers, event: Contender(*made_by(bootstrap_servers, event))


def _nothing(timeout: float) -> None:
    """Has nothing to wait for."""


CONTENDERS: dict[str, Maker] = {
    "eplogging": ours,
    "eplogging, to nowhere": _ours_to_nowhere,
    "eplogging, listener held": lambda to, event: _ours_held(to, event, deferred=False),
    "eplogging, deferred, listener held": lambda to, event: _ours_held(to, event, deferred=True),
    "logger.info + NullHandler": _floor,
    "tuned bare loop": _bare(bareloops.tuned_loop),
    "plain bare loop": _bare(lambda p, e: bareloops.plain_loop(p, e, bareloops.rust_is_valid(e))),
    "plain bare loop, jsonschema": _bare(
        lambda p, e: bareloops.plain_loop(p, e, bareloops.python_is_valid(e))
    ),
    "OrjsonFormatter + produce": _synchronous("orjson"),
    "JsonFormatter + produce": _synchronous("json"),
    "stdlib queue + OrjsonFormatter + produce": _stdlib_queue("orjson"),
    "stdlib queue + JsonFormatter + produce": _stdlib_queue("json"),
    "stdlib QueueHandler, no listener": _stdlib_queue_held,
    "structlog + produce": _package(packages.structlog),
    "OpenTelemetry SDK, no export": _package(packages.opentelemetry),
    "loguru, no Kafka": _package(packages.loguru),
    "kafka-logging-handler": _package(packages.kafka_logging_handler),
}
