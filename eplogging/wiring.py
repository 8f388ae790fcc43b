"""Makes the handler's parts of what it is configured with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from .configuration import DeliverySettings
from .conformance import ConfigurationError
from .conformance.settings import TOPIC_NAME
from .errorevents import ErrorEvents
from .redaction import Redaction
from .sinks import KafkaSink, Sink, StreamSink
from .sinks.kafkaconfiguration import DEFAULT_MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from .sinks.spooled import SpooledSink

ERROR_KEYWORDS = ("error_stream", "error_schema_uri", "emitter_id")


def max_message_bytes(kafka: Mapping[str, Any] | None) -> int:
    """Librdkafka's `message.max.bytes`.

    Raises:
        ConfigurationError: it is no number.
    """
    configured = (kafka or {}).get("message.max.bytes", DEFAULT_MAX_MESSAGE_BYTES)
    try:
        return int(configured)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"kafka: message.max.bytes must be a whole number; it is {configured!r}"
        ) from None


def _program_name() -> str:
    program = PurePath(sys.argv[0] if sys.argv else "")
    return (program.parent.name if program.stem == "__main__" else program.stem) or "python"


def make_sink(settings: DeliverySettings) -> Sink:
    """What `kafka` or `output` asks for.

    Raises:
        ConfigurationError: librdkafka does not take its configuration.
    """
    if settings.kafka is not None:
        return KafkaSink(settings.kafka, settings.queue_size, settings.queue_bytes)
    return StreamSink(str(settings.output))


def with_spool(sink: Sink, settings: DeliverySettings) -> SpooledSink:
    """The same sink behind the spool that `spool` asks for."""
    # Here, as whoever needs no spool need not wait for SQLite to be imported.
    from .sinks.spooled import SpooledSink
    from .spool import Spool

    return SpooledSink(
        sink,
        Spool(
            Path(settings.spool or ""),
            settings.spool_bytes,
            "FULL" if settings.durable == "fsync" else "NORMAL",
        ),
        durable=bool(settings.durable),
        spills=settings.spills,
        # The other half is for what the listener did not take yet.
        window=settings.queue_size // 2,
        window_bytes=settings.queue_bytes // 2,
    )


def make_error_events(options: Mapping[str, Any], max_bytes: int, redaction: Redaction) -> ErrorEvents | None:
    """What `error_stream` asks for; None if nothing.

    Raises:
        ConfigurationError: one of `ERROR_KEYWORDS` has a wrong value.
    """
    for name in ERROR_KEYWORDS:
        if not isinstance(options.get(name, ""), (str, type(None))):
            raise ConfigurationError(f"{name} must be a text; it is {options[name]!r}")
    stream = options.get("error_stream")
    if not stream:
        return None
    if not TOPIC_NAME.fullmatch(stream):
        raise ConfigurationError(
            f"error_stream can name no stream: {stream!r}; use letters, digits, '.', '_', '-'"
        )
    emitter_id = options.get("emitter_id") or _program_name()
    schema_uri = options.get("error_schema_uri") or "/error/2.1.0"
    return ErrorEvents(stream, schema_uri, emitter_id, max_bytes, redaction)
