"""From a log record to the event that it carries, if it carries one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from .conformance import ConfigurationError, MessageTooLargeError, NotJSONError
from .conformance.accelerated import selected
from .conformance.conversions import as_dict, class_name
from .conformance.fields import with_written_instants
from .conformance.jsondata import key, plain
from .options import plain_options

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


_OPTIONS = (
    "prefix",
    "json_indent",
    "json_ensure_ascii",
    "reserved_attrs",
    "exc_info_as_array",
    "stack_info_as_array",
)
"""Those options of `JsonFormatter` that mean something for an event, or for how it is printed."""


_IDENTITY = ("stream", "id", "dt")
_MAX_NAMES = 1_000
_MAX_SHOWN = 1_000_000
"""Bytes of JSON of an ordinary record's extra, beyond which it shows as its class."""


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
        **options: further options of `JsonFormatter`: `prefix`, `json_indent` and `json_ensure_ascii` for
            printing, `reserved_attrs`, `exc_info_as_array`, `stack_info_as_array`.

    Raises:
        ConfigurationError: an option of the wrong type, or one that could have no effect.
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
        for name in options:
            if name not in _OPTIONS:
                raise ConfigurationError(
                    f"EventFormatter: the option {name!r} would have no effect on events; leave it out, or "
                    "use static_fields, fmt and rename_fields"
                )
        # Those of `dictConfig` resolve `ext://` when they are accessed.
        static_fields = plain_options(static_fields or {})
        super().__init__(
            [] if fmt is None else fmt, datefmt, style, validate, static_fields=static_fields, **options
        )
        renamed = rename_fields or {}
        self._renamed = {name: tuple(renamed[name].split(".")) for name in renamed}
        for name, path in self._renamed.items():
            _check_path(name, path, static_fields)
        self.is_field = _FieldNames(self.reserved_attrs | FRAMEWORK_ATTRS | set(ignored_attrs))
        self.adds = bool(self._required_fields or self.static_fields)
        self._ordinary = JsonFormatter(
            fmt, datefmt, style, validate, rename_fields=rename_fields, static_fields=static_fields, **options
        )

    def event(self, record: logging.LogRecord) -> Event | None:
        """The event that a record carries, or None.

        Called from any thread, without a lock. Neither the record nor what it refers to is changed;
        the event may share parts with the record.
        """
        attributes = record.__dict__
        event = None
        if selected is not None and "$schema" in attributes:
            event = selected(attributes, self.is_field)
        if event is None:
            event = self._carried(record)
        if not self.adds:
            return event
        if event is None:
            if "$schema" not in self.static_fields:
                return None
            return merged(self._added(record), self._ordinary_fields(record))
        return merged(self._added(record), event)

    def format(self, record: logging.LogRecord) -> str:
        """The event as JSON; a record that carries none, as `JsonFormatter` formats it."""
        event = self.event(record)
        if event is None:
            return self._ordinary.format(record)
        with suppress(NotJSONError, MessageTooLargeError):  # it is rejected, and printed as far as it can be
            event = plain(with_written_instants(event))
        return self.serialize_log_record(event)

    def _carried(self, record: logging.LogRecord) -> Event | None:
        attributes = record.__dict__
        if "$schema" in attributes:
            return self._side_by_side(record)
        # By their real classes: either may be any object, and what it claims to be is code of others.
        whole = attributes.get("event")
        if whole is not None and (event := as_dict(whole)) is not None and _names_schema(event):
            return event
        message: Any = record.msg
        return message if issubclass(type(message), dict) and _names_schema(message) else None

    def _side_by_side(self, record: logging.LogRecord) -> Event:
        is_field = self.is_field
        return {name: value for name, value in record.__dict__.items() if is_field[name]}

    def _ordinary_fields(self, record: logging.LogRecord) -> Event:
        """The extras of a record that was never meant to be an event.

        They do not change which event it is or when it happened, and what JSON has no form for shows as its
        class: a line of an application that knows nothing of events is not lost for it.
        """
        extras = {
            name: _showable(value)
            for name, value in self._side_by_side(record).items()
            if name not in ("$schema", "dt")
        }
        meta = extras.pop("meta", None)
        if type(meta) is dict:
            extras["meta"] = {name: value for name, value in meta.items() if name not in _IDENTITY}
        return extras

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
            message: Any = record.msg
            if issubclass(type(message), dict) and _names_schema(message):
                return None  # it is the event itself
            return record.getMessage().encode(errors="replace").decode()
        if name == "asctime":
            return self.formatTime(record, self.datefmt)
        if name == "exc_info":
            return self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if name == "stack_info":
            return self.formatStack(record.stack_info) if record.stack_info else None
        return getattr(record, name, None)


class _FieldNames(dict[Any, bool]):
    """Which attributes of a record are fields of an event; worked out once for each name."""

    def __init__(self, not_fields: Iterable[str]) -> None:
        self._not_fields = frozenset(not_fields)

    def __missing__(self, name: Any) -> bool:
        if type(name) is not str:
            return True  # no attribute of anybody's: the event is refused for it, with the place
        is_field = name not in self._not_fields and name[:1] != "_"
        if len(self) < _MAX_NAMES:
            self[name] = is_field
        return is_field


def _names_schema(event: Any) -> bool:
    return dict.__contains__(event, "$schema")


def _showable(value: Any) -> Any:
    try:
        return plain(value, _MAX_SHOWN)
    except (NotJSONError, MessageTooLargeError):
        return f"<{class_name(value)}>"


def _check_path(name: str, path: tuple[str, ...], static_fields: Mapping[str, Any]) -> None:
    holder: Any = static_fields
    for parent in path[:-1]:
        holder = holder.get(parent, {})
        if not isinstance(holder, Mapping):
            raise ConfigurationError(
                f"rename_fields: {name} can not become {'.'.join(path)}, since static_fields has a value "
                f"at {parent} that is no object"
            )


def merged(under: Mapping[str, Any], over: dict[str, Any]) -> Event:
    """`over`, with what it lacks from `under`; objects in both are merged.

    Where `over` has a key that can not be sent, it is returned as it is, to be refused: to look such a key up
    would be to call methods of its class.
    """
    result = dict(under)
    for name, value in list(dict.items(over)):  # another thread may change it meanwhile
        if type(name) is not str:
            try:
                name = key(name)
            except NotJSONError:
                return over
        below = result.get(name)
        if type(below) is dict and issubclass(type(value), dict):
            value = merged(below, value)
        result[name] = value
    return result
