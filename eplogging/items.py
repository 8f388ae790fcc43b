"""What crosses from the caller's thread to the listener: messages, and snapshots of events that wait."""

from __future__ import annotations

import marshal
import sys
from collections.abc import Mapping
from gc import get_referents
from operator import length_hint
from typing import Any, NamedTuple

from .conformance import Message
from .conformance.conversions import ids_of
from .conformance.fields import with_written_instants
from .conformance.jsondata import MAX_BYTES, MAX_DEPTH, members, plain, text_of
from .reports import CallSite

_COPIED = ids_of(str, int, float, bool, type(None), dict, list, tuple, bytes)
_FEW, _MAX_WALKED = 100, 1_000_000
_ANY_CLASS, _MODULES = sys.version_info >= (3, 12), sys.modules


class Deferred(NamedTuple):
    """An event that waits for a look-up, or for the listener to validate it.

    Attributes:
        snapshot: the event as it was in the logging call, as bytes.
        bound: the context's fields at that time.
        event_time: seconds since the epoch.
        site: where it was logged.
        stream: its `meta.stream`, which keeps its order; empty where it has none.
        is_error_event: whether it tells of a rejected event, so that its own rejection is only reported.
        event_id: the `meta.id` that it gets if it has none; None while any would do.
        bound_size: bytes that `bound` takes, more or less.
    """

    snapshot: bytes
    bound: Mapping[str, Any]
    event_time: float
    site: CallSite
    stream: str
    is_error_event: bool = False
    event_id: str | None = None
    bound_size: int = 0

    @property
    def size(self) -> int:
        """Bytes it takes of the handler's bound."""
        return len(self.snapshot) + self.bound_size

    def event(self) -> dict[str, Any]:
        """The event; a new copy at each call."""
        # bytes of our own making
        restored: dict[str, Any] = marshal.loads(self.snapshot)  # nosec B302
        return restored


class Kept(NamedTuple):
    """An item that stands in the spool, too.

    Attributes:
        item: what it is.
        row: where it stands in the spool.
    """

    item: Message | Deferred
    row: Any

    @property
    def stream(self) -> str:
        """Of the item."""
        return self.item.stream

    @property
    def size(self) -> int:
        """Of the item."""
        return self.item.size


Item = Message | Deferred | Kept


def defer(
    event: Mapping[str, Any],
    bound: Mapping[str, Any],
    event_time: float,
    site: CallSite,
    *,
    is_error_event: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Deferred:
    """Takes a snapshot of an event; called in the caller's thread, which may change the event afterwards.

    `marshal` copies plain data in C in a fraction of `copy.deepcopy`'s time; what it does not take
    is converted to plain JSON data first.

    Args:
        event: the event, a dict.
        bound: the context's fields, plain data that nobody changes.
        event_time: seconds since the epoch.
        site: where it was logged.
        is_error_event: see `Deferred`.
        max_bytes: bytes of JSON that an event may take which must be converted.

    Raises:
        NotJSONError: the event holds something that JSON has no form for.
        MessageTooLargeError: it takes more than `max_bytes`.
    """
    event = members(event)
    try:
        if _may_have_buffers() and not _is_plain(event):
            raise TypeError
        snapshot = marshal.dumps(event)
    except (ValueError, TypeError, RecursionError):
        snapshot = marshal.dumps(plain(with_written_instants(event), max_bytes))
    bound_size = len(marshal.dumps(dict(bound))) if bound else 0
    stream = stream_of(event)
    # What the NamedTuple's own constructor calls.
    return tuple.__new__(
        Deferred, (snapshot, bound, event_time, site, stream, is_error_event, None, bound_size)
    )


def _may_have_buffers() -> bool:
    """Whether objects may be about that `marshal` takes for bytes: numpy's numbers, say, or those of C.

    From Python 3.12 on any class may have a `__buffer__`, and `marshal` would call it.
    """
    return _ANY_CLASS or "numpy" in _MODULES or "ctypes" in _MODULES


def _is_plain(event: Any) -> bool:
    """Whether it holds nothing but what `marshal` copies as what it is; looked through level by level."""
    left = _MAX_WALKED
    level = get_referents(event)
    for _ in range(MAX_DEPTH):
        if not _COPIED.issuperset(map(id, map(type, level))):
            return False
        # What is in several places counts each time, so that a few lists of lists may be too many to look at.
        left -= len(level) if len(level) <= _FEW else sum(map(length_hint, level))
        if left < 0:
            return False
        level = get_referents(*level)
        if not level:
            return True
    return False


def stream_of(event: Mapping[str, Any]) -> str:
    """The event's `meta.stream`, whatever else is wrong with it; empty where that is no text."""
    found: Any = event
    meta: Any = dict.get(found, "meta")
    return (text_of(dict.get(meta, "stream")) if issubclass(type(meta), dict) else None) or ""
