"""Values become plain JSON data without trusting them, or are refused with the path to them."""

from __future__ import annotations

import collections
import ctypes
import dataclasses
import enum
import math
import random
import threading
import time as clock
from array import array
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import MagicMock, Mock
from uuid import UUID

import pytest

from eplogging.conformance import MessageTooLargeError, NotJSONError
from eplogging.conformance.jsondata import MAX_DEPTH, plain, refuse_depth, stringify


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("called")

    __repr__ = __format__ = encode = __str__  # type: ignore[assignment]


class Count(int):
    def __str__(self) -> str:
        raise AssertionError("called")

    __repr__ = __index__ = __int__ = __str__  # type: ignore[assignment]


class Table(dict[str, Any]):
    def items(self) -> Any:
        raise AssertionError("called")

    __iter__ = keys = values = __len__ = items  # type: ignore[assignment]


class Row(list[Any]):
    def __iter__(self) -> Any:
        raise AssertionError("called")

    __len__ = __getitem__ = __iter__  # type: ignore[assignment]


class Pair(NamedTuple):
    a: int
    b: int


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


class Hostile:
    def __str__(self) -> str:
        raise AssertionError("called")

    __repr__ = __iter__ = __len__ = __bool__ = __hash__ = __eq__ = keys = items = __str__  # type: ignore[assignment]


class Lying:
    """Claims another class, as proxies and mocks do."""

    def __init__(self, claimed: type) -> None:
        object.__setattr__(self, "claimed", claimed)

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return self.claimed  # type: ignore[attr-defined, no-any-return]


class Refusing:
    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError


class Twin(str):
    """A key that is equal to no other."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


CIRCLE: list[Any] = []
CIRCLE.append({"again": CIRCLE})


def deep(levels: int, inner: Any = 1) -> Any:
    for level in range(levels):
        inner = [inner] if level % 2 else {"a": inner}
    return inner


CONVERSIONS: list[tuple[Any, Any]] = [
    (1.0, 1),
    (-0.0, 0),
    (2.0**53, 2**53),
    (2.0**60, 1152921504606847000),
    (1e300, 1e300),
    (2**63 - 1, 2**63 - 1),
    (1 - 2**63, 1 - 2**63),
    (2**53 + 1, 2**53 + 1),
    ((1, [2, (3,)]), [1, [2, [3]]]),
    (Pair(1, 2), [1, 2]),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (Word("w"), "w"),
    (Count(5), 5),
    (Table(a=Row([1])), {"a": [1]}),
    ({Word("k"): 1}, {"k": 1}),
    (datetime(2020, 1, 1, tzinfo=timezone.utc), "2020-01-01T00:00:00+00:00"),
    (date(2020, 1, 1), "2020-01-01"),
    (time(1, 2, 3), "01:02:03"),
    (timedelta(seconds=5), "0:00:05"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Decimal("1.10"), "1.10"),
    (PurePosixPath("/a/b"), "/a/b"),
    (bytearray(b"hi"), "aGk="),
    (memoryview(b"hi"), "aGk="),
    (array("B", b"hi"), "aGk="),
    (ValueError("why", 7, [1]), "ValueError: why, 7, <list>"),
    (Colour, ["red"]),
    (1 + 2j, "(1+2j)"),
    (IPv4Address("10.0.0.1"), "10.0.0.1"),
    (b"hi", "aGk="),
    (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
    (Point, "Point"),
    ({"a": {"__proto__": 1, "__class__": 2}}, {"a": {"__proto__": 1, "__class__": 2}}),
    ("\U0001f600\u2028\x00", "\U0001f600\u2028\x00"),
    (deep(MAX_DEPTH), deep(MAX_DEPTH)),
]


# Names of types, because pytest would ask some of the values for theirs.
@pytest.mark.parametrize(
    ("value", "expected"), CONVERSIONS, ids=[type(value).__name__ for value, _ in CONVERSIONS]
)
def test_conversions(value: Any, expected: Any) -> None:
    result = plain(value)
    assert result == expected
    assert stringify(result) == stringify(expected)
    only_plain(result)


def only_plain(value: Any) -> None:
    assert type(value) in (dict, list, str, int, float, bool, type(None))
    for inner in (
        (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        only_plain(inner)


REFUSALS: list[tuple[Any, str]] = [
    (math.nan, "/a/0 is nan"),
    (math.inf, "/a/0 is inf"),
    (-math.inf, "/a/0 is -inf"),
    (2**63, "/a/0 is an integer beyond 64 bits"),
    (-(2**63) - 1, "/a/0 is an integer beyond 64 bits"),
    (10**5000, "/a/0 is an integer beyond 64 bits"),
    ("\ud800", "/a/0 holds a lone surrogate (U+D800)"),
    ("ok \udfff", "/a/0 holds a lone surrogate (U+DFFF)"),
    ({"\ud800": 1}, "/a/0/<key> holds a lone surrogate"),
    ({1: "a", "1": "b"}, "/a/0 has a key of type int"),
    ({None: 1}, "/a/0 has a key of type NoneType"),
    ({(1, 2): 1}, "/a/0 has a key of type tuple"),
    ({b"a": 1}, "/a/0 has a key of type bytes"),
    ({Colour.RED: 1}, "/a/0 has a key of type Colour"),
    ({Twin("k"): 1, Twin("k"): 2}, "/a/0 has two keys with the same text"),
    (CIRCLE, "more than 64 levels deep, or contains itself"),
    (deep(MAX_DEPTH - 1), "more than 64 levels deep"),
    (deep(100_000), "more than 64 levels deep"),
    (object(), "/a/0 is of type object"),
    (Hostile(), "/a/0 is of type Hostile"),
    (SimpleNamespace(a=1), "/a/0 is of type SimpleNamespace"),
    (MappingProxyType({"a": 1}), "/a/0 is of type mappingproxy"),
    (iter([1]), "/a/0 is of type list_iterator"),
    (collections.deque([1]), "/a/0 is of type deque"),
    (len, "/a/0 is of type builtin_function_or_method"),
    (ctypes.c_int64(7), "/a/0 is of type c_long"),
    (Mock(spec=dict), "/a/0 is of type Mock"),
    (MagicMock(spec=list), "/a/0 is of type MagicMock"),
    (Lying(dict), "/a/0 is of type Lying"),
    (Lying(tuple), "/a/0 is of type Lying"),
    (Lying(str), "/a/0 is of type Lying"),
    (Lying(datetime), "/a/0 is of type Lying"),
    (Refusing(), "/a/0 is of type Refusing"),
    ({"b/c~d": {"e": math.nan}}, "/a/0/b~1c~0d/e is nan"),
    (Point(1, Point(math.nan)), "/a/0/y/x is nan"),
]


@pytest.mark.parametrize(("value", "says"), REFUSALS, ids=[says for _, says in REFUSALS])
def test_refusals_name_the_place(value: Any, says: str) -> None:
    with pytest.raises(NotJSONError) as caught:
        plain({"a": [value]})
    assert says in str(caught.value)
    assert len(str(caught.value)) < 8000
    str(caught.value).encode()


def test_long_keys_are_cut_in_messages() -> None:
    with pytest.raises(NotJSONError) as caught:
        plain({"k" * 100_000: math.nan})
    assert len(str(caught.value)) < 300


def test_the_copy_shares_nothing() -> None:
    given: dict[str, Any] = {"a": [{"b": []}]}
    copy = plain(given)
    copy["a"][0]["b"].append(1)
    copy["a"].append(2)
    assert given == {"a": [{"b": []}]}


def test_a_depth_of_a_million_is_survived() -> None:
    with pytest.raises(NotJSONError):
        plain(deep(1_000_000))


def test_a_traceback_is_shown_without_its_source() -> None:
    """Source is read from files, or asked of a module's loader."""
    try:
        raise ValueError
    except ValueError as error:
        shown = plain(error.__traceback__)
    assert shown.startswith(f'File "{__file__}", line ')
    assert shown.endswith(", in test_a_traceback_is_shown_without_its_source")
    assert "raise" not in shown


def doubled(levels: int, inner: Any) -> Any:
    """Lists that have the same list in them twice, each."""
    for _ in range(levels):
        inner = [inner, inner]
    return inner


SHARED: dict[str, Any] = {
    "lists": doubled(60, "x"),
    "objects": [{"a": shared, "b": shared} for shared in [doubled(50, 1)]],
    "a long text": ["x" * 10_000] * 10_000,
    "a long key": [{"x" * 10_000: 1}] * 10_000,
    "bytes": [b"x" * 10_000] * 10_000,
    "a long list": [[0] * 10_000] * 10_000,
}


@pytest.mark.parametrize("name", SHARED)
def test_what_is_there_many_times_counts_each_time(name: str) -> None:
    before = clock.process_time()
    with pytest.raises(MessageTooLargeError, match=r"100,000 bytes.*message\.max\.bytes"):
        plain(SHARED[name], 100_000)
    assert clock.process_time() - before < 1


def invented(dice: random.Random, depth: int = 0) -> Any:
    if depth > 4 or dice.random() < 0.4:
        return dice.choice([0, 12345, -3, True, None, "", "x", "\u00e9" * 3, "a\n", 1.5, 2.0, -0.0, 1e30])
    if dice.random() < 0.5:
        return [invented(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice("abc") * n: invented(dice, depth + 1) for n in range(dice.randrange(4))}


def test_what_fits_is_never_too_large() -> None:
    dice = random.Random(7)
    for _ in range(500):
        value = [invented(dice)]
        size = len(stringify(plain(value)))
        plain(value, size)
        with pytest.raises(MessageTooLargeError):
            plain(["x" * size, value], size)


def test_a_large_buffer_is_not_copied_first() -> None:
    large = memoryview(bytearray(200_000_000))
    before = clock.process_time()
    with pytest.raises(MessageTooLargeError):
        plain(large, 1_000_000)
    assert clock.process_time() - before < 0.05


@pytest.mark.parametrize("shared", [{"a": 1}, [1]], ids=["dict", "list"])
def test_it_may_be_changed_by_another_thread_meanwhile(shared: Any, thread_switches: None) -> None:
    ended = threading.Event()

    def change() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            if isinstance(shared, list):
                shared.append(1.5)
                del shared[100:]
            else:
                shared[str(number % 100)] = 1.5
                shared.pop(str((number + 50) % 100), None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(3000):
            only_plain(plain({"x": shared}))
    finally:
        ended.set()
        thread.join()


def test_the_depth_of_plain_data() -> None:
    refuse_depth(deep(MAX_DEPTH))
    refuse_depth(deep(MAX_DEPTH - 2, {"a": 1, "b": []}))
    for too_deep in (deep(MAX_DEPTH + 1), deep(MAX_DEPTH, [])):
        with pytest.raises(NotJSONError, match="more than 64 levels deep"):
            refuse_depth(too_deep)
