"""Messages and deferred events as bytes for the disk, and back: in a form that no reader has to trust."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterable
from typing import Any, TypeVar

from ..conformance import Message
from ..conformance.fields import new_id, with_written_instants
from ..conformance.jsondata import plain
from ..items import Deferred, defer
from ..reports import CallSite

CHUNK = 1000
_CHUNK_BYTES = 4 * 1024 * 1024
"""Messages, and bytes, that are written in one transaction."""

_Sized = TypeVar("_Sized", Message, Deferred, Message | Deferred)

_KIND = struct.Struct(">BQ")
_MESSAGE = struct.Struct(">qHHi")
_IS_MESSAGE, _IS_DEFERRED = 1, 2


def encode(item: Message | Deferred) -> bytes:
    """An item as bytes.

    Raises:
        ValueError, TypeError: a deferred event that JSON has no form for.
    """
    stored_at = int(time.time() * 1000)
    if isinstance(item, Deferred):
        return _KIND.pack(_IS_DEFERRED, stored_at) + _deferred(item)
    topic, stream, key = item.topic.encode(), item.stream.encode(), item.key
    head = _MESSAGE.pack(item.timestamp, len(topic), len(stream), -1 if key is None else len(key))
    return b"".join((_KIND.pack(_IS_MESSAGE, stored_at), head, topic, stream, key or b"", item.value))


def decode(record: bytes) -> Message | Deferred:
    """An item from what `encode` made of it.

    Raises:
        ValueError, KeyError, TypeError, struct.error: it made no such thing.
    """
    kind, _ = _KIND.unpack_from(record)
    if kind == _IS_DEFERRED:
        return _restored(json.loads(record[_KIND.size :]))
    if kind != _IS_MESSAGE:
        raise ValueError(f"a record of an unknown kind, {kind}")
    timestamp, topic_size, stream_size, key_size = _MESSAGE.unpack_from(record, _KIND.size)
    topic_at = _KIND.size + _MESSAGE.size
    stream_at = topic_at + topic_size
    key_at = stream_at + stream_size
    value_at = key_at + max(key_size, 0)
    return Message(
        record[topic_at:stream_at].decode(),
        None if key_size < 0 else record[key_at:value_at],
        record[value_at:],
        timestamp,
        record[stream_at:key_at].decode(),
    )


def stored_at(record: bytes) -> float:
    """When a record was made, in seconds since the epoch."""
    return float(_KIND.unpack_from(record)[1]) / 1000


def with_identity(item: Deferred) -> Deferred:
    """The deferred event with a `meta.id` to be: the same one, however often it is conformed."""
    return item if item.event_id else item._replace(event_id=new_id())


def is_storable(item: Message | Deferred) -> bool:
    """Whether `encode` can make bytes of it; an event that is no JSON will be rejected."""
    try:
        encode(item)
    except Exception:
        return False
    return True


def first_chunk(items: Iterable[_Sized]) -> list[_Sized]:
    """As many items, from the first, as are written at once."""
    found: list[_Sized] = []
    size = 0
    for item in items:
        found.append(item)
        size += item.size
        if len(found) >= CHUNK or size >= _CHUNK_BYTES:
            break
    return found


def _deferred(item: Deferred) -> bytes:
    return json.dumps(
        {
            "event": plain(with_written_instants(item.event())),
            "bound": dict(item.bound),
            "event_time": item.event_time,
            "site": list(item.site),
            "is_error_event": item.is_error_event,
            "event_id": item.event_id,
        }
    ).encode()


def _restored(fields: dict[str, Any]) -> Deferred:
    restored = defer(
        fields["event"],
        fields["bound"],
        float(fields["event_time"]),
        CallSite(*fields["site"]),
        is_error_event=bool(fields["is_error_event"]),
    )
    return restored._replace(event_id=fields["event_id"])
