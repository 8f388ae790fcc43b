"""What the content of an event may be (rows E1 to E7): that one event is judged, and no other harmed."""

from __future__ import annotations

import dataclasses
import enum
import json
import logging
import time
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from eplogging.sinks import MemorySink
from tests.hostile.outcomes import outcome
from tests.support.application import SCHEMAS, STREAMS, Application, basic
from tests.support.processes import run_python


def nested(levels: int) -> dict[str, Any]:
    """An event nested this deep, itself included."""
    event = basic()
    inner: dict[str, Any] = event
    for _ in range(levels - 1):
        inner["x"] = inner = {}
    return event


@pytest.mark.parametrize("levels", [10, 64])
def test_e1_up_to_64_levels_pass(levels: int, app: Application, sink: MemorySink) -> None:
    reason, sent = outcome(app, sink, nested(levels))
    assert reason is None
    assert sent["x"] == nested(levels)["x"]


@pytest.mark.parametrize("levels", [65, 1_000, 100_000])
def test_e1_deeper_ones_are_rejected(levels: int, app: Application, sink: MemorySink) -> None:
    reason, error = outcome(app, sink, nested(levels))
    assert reason == "not_json"
    assert "more than 64 levels" in error["message"]


WRAPPED = {"objects": "{'a': deep}", "lists": "[deep]"}


@pytest.mark.parametrize("kind", WRAPPED)
def test_e1_a_million_levels_do_not_end_the_process(kind: str) -> None:
    """In a process of its own, since what could go wrong here is a crash."""
    program = (
        "import logging, sys\n"
        "from eplogging import EventPlatformHandler\n"
        "from eplogging.sinks import MemorySink\n"
        "h = EventPlatformHandler(sink=MemorySink(), schema_base_uris=[sys.argv[1]],\n"
        "    schema_file_extension='.yaml', stream_config_uri=sys.argv[2], topic_prefix='eqiad.')\n"
        "logging.getLogger('eplogging').setLevel(60)\n"
        "log = logging.getLogger('x'); log.addHandler(h); log.setLevel('INFO')\n"
        "meta = {'stream': 'sample.basic'}\n"
        "deep = []\n"
        f"for _ in range(1_000_000): deep = {WRAPPED[kind]}\n"
        "for event in ({'x': deep}, {'x': 1}):\n"
        "    log.info('x', extra={'$schema': '/sample/basic/1.0.0', 'meta': meta, **event})\n"
        "assert h.flush()\n"
        "stats = h.stats()\n"
        "print(dict(stats.rejected), stats.delivered)\n"
    )
    finished = run_python(program, str(SCHEMAS), str(STREAMS))
    assert finished.code == 0, finished.stderr
    assert finished.stdout.strip() == "{('not_json', 'sample.basic'): 1} 1"


def circular(kind: str) -> dict[str, Any]:
    event = basic()
    loops: dict[str, Any] = {"itself": event, "meta": event["meta"], "wide list": [], "pair": [[]]}
    loops["wide list"] += [loops["wide list"]] * 1000
    loops["pair"][0] += [loops["pair"], loops["pair"]]
    event["x"] = loops[kind]
    if kind == "meta":
        event["meta"]["x"] = event["meta"]
    return event


@pytest.mark.parametrize("kind", ["itself", "meta", "wide list", "pair"])
def test_e2_what_contains_itself(kind: str, app: Application, sink: MemorySink) -> None:
    before = time.process_time()
    reason, error = outcome(app, sink, circular(kind))
    assert time.process_time() - before < 2
    assert reason == "not_json"
    assert "contains itself" in error["message"]


REFUSED: dict[str, tuple[Any, str]] = {
    "E3 NaN": (float("nan"), "/x is nan"),
    "E3 Infinity": (float("inf"), "/x is inf"),
    "E3 -Infinity, deep": ({"a": [0, float("-inf")]}, "/x/a/1 is -inf"),
    "E4 2^63": (2**63, "/x is an integer beyond 64 bits"),
    "E4 2^64": ({"a": 2**64}, "/x/a is an integer beyond 64 bits"),
    "E4 -2^64": (-(2**64), "/x is an integer beyond 64 bits"),
    "E4 10^5000": (10**5000, "/x is an integer beyond 64 bits"),
    "E5 surrogate": ("a\ud800", "/x holds a lone surrogate"),
    "E5 surrogate in a key": ({"\udfff": 1}, "lone surrogate"),
    "E6 integer key": ({1: "a", "1": "b"}, "/x has a key of type int"),
    "E6 None key": ({None: 1}, "/x has a key of type NoneType"),
    "E6 tuple key": ({(1,): 1}, "/x has a key of type tuple"),
    "E7 object": (object(), "/x is of type object"),
    "E7 generator": ((i for i in range(3)), "/x is of type generator"),
    "E7 lock": (logging._lock, "/x is of type"),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_json_has_no_form_for(name: str, app: Application, sink: MemorySink) -> None:
    value, says = REFUSED[name]
    reason, error = outcome(app, sink, basic(x=value))
    assert reason == "not_json"
    assert says in error["message"]


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    when: date


TAKEN: dict[str, tuple[Any, Any]] = {
    "E3 Decimal NaN is a text": (Decimal("NaN"), "NaN"),
    "E4 2^53+1": (2**53 + 1, 2**53 + 1),
    "E4 2^63-1": (2**63 - 1, 2**63 - 1),
    "E5 NUL": ("a\0b", "a\0b"),
    "E5 U+2028": ("a\u2028\u2029b", "a\u2028\u2029b"),
    "E7 bytes": (b"abc", "YWJj"),
    "E7 set": ({7}, "{7}"),
    "E7 Decimal": (Decimal("1.50"), "1.50"),
    "E7 UUID": (uuid.UUID(int=7), str(uuid.UUID(int=7))),
    "E7 Enum": (Colour.RED, "red"),
    "E7 dataclass": (Point(1, date(2024, 1, 2)), {"x": 1, "when": "2024-01-02"}),
    "E7 datetime with a zone": (datetime(2024, 1, 2, tzinfo=timezone.utc), "2024-01-02T00:00:00+00:00"),
    "E7 naive datetime, as text": (datetime(2024, 1, 2), "2024-01-02T00:00:00"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_value_that_is_taken_or_converted(name: str, app: Application, sink: MemorySink) -> None:
    value, expected = TAKEN[name]
    reason, sent = outcome(app, sink, basic(x=value))
    assert reason is None
    assert sent["x"] == expected


def test_e5_invalid_utf8_is_sent_as_something_valid_or_rejected(app: Application, sink: MemorySink) -> None:
    reason, _ = outcome(app, sink, basic(x=b"\xff\xfe\x80"))
    assert reason in (None, "not_json")
    for message in sink.messages:
        assert json.loads(message.value.decode("utf-8"))


@pytest.mark.parametrize("field", ["dt", "meta.dt"])
@pytest.mark.parametrize("instant", [datetime(2024, 1, 2, 3, 4), datetime.min, datetime.max])
def test_e7_a_naive_datetime_is_no_instant(
    field: str, instant: datetime, app: Application, sink: MemorySink
) -> None:
    event = basic()
    (event["meta"] if field == "meta.dt" else event)["dt"] = instant
    reason, error = outcome(app, sink, event)
    assert reason in ("not_json", "schema_violation")  # before or after it became a text
    assert "dt:" in error["message"]
