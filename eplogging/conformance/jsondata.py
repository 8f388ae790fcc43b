"""Values of an event as plain JSON data, and their bytes as `JSON.stringify` writes them.

EventGate sends what JavaScript's `JSON.stringify` makes of an event, so the same event must be
the same bytes here. Python's encoders come close: they differ on floats (`1.0`, `1e-05`), write
NaN as `NaN` or `null`, and pass over keys that are no strings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from gc import get_referents
from json.encoder import JSONEncoder, encode_basestring
from typing import Any

from .conversions import class_name, converted, size_of_buffer
from .errors import MessageTooLargeError, NotJSONError

MAX_DEPTH = 64
"""Levels of objects and arrays in an event, itself included; deeper ones are rejected."""

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
"""Consumers read integers into 64-bit longs."""

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of JSON that a value may take where no `message.max.bytes` is told: what its parts share counts
each time, and a few lists of lists may so be more than any memory holds."""

_SAFE_INTEGER = 2**53


class Path:
    """Where a value stands, as a chain from the value up: cheap to extend, spelled out on error."""

    __slots__ = ("name", "parent")

    def __init__(self, parent: Path | None, name: object) -> None:
        self.parent = parent
        self.name = name

    def __str__(self) -> str:
        names: list[str] = []
        here: Path | None = self
        while here is not None:
            names.append(_printable(here.name).replace("~", "~0").replace("/", "~1"))
            here = here.parent
        return "".join("/" + name for name in reversed(names))


def _printable(name: object) -> str:
    """A key or index as text that is safe in a message, whatever the key's own methods do."""
    if issubclass(type(name), str):
        return str.__str__(name)[:100]
    return int.__repr__(name) if type(name) is int else f"<{class_name(name)}>"


def text_of(value: Any) -> str | None:
    """A text, of a subclass of `str` too (an Enum of texts, say), as it is sent; None for anything else."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    return str.__str__(value) if issubclass(kind, str) else None


def refuse_depth(value: Any) -> None:
    """Looks only at how deep plain data is, level by level.

    Raises:
        NotJSONError: it is nested too deep.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = get_referents(*level)
    if any(type(inner) in (dict, list) for inner in level):
        raise NotJSONError(
            f"with the defaults of its schema the event is nested more than {MAX_DEPTH} levels deep; send a "
            "flatter event, or give the schema flatter defaults"
        )


class _Room:
    """Bytes of JSON that are left for what is copied.

    They are counted too low rather than too high, so that nothing is refused that fits: what holds a value
    counts one byte for it, and what is around it; a text counts the others that it takes itself.
    """

    __slots__ = ("left", "limit")

    def __init__(self, limit: int) -> None:
        self.left = self.limit = limit

    def take(self, size: int) -> None:
        """Takes room for what is copied."""
        self.left -= size
        if self.left < 0:
            raise MessageTooLargeError(
                f"the event takes more than the {self.limit:,} bytes that are allowed (what it holds several "
                "times counts each time); send less in one event, or raise message.max.bytes here, on the "
                "topic and on the brokers"
            )


def plain(value: Any, max_bytes: int = MAX_BYTES) -> Any:
    """Copies a value into plain JSON data: dict, list, str, int, float, bool and None, nothing else.

    What JSON has no form for is converted as python-json-logger converts it, except that no
    method of an unknown class is ever called: such an object is refused.

    Args:
        value: an event, or any part of one. It is not changed.
        max_bytes: bytes of JSON after which the copy is given up.

    Returns:
        The copy. It shares nothing mutable with `value`.

    Raises:
        MessageTooLargeError: its JSON would take more than `max_bytes`.
        NotJSONError: for NaN, infinities, integers beyond 64 bits, keys that are no strings,
            lone surrogates, circular or too deep structures, and classes without a conversion;
            the message names the place as a JSON Pointer.
    """
    try:
        return _plain(value, None, 0, _Room(max_bytes))
    except RecursionError:  # objects that are converted into each other, or a caller that is deep itself
        raise NotJSONError(
            "the event is nested too deep for this place in the program; send a flatter event"
        ) from None


def _plain(value: Any, path: Path | None, depth: int, room: _Room) -> Any:
    kind = type(value)
    if kind is str:
        room.left -= len(value) + 1
        return value if value.isascii() else _encodable(value, path)
    if kind is int:
        return value if MIN_INTEGER <= value <= MAX_INTEGER else _refuse_integer(path)
    if kind is bool or value is None:
        return value
    if kind is float:
        return _number(value, path)
    # The real type counts: a proxy or a mock claims another, and its methods are code of others.
    if depth >= MAX_DEPTH and issubclass(kind, (dict, list, tuple)):
        raise NotJSONError(
            f"{path} is nested more than {MAX_DEPTH} levels deep, or contains itself; "
            "send a flatter event without references to its own parts"
        )
    if issubclass(kind, dict):
        return _plain_object(value, path, depth + 1, room)
    if issubclass(kind, (list, tuple)):
        items: list[Any] = list.copy(value) if issubclass(kind, list) else [*tuple.__iter__(value)]
        copies = [_plain(item, Path(path, index), depth + 1, room) for index, item in enumerate(items)]
        room.take(2 * len(items))  # a digit and a comma each
        return copies
    return _plain(_converted(value, path, room), path, depth + 1, room)


def _plain_object(value: Any, path: Path | None, depth: int, room: _Room) -> dict[str, Any]:
    copy = {}
    members = list(dict.items(value))  # another thread may change it meanwhile
    size = 5 * len(members)  # `"":0,` each
    for name, item in members:
        if type(name) is not str or not name.isascii():
            name = key(name, path)
        size += len(name)
        # Most values are short texts: they are spared a call, and a path that no error will show.
        if type(item) is str and item.isascii():
            size += len(item) + 1
        else:
            item = _plain(item, Path(path, name), depth, room)
        copy[name] = item
    if len(copy) != len(members):
        raise NotJSONError(f"{path or '/'} has two keys with the same text; leave one out")
    room.take(size)
    return copy


def _encodable(text: str, path: Path | None) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotJSONError(
            f"{path} holds a lone surrogate (U+{ord(text[error.start]):04X}), which UTF-8 can not carry; "
            "decode the text it came from with errors='replace'"
        ) from None
    return text


def members(value: Any, path: Path | None = None) -> dict[str, Any]:
    """A dict's members in a new dict that is nothing else, and whose keys are plain texts.

    Raises:
        NotJSONError: a key is no text.
    """
    if type(value) is dict:
        return dict(value)  # a key keeps its hash: it is not asked for it
    return {name if type(name) is str else key(name, path): item for name, item in list(dict.items(value))}


def key(name: Any, path: Path | None = None) -> str:
    """A key as it is sent.

    Raises:
        NotJSONError: it is no text, or has lone surrogates.
    """
    if type(name) is str:
        return name if name.isascii() else _encodable(name, Path(path, "<key>"))
    if issubclass(type(name), str) and not issubclass(type(name), Enum):
        return _encodable(str.__str__(name), Path(path, "<key>"))
    raise NotJSONError(
        f"{path or '/'} has a key of type {class_name(name)}; JSON has only string keys: convert it first"
    )


def _refuse_integer(path: Path | None) -> int:
    raise NotJSONError(
        f"{path} is an integer beyond 64 bits, which consumers can not hold; send it as a string"
    )


def _number(value: float, path: Path | None) -> int | float:
    """JavaScript has one kind of number: `1.0` is `1`, whatever type it came from."""
    if not math.isfinite(value):
        raise NotJSONError(f"{path} is {value!r}, which JSON has no form for; leave the field out")
    if not value.is_integer() or abs(value) > MAX_INTEGER:
        return value
    return int(value) if abs(value) <= _SAFE_INTEGER else int(Decimal(repr(value)))


def _converted(value: Any, path: Path | None, room: _Room) -> Any:
    """One step from an object to something simpler, as python-json-logger takes it."""
    name = class_name(value)
    try:
        room.take(size_of_buffer(value))
        return converted(value)
    except MessageTooLargeError:
        raise
    except TypeError:
        raise NotJSONError(
            f"{path or '/'} is of type {name}, which JSON has no form for; convert it before it is logged"
        ) from None
    except Exception as error:
        raise NotJSONError(
            f"{path} ({name}) raised {type(error).__name__} when it was converted; convert it before it is "
            "logged"
        ) from None


def stringify(value: Any) -> bytes:
    """Writes plain JSON data as `JSON.stringify` does: compact, UTF-8, keys in their order.

    Args:
        value: what `plain` returned.

    Returns:
        The bytes, which parse to `value` again.
    """
    if not _has_float(value):
        return _encode(value).encode()
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode()


_encode = JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def _has_float(value: Any) -> bool:
    """Floats are what the standard library writes otherwise than JavaScript."""
    kind = type(value)
    if kind is dict:
        return any(map(_has_float, value.values()))
    if kind is list:
        return any(map(_has_float, value))
    return kind is float


def _write(value: Any, write: Callable[[str], None]) -> None:
    if isinstance(value, str):
        write(encode_basestring(value))
    elif value is None:
        write("null")
    elif isinstance(value, bool):
        write("true" if value else "false")
    elif isinstance(value, int):
        write(int.__repr__(value))
    elif isinstance(value, float):
        write(_number_text(value))
    elif isinstance(value, dict):
        separator = "{"
        for name, item in value.items():
            write(separator + encode_basestring(name) + ":")
            _write(item, write)
            separator = ","
        write("}" if value else "{}")
    else:
        separator = "["
        for item in value:
            write(separator)
            _write(item, write)
            separator = ","
        write("]" if value else "[]")


def _number_text(value: float) -> str:
    """ECMA-262, Number::toString: digits as they are between 1e-6 and 1e21, else with an exponent."""
    if value == 0:
        return "0"
    digits = Decimal(repr(value))
    if 1e-6 <= abs(value) < 1e21:
        text = f"{digits:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{digits.normalize():e}".partition("e")
    return f"{mantissa}e{int(exponent):+d}"
