"""The conformance core: makes an event satisfy R1 to R8, or says why it can not.

`Conformer.conform` is the one way from an event to a message, for the caller's thread, for the
listener and for users who have no logging at all.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Literal

from . import fields, jsondata
from .accelerated import make_warm_path
from .conversions import as_dict, class_name
from .errors import (
    ConfigurationError,
    ConformanceError,
    MessageTooLargeError,
    NotJSONError,
    SchemaTitleError,
    SchemaURIError,
    StreamNameError,
    ValidationError,
    Violation,
)
from .forking import imported
from .message import Message, check_size, instant_at, message_key
from .resources import Reader
from .schemas import Schema, Schemas
from .serialization import Writer, fast_writer
from .settings import Stream
from .streams import Source, Streams

_call: Callable[..., Any] = getattr(operator, "call", lambda function, event: function(event))
"""Of Python 3.11 and later it is written in C; before, another thread may run between two calls of it."""

_WORDIER = 3
"""How many times as long what `fast_writer` writes may be as `JSON.stringify` has it: -0.0 is 0 there."""

_new = tuple.__new__  # what a NamedTuple's own constructor calls
_MAX_TEXT = 1_900
_META_DT = ("meta", "dt")
_MAX_AHEAD = 3_600_000
"""Milliseconds that a message timestamp may be in the future: what Kafka's brokers allow by default."""


class Conformer:
    """Turns events into messages.

    Safe from any thread. Schemas and stream configs are looked up when an event first needs them
    and kept; only then does `conform` wait for a file or a server.

    Args:
        schema_base_uris: schema repositories in order of look-up: paths, `file://` or `http(s)://`.
        stream_config_uri: where stream configs are: a path, a URL, a mapping, or a list of these.
        schema_file_extension: such as `.yaml`; tried after the bare schema URI.
        schema_precache_uris: schema URIs that `precache` looks up; they may be without a version.
        allow_absolute_schema_uris: whether `$schema` may be a `http(s)://` URI.
        allow_insecure_schemas: whether schemas that could make validation slow are used.
        stream_config_ttl: seconds after which stream configs are asked for again.
        stream_config_retries: how often a source that gave no good answer is asked again at once.
        http: options of every look-up over HTTP: `headers`, `timeout`, `verify`, `cert`, `proxies`.
        topic_prefix: the datacenter, such as `eqiad.`.
        dt_field: dotted path of the field that becomes the message timestamp.
        max_message_bytes: librdkafka's `message.max.bytes`.
        validator: `jsonschema` or `jsonschema-rs`; the faster one that is installed, if not given.

    Raises:
        ConfigurationError: a location that can not be read, or a wrong option.
    """

    def __init__(
        self,
        schema_base_uris: Iterable[str | os.PathLike[str]],
        stream_config_uri: Source | Iterable[Source],
        *,
        schema_file_extension: str | None = None,
        schema_precache_uris: Iterable[str] = (),
        allow_absolute_schema_uris: bool = False,
        allow_insecure_schemas: bool = False,
        stream_config_ttl: float = 300.0,
        stream_config_retries: int = 3,
        http: Mapping[str, Any] | None = None,
        topic_prefix: str | None = None,
        dt_field: str = "meta.dt",
        max_message_bytes: int = 1_000_000,
        validator: Literal["jsonschema", "jsonschema-rs"] | None = None,
    ) -> None:
        _check_validator(validator)
        self._reader = reader = Reader(http)
        self._precache_uris = tuple(schema_precache_uris)
        self._schemas = Schemas(
            [schema_base_uris] if isinstance(schema_base_uris, (str, os.PathLike)) else schema_base_uris,
            reader,
            file_extension=schema_file_extension,
            allow_absolute=allow_absolute_schema_uris,
            allow_insecure=allow_insecure_schemas,
            opted_in=self._precache_uris,
            implementation=validator,
        )
        self._streams = Streams(
            stream_config_uri,
            reader,
            topic_prefix=topic_prefix,
            ttl=stream_config_ttl,
            retries=stream_config_retries,
        )
        self._dt_path = tuple(dt_field.split("."))
        self._max_message_bytes = max_message_bytes
        # Imported here, and not by the first look-up: an interpreter that ends in the midst of it is aborted.
        self.conforms_fast = validator != "jsonschema" and _imports_fast()
        """Whether most events take microseconds, so that a caller's own thread may well conform them."""
        self.warm = (
            make_warm_path(self._schemas, self._streams, self._dt_path, max_message_bytes, _MAX_AHEAD)
            if self.conforms_fast
            else None
        )
        """`conform` for what is known and has no fault, in C; None where it was not built."""

    def conform(
        self,
        event: Mapping[str, Any],
        *,
        event_time: datetime | float | None = None,
        event_id: str | None = None,
        bound: Mapping[str, Any] | None = None,
        cached_only: bool = False,
    ) -> Message:
        """Makes an event a message (R1 to R8).

        Args:
            event: the event; it is not changed.
            event_time: when it happened (a `datetime` with a zone, or seconds since the epoch), for
                an event that has no `dt`; now, if not given.
            event_id: the `meta.id` of an event that has none; a random UUID, if not given.
            bound: fields to set where the schema declares them and the event has none of its own.
            cached_only: look nothing up: then the call neither waits nor takes a lock.

        Returns:
            The message.

        Raises:
            RejectedError: the event can never be sent as it is; the subclass says why.
            UnavailableError: a look-up got no answer, or (`NotCachedError`) is needed and not allowed.
            ValueError: `event_time` names no instant.
        """
        message: Message | Literal[False] | None = None
        if self.warm is not None and event_id is None and (cached_only or not self._streams.has_old_answer()):
            message = self.warm(event, event_time, bound, False)
            if message:
                return message
        if type(event) is not dict:
            event = _object(event)
        schema_uri, stream_name = identify(event)
        try:
            schema = self._schemas.get(schema_uri, cached_only=cached_only)  # R1
            filled = fields.fill(event, schema.rules, event_time, bound, event_id)  # R4, R5
            stream = self._streams.get(stream_name, cached_only=cached_only)  # R2
            if stream.schema_title != schema.title:  # R3
                raise SchemaTitleError(_wrong_title(stream, schema, schema_uri))
            valid, value, write = self._validated(filled, schema, was_judged=message is False)  # R6
            key = message_key(valid, stream.key_fields, write)  # R7
            check_size(value, key, self._max_message_bytes)
        except ConformanceError as error:
            error.schema_uri, error.stream = schema_uri, stream_name
            raise
        except RecursionError:
            raise NotJSONError(
                "the event, or what its schema asks of it, is nested too deep for this place in the program; "
                "send a flatter event",
                schema_uri=schema_uri,
                stream=stream_name,
            ) from None
        timestamp = self._timestamp(filled, valid)
        return _new(Message, (stream.topic, key, value, timestamp, stream.name))  # R8

    def _validated(
        self, filled: fields.Filled, schema: Schema, *, was_judged: bool
    ) -> tuple[dict[str, Any], bytes, Writer]:
        """The event with its schema's defaults, valid, beside its bytes and what writes parts of it."""
        event = filled.event
        # The short way, unless it was gone in C.
        if schema.vouches is not None and filled.has_real_instants and not was_judged:
            try:
                if schema.fill_defaults is not None:
                    event = schema.fill_defaults(event)
                # Written first, as that bounds the depth that the validator walks through; and both in one go
                # within C, so that no other thread changes the event in between.
                value, is_good = map(_call, (fast_writer, schema.vouches), (event, event))
                if is_good:
                    return event, value, fast_writer
                if len(value) > _WORDIER * self._max_message_bytes:
                    check_size(value, None, self._max_message_bytes)  # it is not looked at a second time
            except (TypeError, ValueError, RecursionError):
                pass  # the careful way tells what is wrong, and where
        return self._validated_with_care(filled.event, schema)

    def _validated_with_care(
        self, event: dict[str, Any], schema: Schema
    ) -> tuple[dict[str, Any], bytes, Writer]:
        """Likewise, for an event that may hold anything: it is copied, and told what is wrong with it."""
        event = self._completed(event, schema)
        value = jsondata.stringify(event)
        check_size(value, None, self._max_message_bytes)  # first: too large is not worth a description
        violations = _violations(event, schema)
        if violations:
            raise ValidationError(_text(event, violations), violations=violations)
        return event, value, jsondata.stringify

    def _completed(self, event: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        """A plain copy of the event, with its schema's defaults."""
        copy: dict[str, Any] = jsondata.plain(event, self._max_message_bytes)
        if schema.fill_defaults is None:
            return copy
        filled = schema.fill_defaults(copy)
        if filled is not copy:
            jsondata.refuse_depth(filled)  # each default can be sent by itself
        return filled

    def _timestamp(self, filled: fields.Filled, event: Mapping[str, Any]) -> int:
        """The message timestamp: the instant of `dt_field`; where there is none, the ingestion time.

        So does an event whose instant is before 1970, which Kafka has no timestamp for, or more
        than an hour ahead: brokers refuse it, or keep the topic's segment until then.
        """
        instant = filled.meta_dt if self._dt_path == _META_DT else instant_at(event, self._dt_path)
        return filled.now if instant is None or not 0 <= instant <= filled.now + _MAX_AHEAD else instant

    def violations(self, event: Mapping[str, Any]) -> list[Violation]:
        """Judges an event as it stands, with its schema's defaults; sets no field, asks no stream config.

        Raises:
            ConformanceError: no schema can be had.
        """
        event = _object(event)
        schema = self._schemas.get(_schema_uri(event))
        try:
            return _violations(self._completed(event, schema), schema)
        except (NotJSONError, MessageTooLargeError) as error:
            return [Violation("", "json", str(error))]

    def precache(self) -> list[ConformanceError]:
        """Looks up `schema_precache_uris` and the stream configs; may wait for each.

        Returns:
            What could not be had.
        """
        failed: list[ConformanceError] = []
        for uri in self._precache_uris:
            try:
                self._schemas.get(uri)
            except ConformanceError as error:
                failed.append(error)
        self._streams.refresh()
        return failed

    def look_up(self, event: Mapping[str, Any]) -> None:
        """Looks up what an event needs and is not cached yet; may wait.

        Raises:
            ConformanceError: as `conform` does for its look-ups.
        """
        schema_uri, stream = identify(_object(event))
        self._schemas.get(schema_uri)
        self._streams.get(stream)

    def hurry(self, deadline: float) -> None:
        """Lets no look-up over HTTP last beyond a deadline (of `time.monotonic`), for a process that ends."""
        self._reader.deadline = deadline

    def refresh_due(self) -> bool:
        """Whether `refresh` has something to do; does not wait."""
        return self._streams.refresh_due()

    def refresh(self) -> None:
        """Asks for stream configs again whose time to live is over; may wait."""
        self._streams.refresh()


def _imports_fast() -> bool:
    return find_spec("jsonschema_rs") is not None and bool(imported("jsonschema_rs"))


def _check_validator(name: str | None) -> None:
    if name not in (None, "jsonschema", "jsonschema-rs"):
        raise ConfigurationError(f"validator: {name!r} is unknown; use jsonschema or jsonschema-rs")
    if name == "jsonschema-rs" and find_spec("jsonschema_rs") is None:
        raise ConfigurationError("validator: jsonschema-rs is not installed; install eplogging[fast]")


def _object(event: Any) -> Mapping[str, Any]:
    """The event as a dict, with no code of others behind it.

    Raises:
        NotJSONError: the event is no JSON object.
    """
    if type(event) is dict:
        return event
    found = as_dict(event)
    if found is None:
        name = class_name(event)
        raise NotJSONError(f"the event is of type {name}; an event is a JSON object: give a dict")
    return jsondata.members(found)


def identify(event: Mapping[str, Any]) -> tuple[str, str]:
    """The event's `$schema` and `meta.stream`.

    Raises:
        SchemaURIError: `$schema` is missing, empty or no string.
        StreamNameError: `meta` is no object, or `meta.stream` is missing, empty or no string.
    """
    schema_uri = event.get("$schema")
    if type(schema_uri) is not str or not schema_uri:
        schema_uri = _schema_uri(event)
    meta: Any = event.get("meta")
    stream = meta.get("stream") if type(meta) is dict else None
    if type(stream) is not str:
        stream = jsondata.text_of(dict.get(meta, "stream")) if issubclass(type(meta), dict) else None
    if not stream:
        raise StreamNameError(
            'the event names no stream; set meta.stream to a stream name, such as "meta": '
            '{"stream": "test.event"}',
            schema_uri=schema_uri,
        )
    return schema_uri, stream


def _schema_uri(event: Mapping[str, Any]) -> str:
    schema_uri = jsondata.text_of(event.get("$schema"))
    if not schema_uri:
        raise SchemaURIError(
            "the event names no schema; set $schema to a schema URI, such as /test/event/1.0.0",
        )
    return schema_uri


def _wrong_title(stream: Stream, schema: Schema, schema_uri: str) -> str:
    return (
        f"the stream {stream.name} allows only events of the schema title {stream.schema_title!r}, and "
        f"{schema_uri} has the title {schema.title!r}; check the event's $schema and meta.stream"
    )


def _violations(event: dict[str, Any], schema: Schema) -> list[Violation]:
    violations = list(schema.compiled.violations(event))
    places = {violation.path for violation in violations}
    return violations + [found for found in fields.impossible_instants(event) if found.path not in places]


def _text(event: Mapping[str, Any], violations: list[Violation]) -> str:
    text = f"the event is not valid under its schema {event['$schema']}"
    for number, violation in enumerate(map(str, violations)):
        if len(text) + len(violation) > _MAX_TEXT:
            return f"{text}; and {len(violations) - number} more"
        text += f"{'; ' if number else ': '}{violation}"
    return text
