"""What objects of Python's own classes become as JSON, as python-json-logger has it.

An object is known by its real class, and asked nothing that a class of others could answer: a method of
theirs could hang, raise, or log. So subclasses are converted by the methods of Python's own class.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from enum import Enum, EnumMeta
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from types import FunctionType, TracebackType
from typing import Any
from uuid import UUID

from pythonjsonlogger import defaults

_mro_of = type.__dict__["__mro__"].__get__
_name_of = type.__dict__["__name__"].__get__
_args_of = BaseException.__dict__["args"].__get__
_SCALARS = frozenset({str, int, float, bool, bytes, complex, type(None)})


def class_name(value: Any) -> str:
    """The name of a value's class, whatever its metaclass says."""
    return str(_name_of(type(value)))


def converted(value: Any) -> Any:
    """One step from an object to something simpler.

    Raises:
        TypeError: it is of no class that is known here.
    """
    kind = type(value)
    for base, convert in _CONVERSIONS:
        if issubclass(kind, base):
            return convert(value)
    if _is_buffer(value, kind):
        return defaults.bytes_default(memoryview(value).tobytes())
    if any("__dataclass_fields__" in vars(base) for base in _mro_of(kind)):
        return {field.name: object.__getattribute__(value, field.name) for field in fields(kind)}
    raise TypeError(class_name(value))


def _exception(error: BaseException) -> str:
    shown = [str(one) if type(one) in _SCALARS else f"<{class_name(one)}>" for one in _args_of(error)]
    return f"{class_name(error)}: {', '.join(shown)}"


def _set(values: Any) -> str:
    kind = set if issubclass(type(values), set) else frozenset
    members = list(kind.__iter__(values))
    if any(type(member) not in _SCALARS for member in members):
        raise TypeError("a set of objects")
    return repr(kind(members))


def _enum_class(kind: Any) -> list[Any]:
    members = type.__getattribute__(kind, "_member_map_")
    return [member._value_ for member in dict.values(members)]


def _is_buffer(value: Any, kind: type) -> bool:
    """Bytes, and whatever else `marshal` copies as bytes when an event is deferred (`array`, numpy)."""
    if any(type(vars(base).get("__buffer__")) is FunctionType for base in _mro_of(kind)):
        return False  # Python 3.12 lets classes of others answer
    try:
        memoryview(value).release()
    except TypeError:
        return False
    return True


_CONVERSIONS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (datetime.datetime, datetime.datetime.isoformat),
    (datetime.date, datetime.date.isoformat),
    (datetime.time, datetime.time.isoformat),
    (BaseException, _exception),
    (TracebackType, defaults.traceback_default),
    (Enum, lambda value: object.__getattribute__(value, "_value_")),
    (EnumMeta, _enum_class),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (type, lambda kind: str(_name_of(kind))),
    (UUID, UUID.__str__),
    (Decimal, Decimal.__str__),
    (PurePath, PurePath.__str__),
    (set, _set),
    (frozenset, _set),
    (datetime.timedelta, datetime.timedelta.__str__),
    (complex, lambda value: complex.__repr__(value)),
    (IPv4Address, IPv4Address.__str__),
    (IPv6Address, IPv6Address.__str__),
)
