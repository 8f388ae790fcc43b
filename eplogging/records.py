"""From a log record to the event that it carries, if it carries one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from .conformance import ConfigurationError

Event = dict[str, Any]

FRAMEWORK_ATTRS = frozenset(
    {
        # CPython 3.12; OpenTelemetry; ddtrace; Elastic APM
        "taskName",
        "otelTraceID",
        "otelSpanID",
        "otelServiceName",
        "otelTraceSampled",
        "dd.trace_id",
        "dd.span_id",
        "dd.service",
        "dd.env",
        "dd.version",
        "elasticapm_transaction_id",
        "elasticapm_trace_id",
        "elasticapm_span_id",
        "elasticapm_service_name",
        "elasticapm_service_environment",
        "elasticapm_labels",
        "elasticapm_event_dataset",
        # Django; uvicorn; rich; asgi-correlation-id, django-guid and Celery
        "request",
        "status_code",
        "server_time",
        "color_message",
        "websocket",
        "markup",
        "highlighter",
        "correlation_id",
        "celery_current_id",
        "celery_parent_id",
    }
)
"""Attributes that filters and frameworks add to log records, and that are no fields of an event."""


class EventFormatter(JsonFormatter):
    """Takes the event out of a log record, and adds to it what it is configured to add.

    A record carries an event in one of three ways: as its fields side by side in `extra`, whole as
    `extra={"event": {...}}`, or as a dict in place of the log message. Each must name a `$schema`.
    Where `static_fields` name one, every record is an event.

    As the formatter of a `StreamHandler` it prints the event as JSON, and other records as
    python-json-logger's `JsonFormatter` does.

    Args:
        fmt: record attributes to add to each event, as `%(levelname)s %(message)s` or a list of
            names; `exc_info` and `stack_info` are added as text. None by default.
        datefmt: how `asctime` is written.
        style: of `fmt`.
        validate: whether `fmt` is checked against `style`.
        rename_fields: new names of record attributes; a dotted name is a path: `log.level`.
        static_fields: fields to set in each event that has none of its own by these names.
        ignored_attrs: names of further record attributes that are no fields of an event when its
            fields stand side by side, beside those that frameworks are known to add.
        **options: further options of `JsonFormatter`.

    Raises:
        ConfigurationError: an option of the wrong type.
    """

    def __init__(
        self,
        fmt: str | Sequence[str] | None = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,
        *,
        rename_fields: Mapping[str, str] | None = None,
        static_fields: Mapping[str, Any] | None = None,
        ignored_attrs: Iterable[str] = (),
        **options: Any,
    ) -> None:
        if isinstance(ignored_attrs, str):
            raise ConfigurationError(f"ignored_attrs must be a list of names; it is {ignored_attrs!r}")
        for name, given in (("rename_fields", rename_fields), ("static_fields", static_fields)):
            if given is not None and not isinstance(given, Mapping):
                raise ConfigurationError(f"{name} must be a mapping; it is {given!r}")
        super().__init__(
            [] if fmt is None else fmt, datefmt, style, validate, static_fields=static_fields, **options
        )
        renamed = rename_fields or {}
        self._renamed = {name: tuple(renamed[name].split(".")) for name in renamed}
        self._not_fields = self.reserved_attrs | FRAMEWORK_ATTRS | set(ignored_attrs)
        self._adds = bool(self._required_fields or self.static_fields)
        self._ordinary = JsonFormatter(
            fmt, datefmt, style, validate, rename_fields=rename_fields, static_fields=static_fields, **options
        )

    def event(self, record: logging.LogRecord) -> Event | None:
        """The event that a record carries, or None.

        Called from any thread, without a lock. Neither the record nor what it refers to is changed;
        the event may share parts with the record.
        """
        event = self._carried(record)
        if not self._adds:
            return event
        if event is None:
            if "$schema" not in self.static_fields:
                return None
            event = self._side_by_side(record)
        return merged(self._added(record), event)

    def format(self, record: logging.LogRecord) -> str:
        """The event as JSON; a record that carries none, as `JsonFormatter` formats it."""
        event = self.event(record)
        return self._ordinary.format(record) if event is None else self.serialize_log_record(event)

    def _carried(self, record: logging.LogRecord) -> Event | None:
        attributes = record.__dict__
        if "$schema" in attributes:
            return self._side_by_side(record)
        whole = attributes.get("event")
        if isinstance(whole, dict) and "$schema" in whole:
            return whole
        message: object = record.msg
        if isinstance(message, dict) and "$schema" in message:
            return message
        return None

    def _side_by_side(self, record: logging.LogRecord) -> Event:
        skipped = self._not_fields
        return {
            name: value for name, value in record.__dict__.items() if name not in skipped and name[:1] != "_"
        }

    def _added(self, record: logging.LogRecord) -> Event:
        """Static fields and the record attributes that `fmt` names, where the record has them."""
        added: Event = dict(self.static_fields)
        for name in self._required_fields:
            value = self._attribute(record, name)
            if value is not None:
                *parents, last = self._renamed.get(name, (name,))
                holder = added
                for parent in parents:
                    holder[parent] = holder = dict(holder.get(parent, {}))
                holder[last] = value
        return added

    def _attribute(self, record: logging.LogRecord, name: str) -> Any:
        if name == "message":
            return record.getMessage()
        if name == "asctime":
            return self.formatTime(record, self.datefmt)
        if name == "exc_info":
            return self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if name == "stack_info":
            return self.formatStack(record.stack_info) if record.stack_info else None
        return getattr(record, name, None)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Event:
    """`over`, with what it lacks from `under`; objects in both are merged."""
    result = dict(under)
    for name, value in over.items():
        below = result.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[name] = value
    return result
