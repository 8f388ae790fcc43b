"""A deferred event is a snapshot: what the caller changes later must not be seen, and nothing slips in."""

from __future__ import annotations

import array
import ctypes
from collections import OrderedDict
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from eplogging.conformance import MessageTooLargeError, NotJSONError
from eplogging.conformance.jsondata import plain
from eplogging.items import Deferred, defer
from eplogging.reports import CallSite
from tests.support.application import basic

SITE = CallSite("/a/file.py", 7, "f")


def deferred(event: dict[str, Any]) -> Deferred:
    return defer(event, {}, 1.5, SITE)


def test_it_is_a_copy_at_the_time_of_the_call() -> None:
    event = basic(1, options={"depth": [1]})
    item = deferred(event)
    event["options"]["depth"].append(2)
    first = item.event()
    assert first == basic(1, options={"depth": [1]})
    first["options"].clear()
    assert item.event() == basic(1, options={"depth": [1]})
    assert (item.stream, item.site, item.event_time, item.size > 0) == ("sample.basic", SITE, 1.5, True)


VALUES = [
    datetime(2024, 1, 1, tzinfo=timezone.utc),
    UUID(int=7),
    Decimal("1.5"),
    OrderedDict(a=1),
    b"bytes",
    (1, 2),
    {"set"},
    "\ud83d\ude00 é",
    1e-7,
    True,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_out_as_the_caller_s_thread_would_have_judged_them(value: Any) -> None:
    event = basic(extra=value)
    if isinstance(value, str):
        event["extra"] = value.encode("utf-16", "surrogatepass").decode("utf-16")
    assert plain(deferred(event).event()) == plain(event)


BAD = [bytearray(b"x").__iter__(), object(), 2**63, float("nan"), {1: 2}, "\ud800"]


@pytest.mark.parametrize("value", BAD, ids=lambda value: type(value).__name__)
def test_what_json_has_no_form_for_has_none_after_it_either(value: Any) -> None:
    with pytest.raises(NotJSONError, match="/extra"):
        plain(deferred(basic(extra=value)).event())


@pytest.mark.parametrize("buffer", [array.array("B", b"x"), memoryview(b"x"), bytearray(b"x"), b"x"])
def test_any_buffer_is_bytes_before_it_and_after(buffer: Any) -> None:
    event = basic(extra=buffer)
    assert plain(event)["extra"] == plain(deferred(event).event())["extra"] == "eA=="


@pytest.mark.parametrize("event", [{}, {"meta": 1}, {"meta": {"stream": 1}}, {"meta": {}}])
def test_an_event_without_a_stream_has_an_empty_one(event: dict[str, Any]) -> None:
    assert deferred(event).stream == ""


def test_a_datetime_is_written_as_a_direct_event_has_it() -> None:
    instant = datetime(2020, 1, 1, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=2)))
    given = basic(dt=instant)
    given["meta"]["dt"] = instant
    event = deferred(given).event()
    assert event["dt"] == event["meta"]["dt"] == "2019-12-31T23:02:03.456Z"
    assert given["dt"] is given["meta"]["dt"] is instant
    with pytest.raises(NotJSONError, match="no time zone"):
        deferred(basic(dt=datetime(2020, 1, 1)))


class Name(str, Enum):
    BASIC = "sample.basic"


def test_a_stream_named_by_an_enum_of_texts_keeps_its_order_too() -> None:
    event = basic()
    event["meta"]["stream"] = Name.BASIC
    item = deferred(event)
    assert (item.stream, type(item.stream)) == ("sample.basic", str)
    assert item.event()["meta"]["stream"] == "sample.basic"


def test_bound_fields_count() -> None:
    """A request may bind much, and hold it for each event that waits."""
    bare = defer(basic(1), {}, 0.0, CallSite())
    held = defer(basic(1), {"text": "x" * 10_000}, 0.0, CallSite())
    assert bare.size + 10_000 < held.size < bare.size + 10_100
    assert held._replace(event_id="id").size == held.size


@pytest.mark.parametrize("numbers", [ctypes.c_int64(7), (ctypes.c_double * 2)()])
def test_what_only_shows_its_memory_is_no_bytes(numbers: Any) -> None:
    with pytest.raises(NotJSONError, match="/extra is of type"):
        deferred(basic(extra=numbers))


def test_shared_parts_are_copied_as_such_or_refused() -> None:
    inner: Any = "x"
    for _ in range(60):
        inner = [inner, inner]
    with pytest.raises(MessageTooLargeError):
        defer(basic(extra=inner), {}, 0.0, SITE, max_bytes=100_000)
    with pytest.raises(MessageTooLargeError):
        defer(basic(extra=[inner, UUID(int=1)]), {}, 0.0, SITE, max_bytes=100_000)
    wide: Any = [0] * 1_000
    for _ in range(4):
        wide = [wide] * 1_000
    with pytest.raises(MessageTooLargeError):
        defer(basic(extra=wide), {}, 0.0, SITE, max_bytes=100_000)


def test_what_is_too_deep_or_contains_itself_is_refused() -> None:
    event = basic()
    event["extra"] = event
    with pytest.raises(NotJSONError, match="contains itself"):
        deferred(event)
