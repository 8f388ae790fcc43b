"""What Kafka gets of an event: topic, key, value and timestamp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import instants
from .errors import MessageKeyError, MessageTooLargeError
from .serialization import Writer

OVERHEAD = 36
"""Bytes that librdkafka adds to key and value before it compares with `message.max.bytes`: the most that
Kafka's format puts around a message."""

KeyFields = tuple[tuple[str, tuple[str, ...]], ...]
"""`message_key_fields` in order: the name in the key, and the names on the way to the value."""


class Message(NamedTuple):
    """One message for Kafka.

    Attributes:
        topic: the name of the topic.
        key: the message key as compact JSON, or None where the stream has no `message_key_fields`.
        value: the event as compact JSON, UTF-8.
        timestamp: milliseconds since the epoch.
        stream: the name of the stream, `meta.stream`.
    """

    topic: str
    key: bytes | None
    value: bytes
    timestamp: int
    stream: str

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.value) + len(self.key or b"")


def message_key(event: Mapping[str, Any], key_fields: KeyFields, write: Writer) -> bytes | None:
    """Hoists `message_key_fields` into the message key (R7).

    Raises:
        MessageKeyError: the event has no value at one of the paths.
    """
    if not key_fields:
        return None
    key = {}
    for name, path in key_fields:
        value: Any = event
        for part in path:
            if type(value) is not dict or part not in value:
                raise MessageKeyError(
                    f"the stream's message_key_fields ask for {'.'.join(path)!r} (as {name!r} in the "
                    "message key), "
                    "and the event has no such field; set it in every event of this stream"
                )
            value = value[part]
        key[name] = value
    try:
        return write(key)
    except TypeError as error:
        raise MessageKeyError(
            "another thread put something else into the event where its message key comes from, after it was "
            "validated; give each event objects of its own"
        ) from error


def instant_at(event: Mapping[str, Any], path: tuple[str, ...]) -> int | None:
    """The instant at a path (`dt_field`) in milliseconds since the epoch, or None where there is none."""
    value: Any = event
    for part in path:
        if type(value) is not dict or part not in value:
            return None
        value = value[part]
    try:
        return instants.parse(value) if type(value) is str else None
    except ValueError:
        return None


def check_size(value: bytes, key: bytes | None, max_bytes: int) -> None:
    """Refuses what librdkafka would refuse.

    Raises:
        MessageTooLargeError: key, value and `OVERHEAD` together exceed `max_bytes`.
    """
    size = len(value) + len(key or b"") + OVERHEAD
    if size > max_bytes:
        raise MessageTooLargeError(
            f"the message takes {size:,} bytes ({OVERHEAD} of them around key and value), and "
            f"message.max.bytes allows {max_bytes:,}; send less in one event, or raise message.max.bytes "
            "here, on the topic and on the brokers"
        )
