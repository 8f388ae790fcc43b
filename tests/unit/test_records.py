"""Which records carry an event, what the event is, and what a formatter adds to it."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from array import array
from collections import UserDict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from io import StringIO
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from eplogging import EventFormatter
from eplogging.conformance import ConfigurationError
from eplogging.sinks import MemorySink
from tests.support.application import application, basic, keywords

EVENT = basic(7, text="t")


def record(
    message: Any = "said %s", *args: Any, level: int = logging.INFO, **extra: Any
) -> logging.LogRecord:
    return logging.getLogger("app").makeRecord("app", level, "file.py", 3, message, args, None, "f", extra)


def event_of(one: logging.LogRecord, **options: Any) -> dict[str, Any] | None:
    return EventFormatter(**options).event(one)


@pytest.mark.parametrize(
    "one",
    [record("x", **EVENT), record("x", event=EVENT), record(EVENT)],
    ids=["side by side", "whole", "message"],
)
def test_the_three_ways(one: logging.LogRecord) -> None:
    assert event_of(one) == EVENT


@pytest.mark.parametrize(
    "one",
    [
        record("x"),
        record("x", meta={"stream": "s"}),
        record("x", event={"meta": {"stream": "s"}}),
        record("x", event="text"),
        record({"meta": {"stream": "s"}}),
        record(["$schema"]),
        record("$schema"),
        record(None),
    ],
)
def test_no_schema_no_event(one: logging.LogRecord) -> None:
    assert event_of(one) is None


FRAMEWORKS = [
    "taskName",
    "otelTraceID",
    "request",
    "status_code",
    "color_message",
    "correlation_id",
    "_private",
]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_what_frameworks_add_is_no_field_side_by_side(name: str) -> None:
    one = record("x", **EVENT)
    setattr(one, name, 1)
    assert event_of(one) == EVENT
    assert event_of(record("x", event={**EVENT, name: 1})) == {**EVENT, name: 1}


def test_ignored_attrs_extend_the_list() -> None:
    assert event_of(record("x", **EVENT, tenant=1), ignored_attrs=["tenant"]) == EVENT
    assert event_of(record("x", **EVENT, tenant=1)) == {**EVENT, "tenant": 1}


def test_attributes_of_the_record_are_added_where_fmt_names_them() -> None:
    one = record("said %s", "it", **EVENT)
    added = event_of(
        one,
        fmt="%(levelname)s %(message)s %(name)s",
        rename_fields={"levelname": "log.level", "name": "log.logger"},
    )
    assert added == {**EVENT, "message": "said it", "log": {"level": "INFO", "logger": "app"}}
    assert event_of(one, fmt=["lineno"]) == {**EVENT, "lineno": 3}
    assert "asctime" in (event_of(one, fmt="%(asctime)s") or {})


def test_exceptions_and_stacks_are_added_as_text_where_fmt_names_them() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        one = logging.getLogger("app").makeRecord("app", 40, "f", 1, "x", (), sys.exc_info(), "f", EVENT)
    one.stack_info = "Stack (most recent call last):"
    added = event_of(one, fmt=["exc_info", "stack_info"])
    assert added and "ValueError: why" in added["exc_info"] and "Stack" in added["stack_info"]
    assert event_of(record("x", **EVENT), fmt=["exc_info", "stack_info"]) == EVENT


def test_static_fields_make_every_record_an_event_and_overwrite_nothing() -> None:
    static = {"$schema": "/log/1.0.0", "meta": {"stream": "log", "domain": "d"}, "level": "x"}
    options = {"static_fields": static, "fmt": ["message"]}
    assert event_of(record("said %s", "it", user="u"), **options) == {
        **static,
        "user": "u",
        "message": "said it",
    }
    added = event_of(record("x", **EVENT), **options)
    assert added == {**static, **EVENT, "meta": {"stream": "sample.basic", "domain": "d"}, "message": "x"}
    assert event_of(record("x"), static_fields={"level": "x"}) is None
    assert static == {"$schema": "/log/1.0.0", "meta": {"stream": "log", "domain": "d"}, "level": "x"}


class Own:
    """Of the application, and no JSON."""


def test_an_ordinary_record_is_not_lost_for_its_extras() -> None:
    """They neither change which event it is nor need they be JSON."""
    static = {"$schema": "/log/1.0.0", "meta": {"stream": "log"}}
    extras = {"meta": {"stream": "x", "id": "x", "own": 1}, "dt": "yesterday", "own": Own(), "keys": {1: 2}}
    extras |= {"number": float("nan"), "when": datetime(2020, 1, 1, tzinfo=timezone.utc)}
    added = event_of(record("said \ud800", **extras), static_fields=static, fmt=["message"])
    assert added == {
        **static,
        "message": "said ?",
        "meta": {"stream": "log", "own": 1},
        "own": "<Own>",
        "keys": "<dict>",
        "number": "<float>",
        "when": "2020-01-01T00:00:00+00:00",
    }
    assert event_of(record("x", meta="text"), static_fields=static) == static


def test_an_event_in_place_of_the_message_is_no_message() -> None:
    assert event_of(record(EVENT), fmt=["message", "levelname"]) == {**EVENT, "levelname": "INFO"}


def test_a_mapping_is_taken_whole() -> None:
    assert event_of(record("x", event=UserDict(EVENT))) == EVENT


def test_options_without_effect_are_refused() -> None:
    for name in ("timestamp", "defaults", "json_default", "json_encoder", "no_such_option"):
        with pytest.raises(ConfigurationError, match=f"{name}.* no effect"):
            EventFormatter(**{name: {}})
    with pytest.raises(ConfigurationError, match=r"levelname can not become log\.level"):
        EventFormatter(
            fmt=["levelname"], rename_fields={"levelname": "log.level"}, static_fields={"log": "x"}
        )


def test_static_fields_may_refer_to_things_outside() -> None:
    """`dictConfig` resolves what is nested only when it is accessed."""
    converted = logging.config.DictConfigurator({"meta": {"python": "ext://sys.byteorder"}}).config
    assert event_of(record("x", **EVENT), static_fields=converted)["meta"]["python"] == sys.byteorder  # type: ignore[index]


def test_the_same_formatter_prints_the_same_event() -> None:
    formatter = EventFormatter()
    assert json.loads(formatter.format(record("x", **EVENT))) == EVENT
    assert json.loads(formatter.format(record("said %s", "it"))) == {"message": "said it"}


class Color(Enum):
    RED = "red"
    MIXED = (1, 2)


class Level(IntEnum):
    LOW = 1


class Word(str, Enum):
    YES = "yes"


@dataclass
class Point:
    x: int
    inner: Any


UTC2 = timezone(timedelta(hours=2))
VALUES: dict[str, Any] = {
    "datetime": datetime(2024, 1, 2, 3, 4, 5, 678901, UTC2),
    "naive datetime": datetime(2024, 1, 2),
    "date": date(2024, 1, 2),
    "time": time(3, 4, 5),
    "timedelta": timedelta(days=1, seconds=2),
    "UUID": UUID(int=5),
    "Decimal": Decimal("1.50"),
    "Enum": Color.RED,
    "Enum of a tuple": Color.MIXED,
    "IntEnum": Level.LOW,
    "Enum of texts": Word.YES,
    "dataclass": Point(1, Point(2, [UUID(int=1), Color.RED, b"z", date(2024, 1, 2)])),
    "bytes": b"\xff\x00abc",
    "bytearray": bytearray(b"xy"),
    "set": {"a"},
    "path": PurePosixPath("/a/b"),
    "address": ip_address("::1"),
    "exception": ValueError("why"),
    "class": int,
    "tuples": (1, (2, 3)),
    "text": '\u00e9\u2028\U0001f600\x7f\n\\"',
    "numbers": [1.5, 1e-7, 2**60, -(2**63), True, None],
    "memoryview": memoryview(b"xy"),
    "array": array("b", [1, 2]),
    "whole floats": [1.0, 1e16, -0.0],
}


def printed_and_sent(event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a `StreamHandler` with the formatter prints, and what the handler sends."""
    sink, stream = MemorySink(), StringIO()
    printing = logging.StreamHandler(stream)
    printing.setFormatter(EventFormatter())
    with application(sink=sink, **keywords()) as app:
        app.logger.addHandler(printing)
        app.logger.info("x", extra=event)
        assert app.handler.flush()
    [message] = sink.messages
    return json.loads(stream.getvalue()), json.loads(message.value)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_the_event_that_a_stream_handler_prints_is_the_one_that_is_sent(value: Any) -> None:
    printed, sent = printed_and_sent(basic(level="own", value=value, nested={"deep": [value]}))
    del sent["dt"], sent["meta"]["dt"], sent["meta"]["id"]  # the producer sets them
    assert json.dumps(printed, sort_keys=True) == json.dumps(sent, sort_keys=True)


def test_times_are_printed_as_they_are_sent() -> None:
    event = basic(dt=datetime(2024, 1, 2, 3, 4, 5, 678901, UTC2))
    event["meta"]["dt"] = datetime(2024, 1, 2, 3, 4, 6, tzinfo=UTC2)
    printed, sent = printed_and_sent(event)
    assert (sent["dt"], sent["meta"]["dt"]) == ("2024-01-02T01:04:05.678Z", "2024-01-02T01:04:06.000Z")
    assert (printed["dt"], printed["meta"]["dt"]) == (sent["dt"], sent["meta"]["dt"])


def test_neither_record_nor_event_is_changed() -> None:
    one = record("x", event=EVENT)
    before = dict(vars(one))
    formatter = EventFormatter(fmt=["levelname"], rename_fields={"levelname": "meta.level"})
    added = formatter.event(one)
    assert added and added["meta"] == {"stream": "sample.basic", "level": "INFO"}
    assert vars(one) == before
    assert basic(7, text="t") == EVENT


def test_extras_that_share_their_parts_show_as_their_class() -> None:
    inner: Any = "x"
    for _ in range(60):
        inner = [inner, inner]
    static = {"$schema": "/log/1.0.0", "meta": {"stream": "log"}}
    added = event_of(record("x", own=inner), static_fields=static)
    assert added and added["own"] == "<list>"


def test_names_are_remembered_within_bounds() -> None:
    formatter = EventFormatter()
    for number in range(3_000):
        event = formatter.event(record("x", **EVENT, **{f"k{number}": 1, f"_k{number}": 1}))
        assert event == {**EVENT, f"k{number}": 1}
    assert len(formatter.is_field) <= 1_000
