"""What objects of Python's own classes become as JSON, as python-json-logger has it.

An object is known by its real class, and asked nothing that a class of others could answer: a method of
theirs could hang, raise, or log. So subclasses are converted by the methods of Python's own class, and
refused where these would ask the subclass for something.
"""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
from array import array
from collections import UserDict
from collections.abc import Callable
from decimal import Decimal
from enum import Enum, EnumMeta
from gc import get_referents
from ipaddress import IPv4Address, IPv6Address
from types import (
    BuiltinFunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    SimpleNamespace,
    TracebackType,
    WrapperDescriptorType,
)
from typing import Any
from uuid import UUID

from pythonjsonlogger import defaults

_mro_of = type.__dict__["__mro__"].__get__
_name_of = type.__dict__["__name__"].__get__
_namespace_of = type.__dict__["__dict__"].__get__
_args_of = BaseException.__dict__["args"].__get__
_MISSING = object()


def ids_of(*kinds: type) -> frozenset[int]:
    """What classes are known by: to hash or to compare a class can be code of its metaclass."""
    return frozenset(map(id, kinds))


_SCALARS = ids_of(str, int, float, bool, bytes, complex, type(None))
_WRITTEN_IN_C = ids_of(
    *(BuiltinFunctionType, GetSetDescriptorType, MemberDescriptorType),
    *(MethodDescriptorType, WrapperDescriptorType),
)
_PYTHONS_OWN = ids_of(  # with what Python 3.13 put below them
    *(kind for path in (pathlib.PosixPath, pathlib.WindowsPath) for kind in path.__mro__)
)


def class_name(value: Any) -> str:
    """The name of a value's class, whatever its metaclass says."""
    return name_of(type(value))


def name_of(kind: Any) -> str:
    """The name of a class, likewise."""
    return str.__str__(_name_of(kind))


def as_dict(value: Any) -> dict[Any, Any] | None:
    """What can be an event: a dict, or one in Python's own wrappers; None for anything else.

    Any other mapping would have to be asked for its items, and that is code of others.
    """
    if type(value) is UserDict:
        value = value.data
    elif type(value) is MappingProxyType:
        [value] = get_referents(value)  # its methods would ask what is behind it
    return value if issubclass(type(value), dict) else None


def converted(value: Any) -> Any:
    """One step from an object to something simpler.

    Raises:
        TypeError: it is of no class that is known here, or its class changes how it is converted.
    """
    kind = type(value)
    for base, convert in _CONVERSIONS:
        if issubclass(kind, base):
            return convert(value)
    declared = _found(kind, "__dataclass_fields__")
    if type(declared) is dict:
        return {name: _stored(value, name) for name in _field_names(declared)}
    raise TypeError(class_name(value))


def size_of_buffer(value: Any) -> int:
    """Bytes of what is converted as bytes, or fewer; 0 for anything else."""
    kind = type(value)
    if not issubclass(kind, (bytes, bytearray, memoryview, array)):
        return 0
    return next(size(value) for base, size in _SIZES if issubclass(kind, base))


def _found(kind: type, name: str) -> Any:
    """What a class or the first of its bases has under a name, as it stands there."""
    for base in _mro_of(kind):
        namespace = _namespace_of(base)
        if name in namespace:
            return namespace[name]
    return _MISSING


def _stored(value: Any, name: str) -> Any:
    """An attribute as the object has it, in a slot or in its `__dict__`: nothing is worked out."""
    kind = type(value)
    found = _found(kind, name)
    if type(found) is MemberDescriptorType:
        return found.__get__(value, kind)
    attributes = _found(kind, "__dict__")
    if type(attributes) is GetSetDescriptorType:
        found = dict.get(attributes.__get__(value, kind), name, _MISSING)
        if found is not _MISSING:
            return found
    raise TypeError(f"{name} is worked out by code of its class")


def _field_names(declared: dict[str, Any]) -> list[str]:
    if any(type(field) is not dataclasses.Field for field in declared.values()):
        raise TypeError("no fields of a dataclass")
    holder: Any = SimpleNamespace(__dataclass_fields__=declared)
    return [str.__str__(field.name) for field in dataclasses.fields(holder)]  # without those of ClassVar


def told_by(error: BaseException) -> str:
    """What an exception says, without its class's own `__str__`."""
    return ", ".join(
        str(one) if id(type(one)) in _SCALARS else f"<{class_name(one)}>" for one in _args_of(error)
    )


def _exception(error: BaseException) -> str:
    return f"{class_name(error)}: {told_by(error)}"


def _traceback(trace: TracebackType | None) -> str:
    """Without the lines of source, which `traceback` would read from files, or ask a module's loader for."""
    lines = []
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f'File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    return "\n".join(lines)


def _set(values: Any) -> str:
    kind = set if issubclass(type(values), set) else frozenset
    members = list(kind.__iter__(values))
    if any(id(type(member)) not in _SCALARS for member in members):
        raise TypeError("a set of objects")
    return repr(kind(members))


def _enum_class(kind: Any) -> list[Any]:
    members = _namespace_of(kind)["_member_map_"]
    return [_stored(member, "_value_") for member in dict.values(members)]


def _base64(content: Callable[[Any], bytes | bytearray]) -> Callable[[Any], str]:
    return lambda value: defaults.bytes_default(content(value))


def _text_of(base: type) -> Callable[[Any], str]:
    """How Python's own class, which is written in Python, shows itself: it may ask a subclass for parts."""
    asked = frozenset(
        name for kind in _mro_of(base)[:-1] for name in _namespace_of(kind) if not name.startswith("__")
    ) | {"__getattribute__", "__getattr__", "__setattr__"}
    known = _PYTHONS_OWN | ids_of(*_mro_of(base))
    show: Any = base.__str__

    def text(value: Any) -> str:
        for kind in _mro_of(type(value)):
            if id(kind) in known:
                continue
            namespace = _namespace_of(kind)
            if any(id(type(namespace[name])) not in _WRITTEN_IN_C for name in asked if name in namespace):
                raise TypeError("its class changes how it is shown")
        return show(value)  # type: ignore[no-any-return]

    return text


_CONVERSIONS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (datetime.datetime, datetime.datetime.isoformat),
    (datetime.date, datetime.date.isoformat),
    (datetime.time, datetime.time.isoformat),
    (BaseException, _exception),
    (TracebackType, _traceback),
    (Enum, lambda value: _stored(value, "_value_")),
    (EnumMeta, _enum_class),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, _base64(lambda value: bytes.__getitem__(value, slice(None)))),
    (bytearray, _base64(lambda value: bytearray.__getitem__(value, slice(None)))),
    (memoryview, _base64(memoryview.tobytes)),
    (array, _base64(array.tobytes)),
    (type, name_of),
    (UUID, _text_of(UUID)),
    (Decimal, Decimal.__str__),
    (pathlib.PurePath, _text_of(pathlib.PurePath)),
    (set, _set),
    (frozenset, _set),
    (datetime.timedelta, datetime.timedelta.__str__),
    (complex, lambda value: complex.__repr__(value)),
    (IPv4Address, _text_of(IPv4Address)),
    (IPv6Address, _text_of(IPv6Address)),
)
_SIZES: tuple[tuple[type, Callable[[Any], int]], ...] = (
    (bytes, bytes.__len__),
    (bytearray, bytearray.__len__),
    (memoryview, lambda value: value.nbytes),
    (array, array.__len__),
)
