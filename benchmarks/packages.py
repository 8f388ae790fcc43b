"""The yardsticks that are packages of others; the extra `bench` installs them.

Each returns what logs one event, and what waits until all are where they shall be.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

from .bareloops import producer_to
from .events import Event, topic_of
from .handlers import TEXT, ProducingHandler, logger_with, logging_with

Made = tuple[Callable[[Event], None], Callable[[float], object]]

# Room for a whole burst: by default the SDK keeps 2,048 records and drops the rest.
_OTEL_QUEUE = 200_000

# The version is named since kafka-python can not read the mock cluster's answer to its question for it.
_KAFKA_PYTHON = {"acks": "all", "enable_idempotence": True, "linger_ms": 5, "api_version": (2, 0)}


def structlog(bootstrap_servers: str, event: Event) -> Made:
    """Structlog's own advice for those who keep the standard library's handlers."""
    import structlog as package

    producer = producer_to(bootstrap_servers)
    handler = ProducingHandler(producer, topic_of(event))
    handler.setFormatter(
        package.stdlib.ProcessorFormatter(
            processors=[
                package.stdlib.ProcessorFormatter.remove_processors_meta,
                package.processors.JSONRenderer(),
            ]
        )
    )
    logger_with(handler)
    package.configure(
        processors=[
            package.stdlib.filter_by_level,
            package.stdlib.add_logger_name,
            package.stdlib.add_log_level,
            package.processors.TimeStamper(fmt="iso"),
            package.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=package.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logger: Any = package.get_logger("application")

    def log(event: Event) -> None:
        logger.info(TEXT, **event)

    return log, producer.flush


def opentelemetry(bootstrap_servers: str, event: Event) -> Made:
    """The SDK's handler and batch processor, before an exporter that does nothing."""
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import (
        BatchLogRecordProcessor,
        LogRecordExporter,
        LogRecordExportResult,
    )

    class NoExporter(LogRecordExporter):
        def export(self, batch: Any) -> LogRecordExportResult:
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None:
            """Has nothing to shut down."""

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return True

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(NoExporter(), max_queue_size=_OTEL_QUEUE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        handler = LoggingHandler(logger_provider=provider)
    return logging_with(handler), lambda timeout: provider.force_flush(int(timeout * 1000))


def loguru(bootstrap_servers: str, event: Event) -> Made:
    """Its queue and its serializer, before a sink that does nothing."""
    from loguru import logger

    logger.remove()
    logger.add(_ignore, enqueue=True, serialize=True)

    def log(event: Event) -> None:
        logger.bind(**event).info(TEXT)

    return log, lambda timeout: logger.complete()


def kafka_logging_handler(bootstrap_servers: str, event: Event) -> Made:
    from kafka_logger.handlers import KafkaLoggingHandler

    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        handler = KafkaLoggingHandler(
            bootstrap_servers,
            topic_of(event),
            security_protocol="PLAINTEXT",
            kafka_producer_args=_KAFKA_PYTHON,
            flush_buffer_size=1000,
            flush_interval=1.0,
        )
    if not handler.enabled:
        raise RuntimeError("kafka-logging-handler did not start")
    return logging_with(handler), lambda timeout: handler.flush()


def _ignore(message: str) -> None:
    """Takes what loguru has serialized, and leaves it."""
