"""Fields bound for the current request or task, so that no logging call has to repeat them."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any

from .conformance import ConfigurationError
from .conformance.jsondata import plain
from .records import merged

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_OF_EACH_EVENT = (("$schema",), ("dt",), ("meta", "dt"), ("meta", "id"), ("meta", "stream"))
BOUND: ContextVar[Mapping[str, Any]] = ContextVar("eplogging_event_fields", default=_EMPTY)


class BoundFields:
    """What `bind_event_fields` returns: as a context manager, it unbinds the fields at its end."""

    def __init__(self, token: Token[Mapping[str, Any]]) -> None:
        self._token = token

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        BOUND.reset(self._token)


def bind_event_fields(**fields: Any) -> BoundFields:
    """Binds fields for the current context (`contextvars`): a request, a task, a thread.

    They are merged into each event whose schema declares them, and never overwrite what the event
    says. Fields that were bound before stay; objects are merged. With no field given, nothing is
    bound, so that `with bind_event_fields():` restores at its end whatever is bound within.

    Args:
        **fields: fields as they stand in an event, such as `meta={"request_id": "..."}`.

    Returns:
        A context manager that restores what was bound before. It may be ignored: the binding
        then lasts as long as the context.

    Raises:
        NotJSONError: a value that JSON has no form for.
        MessageTooLargeError: more than 16 MiB of JSON.
        ConfigurationError: a field that each event has for itself: `$schema`, `dt`, `meta.dt`, `meta.id`,
            `meta.stream`.
    """
    given: dict[str, Any] = plain(fields)
    for path in _OF_EACH_EVENT:
        holder: Any = given
        for name in path[:-1]:
            holder = holder.get(name)
        if type(holder) is dict and path[-1] in holder:
            raise ConfigurationError(
                f"bind_event_fields: {'.'.join(path)} is each event's own and can not be bound; set it in "
                "the event"
            )
    return BoundFields(BOUND.set(MappingProxyType(merged(BOUND.get(), given))))


def bound_event_fields() -> Mapping[str, Any]:
    """The fields bound in the current context; not to be changed."""
    return BOUND.get()
