"""A rejected event as an event of its own, on a stream for errors, so that it can be looked at and mended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .conformance import ConformanceError, Message
from .conformance.conversions import class_name, ids_of
from .conformance.jsondata import plain, stringify, text_of
from .conformance.secrets import REDACTED
from .items import stream_of
from .redaction import NO_REDACTION, SCHEMA, STREAM, Redaction
from .reports import MAX_TEXT

MAX_RAW_EVENT = 200_000
"""Characters of the original that are kept: an error event must fit where the original did not."""

_PLAIN_TIMES = 10
"""How many times as much is made JSON, to be cut off; what is larger yet is shown piece by piece."""


class ErrorEvents:
    """Makes error events.

    Args:
        stream: the stream they go to; also an attribute.
        schema_uri: their `$schema`; by default EventGate's `/error/2.1.0`.
        emitter_id: what tells this application from others.
        max_message_bytes: what an error event must fit in, however little of the original does then.
        redaction: the fields that `raw_event` shall not show.
    """

    def __init__(
        self,
        stream: str,
        schema_uri: str,
        emitter_id: str,
        max_message_bytes: int = 1_000_000,
        redaction: Redaction = NO_REDACTION,
    ) -> None:
        self._redaction = redaction
        self.stream = stream
        self._schema_uri = schema_uri
        self._emitter_id = emitter_id
        self._max_raw_event = min(MAX_RAW_EVENT, max_message_bytes // 5)

    def make(self, event: Mapping[str, Any], error: ConformanceError) -> dict[str, Any]:
        """The error event of a rejected event; never raises, whatever the event holds."""
        return self._made(event, stream_of(event), type(error).__name__, str(error))

    def of_message(self, message: Message, reason: str, error: str) -> dict[str, Any]:
        """The error event of a message that a broker refused."""
        event: dict[str, Any] = json.loads(message.value)
        return self._made(event, message.stream, reason, error)

    def _made(self, event: Mapping[str, Any], stream: str, error_type: str, text: str) -> dict[str, Any]:
        found: Any = event
        return {
            "$schema": self._schema_uri,
            "meta": {"stream": self.stream},
            "emitter_id": self._emitter_id,
            "error_type": error_type,
            "errored_schema_uri": self._redaction.shown(SCHEMA, _text(dict.get(found, "$schema"))),
            "errored_stream_name": self._redaction.shown(STREAM, _text(stream)),
            "message": _text(text),
            "raw_event": raw_event(event, self._max_raw_event, self._redaction),
        }


def raw_event(
    event: Mapping[str, Any], limit: int = MAX_RAW_EVENT, redaction: Redaction = NO_REDACTION
) -> str:
    """The original as JSON; where JSON has no form for it, as Python shows its plain parts."""
    try:
        raw = stringify(redaction.event(plain(event, _PLAIN_TIMES * limit))).decode()
    except Exception:
        raw = _Showing(limit, redaction).text(event)
    return raw if len(raw) <= limit else raw[:limit] + "..."


class _Showing:
    """Shows what no JSON can: calls no method of a foreign class, and ends soon, whatever contains what."""

    def __init__(self, limit: int, redaction: Redaction) -> None:
        self._left = limit
        self._redaction = redaction

    def text(self, value: Any, names: tuple[str, ...] = (), depth: int = 0) -> str:
        """A value, with the names of objects' members on the way to it."""
        if depth > 8 or self._left <= 0:
            return "..."
        if names and self._redaction.hides(names):
            return REDACTED
        if issubclass(type(value), dict):
            return self._object(list(dict.items(value)), names, depth + 1)
        if type(value) is list or type(value) is tuple:
            return "[" + ", ".join(self._items(value, names, depth + 1)) + "]"
        shown = _scalar(value, self._left)
        self._left -= len(shown)
        return shown

    def _object(self, members: list[tuple[Any, Any]], names: tuple[str, ...], depth: int) -> str:
        if self._redaction.names_any and any(text_of(name) is None for name, _ in members):
            return REDACTED  # what is no text may stand for the name of any field
        return "{" + ", ".join(self._members(members, names, depth)) + "}"

    def _members(self, members: list[tuple[Any, Any]], names: tuple[str, ...], depth: int) -> Iterator[str]:
        for name, value in members:
            if self._left <= 0:
                return
            key = text_of(name) or ""
            yield f"{self.text(name, (), depth)}: {self.text(value, (*names, key), depth)}"

    def _items(self, items: Iterable[Any], names: tuple[str, ...], depth: int) -> Iterator[str]:
        for item in items:
            self._left -= 2
            if self._left <= 0:
                return
            yield self.text(item, names, depth)


_CUT, _SHOWN = ids_of(str, bytes), ids_of(int, float, bool, type(None))


def _scalar(value: Any, limit: int) -> str:
    if type(value) is int and value.bit_length() > 10_000:
        return "<int>"
    kind = id(type(value))
    if kind in _CUT:
        return ascii(value[:limit])
    if kind in _SHOWN:
        return ascii(value)
    return f"<{class_name(value)}>"


def _text(value: Any) -> str:
    return (text_of(value) or "")[:MAX_TEXT].encode(errors="replace").decode()
