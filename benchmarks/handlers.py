"""The logging side that contenders share: the call, and a handler as applications write their own."""

from __future__ import annotations

import logging
from collections.abc import Callable

from confluent_kafka import Producer

from .events import Event

TEXT = "product changed"


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger("application")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.handlers = [handler]
    return logger


def logging_with(handler: logging.Handler) -> Callable[[Event], None]:
    """The call that an application makes."""
    info = logger_with(handler).info

    def log(event: Event) -> None:
        info(TEXT, extra=event)

    return log


class ProducingHandler(logging.Handler):
    """A handler as many write it: `produce` in `emit`, with a poll for what was acknowledged."""

    def __init__(self, producer: Producer, topic: str) -> None:
        super().__init__()
        self._producer, self._topic = producer, topic

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._producer.produce(self._topic, self.format(record))
            self._producer.poll(0)
        except Exception:
            self.handleError(record)


def json_formatter(name: str) -> logging.Formatter:
    if name == "orjson":
        from pythonjsonlogger.orjson import OrjsonFormatter

        return OrjsonFormatter()
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter()
