"""The fields that a producer sets where an event lacks them: `dt`, `meta.dt`, `meta.id` and bound ones.

A field is set only where the schema has it or allows it, so that setting it never makes a valid
event invalid.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from . import instants
from .conversions import class_name, told_by
from .errors import NotJSONError, Violation
from .jsondata import Path, members

Declares = Callable[[tuple[str, ...]], bool]


class FieldRules(NamedTuple):
    """Which fields one schema has or allows; worked out once per schema. What is in C reads it by position.

    Attributes:
        dt: whether `dt` may be set.
        meta_dt: whether `meta.dt` may be set.
        meta_id: whether `meta.id` may be set.
        declares: whether the schema declares the field at a path of names.
    """

    dt: bool
    meta_dt: bool
    meta_id: bool
    declares: Declares


_META = Path(None, "meta")
_BATCH = 256
_LENGTH, _DASHES = 36, (8, 13, 18, 23)
_VERSION, _VARIANT = 14, 19
"""Where the digits stand in a UUID's text that say that it is a random one."""

_DIGITS = tuple(place for place in range(_LENGTH) if place not in _DASHES)
_VARIANTS = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)
ids: list[str] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ids.clear)  # else parent and child would give the same ids


def new_id() -> str:
    """A random UUID (version 4) as text; safe from any thread without a lock."""
    try:
        return ids.pop()
    except IndexError:
        first, *others = _new_ids()
        ids.extend(others)
        return first


def _new_ids() -> list[str]:
    """A batch of UUIDs, written digit by digit for all of them at once."""
    random = os.urandom(16 * _BATCH).hex().encode()
    text = bytearray(b"-") * (_LENGTH * _BATCH)
    for number, place in enumerate(_DIGITS):
        text[place::_LENGTH] = random[number :: len(_DIGITS)]
    text[_VERSION::_LENGTH] = b"4" * _BATCH
    text[_VARIANT::_LENGTH] = text[_VARIANT::_LENGTH].translate(_VARIANTS)
    written = text.decode()
    return [written[start : start + _LENGTH] for start in range(0, len(written), _LENGTH)]


class Filled(NamedTuple):
    """An event with its fields set.

    Attributes:
        event: a copy of the event, with `meta` copied too.
        now: the ingestion time; like all times here in milliseconds since the epoch.
        meta_dt: the instant of `meta.dt`, or None where there is none that can be told.
        has_real_instants: whether `dt` and `meta.dt` are known to be real instants, or are not there.
    """

    event: dict[str, Any]
    now: int
    meta_dt: int | None
    has_real_instants: bool


_new = tuple.__new__  # what a NamedTuple's own constructor calls


def fill(
    event: Mapping[str, Any],
    rules: FieldRules,
    event_time: datetime | float | None,
    bound: Mapping[str, Any] | None,
    event_id: str | None = None,
) -> Filled:
    """Sets `meta.id`, `meta.dt` (R5), `dt` (R4) and bound fields where the event has none of its own.

    Args:
        event: the event, with `meta` an object. Neither it nor `meta` is changed.
        rules: which fields the event's schema has or allows.
        event_time: when the event happened, for `dt`; now, if not given.
        bound: fields of the context, set where the schema declares them.
        event_id: the `meta.id` of an event that has none; a new one, if not given.

    Returns:
        The filled copy.

    Raises:
        NotJSONError: `dt` or `meta.dt` is a `datetime` that names no instant in UTC, such as a naive one.
    """
    event = dict(event)
    given = event["meta"]
    event["meta"] = meta = dict(given) if type(given) is dict else members(given, _META)
    now = instants.now()
    written: str | None = None
    real = True
    meta_dt: int | None = None
    if "id" not in meta and rules.meta_id:
        meta["id"] = event_id or new_id()
    if "dt" in meta:
        meta["dt"], meta_dt, real = _given(meta["dt"], "/meta/dt")
    elif rules.meta_dt:
        written = instants.isoformat(now)
        meta["dt"], meta_dt = written, now
    if "dt" in event:
        event["dt"], _, real_dt = _given(event["dt"], "/dt")
        real = real and real_dt
    elif rules.dt:
        happened = now if event_time is None else instants.to_milliseconds(event_time)
        event["dt"] = written if written and happened == now else instants.isoformat(happened)
    if bound:
        merge(event, bound, (), rules.declares)
    return _new(Filled, (event, now, meta_dt, real))


def with_written_instants(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event with `dt` and `meta.dt` as they are sent, where they are given as `datetime`s.

    Raises:
        NotJSONError: one of them is without a time zone.
    """
    if issubclass(type(event.get("dt")), datetime):
        event = {**event, "dt": _given(event["dt"], "/dt")[0]}
    meta: Any = event.get("meta")
    if issubclass(type(meta), dict) and issubclass(type(dict.get(meta, "dt")), datetime):
        meta = members(meta, _META)
        event = {**event, "meta": {**meta, "dt": _given(meta["dt"], "/meta/dt")[0]}}
    return event


def _given(instant: Any, path: str) -> tuple[Any, int | None, bool]:
    """An event's own `dt` or `meta.dt`: as it is sent, its instant, and whether that is a real one."""
    kind = type(instant)
    if issubclass(kind, datetime):
        try:
            milliseconds = instants.to_milliseconds(instant)
            return instants.isoformat(milliseconds), milliseconds, True
        except Exception as error:  # its time zone is code of others, and may lead out of all years
            raise NotJSONError(f"{path}: {told_by(error) or class_name(error)}") from None
    try:
        return instant, instants.parse(instant) if issubclass(kind, str) else None, True
    except ValueError:
        return instant, None, False


def merge(
    target: dict[str, Any], bound: Mapping[str, Any], path: tuple[str, ...], declares: Declares
) -> None:
    """Sets bound fields that the schema declares; what the event says is never overwritten."""
    for name, value in bound.items():
        here = (*path, name)
        if type(value) is dict and issubclass(type(own := target.get(name, {})), dict):
            inner = members(own)
            merge(inner, value, here, declares)
            if inner:
                target[name] = inner
        elif name not in target and declares(here):
            target[name] = value


def impossible_instants(event: Mapping[str, Any]) -> list[Violation]:
    """Where `dt` and `meta.dt` are texts that name no real instant.

    AJV's fast `date-time` lets 2020-02-30 pass; Kafka's message timestamp and every consumer need
    a real instant.
    """
    violations = []
    meta = event.get("meta")
    for path, holder in (("/dt", event), ("/meta/dt", meta if type(meta) is dict else {})):
        text = holder.get("dt")
        if type(text) is str:
            try:
                instants.parse(text)
            except ValueError as error:
                violations.append(Violation(path, "format", f"must be a real instant: {error}"))
    return violations
