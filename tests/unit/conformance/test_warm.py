"""The warm path in C: what it makes, what it leaves to Python; it neither leaks nor changes anything."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from eplogging.conformance import Conformer, NotJSONError, fields, instants
from eplogging.conformance.accelerated import PURE_PYTHON, WarmPath, selected
from eplogging.conformance.message import Message
from tests.unit.conformance.world import NEW_ID, NOW, NOW_TEXT, event, needs_fast

pytestmark = [
    needs_fast,
    pytest.mark.skipif(WarmPath is None, reason="what is written in C was not built, or is left out"),
]

Made = tuple[dict[str, Any], Any, Mapping[str, Any] | None]

DT = "2020-01-01T00:00:00.5Z"
PAGE = {"page_id": 7, "title": None, "namespace": {"id": 0}}


def at(dt: str) -> dict[str, Any]:
    return {**event(), "meta": {"stream": "test.event", "dt": dt}}


MAKES: dict[str, Made] = {
    "bare": (event(), None, None),
    "with fields": (event(name="x", count=7, tags={"a": "b"}, free=[1, None, {"a": []}]), None, None),
    "with an event time": (event(), 1577836800.25, None),
    "with an event time at the end of all years": (event(), 253402300799.0, None),
    "with its own dt": (event(dt=DT), 1577836800.25, None),
    "with its own dt, written oddly": (event(dt="2020-01-01 00:00:00+0100"), None, None),
    "with its own meta": ({**event(), "meta": {"stream": "test.event", "dt": DT, "id": "mine"}}, None, None),
    "from before 1970": (at("1969-01-01T00:00:00Z"), None, None),
    "from the future": (at("2999-01-01T00:00:00Z"), None, None),
    "with bound fields": (event(), None, {"name": "bound", "unknown": 1, "meta": {"request_id": "r"}}),
    "with a bound field of its own": (event(name="own"), None, {"name": "bound"}),
    "with a key": (event(stream="test.keyed", page=PAGE), None, None),
    "with defaults": (event("/test/defaults/1.0.0", "test.defaults", size=7), None, None),
}  # fmt: skip
LEAVES: dict[str, Any] = {
    "no dict": [],
    "a dict of a subclass": type("Event", (dict,), {})(event()),
    "no schema": {"meta": {"stream": "test.event"}},
    "a schema that is no text": {**event(), "$schema": 7},
    "a schema that was not looked up": event("/test/event/7.0.0"),
    "no meta": {"$schema": "/test/event/1.0.0"},
    "meta of a subclass": {**event(), "meta": type("Meta", (dict,), {})(stream="test.event")},
    "no stream": {**event(), "meta": {}},
    "an empty stream": event(stream=""),
    "an unknown stream": event(stream="test.unknown"),
    "a stream that nothing can be sent to": event(stream="test.no_title"),
    "a stream of another title": event(stream="test.defaults"),
    "no value for the key": event(stream="test.keyed"),
    "half a value for the key": event(stream="test.keyed", page={"page_id": 7}),
    "a float": event(free=1.5),
    "a float among its defaults": event("/test/defaults/1.0.0", "test.defaults"),
    "a large integer": event(free=2**70),
    "a datetime": event(dt=datetime(2020, 1, 1, tzinfo=timezone.utc)),
    "an impossible instant": event(dt="2020-02-30T00:00:00Z"),
    "no instant": event(dt="yesterday"),
    "an invalid value": event(count="x"),
    "a name that is no text": event(free={1: 2}),
    "something else": event(free=object()),
    "half a character": event(free="\ud800"),
    "too deep": event(free=eval("[" * 90 + "]" * 90)),
    "too large": event(free="x" * 1_000_000),
}


@pytest.fixture
def conformer(make: Callable[..., Conformer], still: None) -> Conformer:
    return looked_up(make())


def looked_up(conformer: Conformer) -> Conformer:
    for stream in ("test.event", "test.keyed", "test.no_title"):
        try:
            conformer.look_up(event(stream=stream))
        except Exception:
            assert stream == "test.no_title"
    conformer.look_up(event("/test/defaults/1.0.0", "test.defaults"))
    return conformer


def warm(conformer: Conformer, event: Any, event_time: Any = None, bound: Any = None) -> Message | None:
    assert conformer.warm is not None
    return conformer.warm(event, event_time, bound, False) or None


def test_what_was_judged_in_c_is_not_judged_so_again(
    conformer: Conformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eplogging.conformance.conformer.fast_writer", None)
    assert conformer.warm is not None and conformer.warm(event(free=1.5), None, None, False) is False
    assert conformer.conform(event(free=1.5)).value.endswith(b'"free":1.5,"dt":"%s"}' % NOW_TEXT.encode())


@pytest.mark.parametrize("name", MAKES)
def test_it_makes_what_python_makes(name: str, conformer: Conformer) -> None:
    given, event_time, bound = MAKES[name]
    before = copy.deepcopy((given, bound))
    made = warm(conformer, given, event_time, bound)
    assert type(made) is Message
    conformer.warm = None
    same = conformer.conform(given, event_time=event_time, bound=bound)
    assert (made, hash(made)) == (same, hash(same))
    assert (given, bound) == before


@pytest.mark.parametrize("name", LEAVES)
def test_the_rest_is_python_s(name: str, conformer: Conformer) -> None:
    assert warm(conformer, event()) is not None
    given = LEAVES[name]
    if type(given) is dict:
        before = dict(given)
        assert not warm(conformer, given)
        assert list(map(id, before.values())) == list(map(id, given.values()))
    else:
        assert warm(conformer, given) is None


@pytest.mark.parametrize("event_time", [7, -1.0, 1e12, float("nan"), "2020", datetime(2020, 1, 1)])
def test_event_times_that_are_python_s(event_time: Any, conformer: Conformer) -> None:
    assert warm(conformer, event(), event_time) is None


@pytest.mark.parametrize("dt_field", ["dt", "tags.when", "none.at.all"])
def test_another_dt_field(dt_field: str, make: Callable[..., Conformer], still: None) -> None:
    conformer = looked_up(make(dt_field=dt_field))
    made = warm(conformer, event(dt=DT, tags={"when": "2020-01-02T00:00:00Z"}))
    assert made is not None
    assert made.timestamp == {"dt": 1577836800500, "tags.when": 1577923200000}.get(dt_field, NOW)


def test_a_message_of_just_the_most_bytes(make: Callable[..., Conformer], still: None) -> None:
    size = conformed_size = 0
    for most in (1_000_000, 0):
        conformer = looked_up(make(max_message_bytes=most or conformed_size + 36))
        made = warm(conformer, event(stream="test.keyed", page=PAGE))
        assert made is not None
        size = conformed_size = made.size
    conformer = looked_up(make(max_message_bytes=size + 35))
    assert warm(conformer, event(stream="test.keyed", page=PAGE)) is None


def test_seconds_change(make: Callable[..., Conformer], still: None, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((NOW - 1000, NOW, NOW, NOW + 876, NOW + 877, NOW))
    monkeypatch.setattr(instants, "clock", lambda: (next(times) + 0.5) / 1000)
    conformer = looked_up(make())
    texts = [b"26:39.123", b"26:40.123", b"26:40.123", b"26:40.999", b"26:41.000", b"26:40.123"]
    for text in texts:
        made = warm(conformer, event())
        assert made is not None and made.value.count(text) == 2


def test_an_own_event_is_not_copied(conformer: Conformer) -> None:
    given = event()
    assert conformer.warm is not None and conformer.warm(given, None, None, True) is not None
    assert given["dt"] == NOW_TEXT and given["meta"]["id"] == NEW_ID


def test_ids_are_used_once(make: Callable[..., Conformer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "ids", ["first", "second"])
    monkeypatch.setattr(fields, "new_id", lambda: "new")
    conformer = looked_up(make())
    values = [made.value for _ in range(3) if (made := warm(conformer, event()))]
    assert [value.partition(b'"id":"')[2].partition(b'"')[0] for value in values] == [
        b"second",
        b"first",
        b"new",
    ]


@pytest.mark.parametrize("name", ["clock", "new_id", "parse", "merge", "isoformat"])
@pytest.mark.parametrize("error", [ValueError, NotJSONError, ZeroDivisionError, KeyboardInterrupt])
def test_what_is_raised_meanwhile(
    name: str, error: type[BaseException], make: Callable[..., Conformer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A judgement makes the event Python's; what else is raised, by a signal handler say, is passed on."""

    def raises(*_: Any) -> Any:
        raise error("x")

    monkeypatch.setattr(fields, "ids", [])
    monkeypatch.setattr(fields if hasattr(fields, name) else instants, name, raises)
    conformer = looked_up(make())
    given = event(dt=DT) if name == "parse" else event()
    if error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error):
            warm(conformer, given, None, {"name": "x"})
    else:
        assert warm(conformer, given, None, {"name": "x"}) is None


class Odd:
    """A key that looks like `dt` until it is compared."""

    __hash__ = "dt".__hash__

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError("x")


@pytest.mark.parametrize("where", ["event", "meta"])
def test_a_key_that_raises(where: str, conformer: Conformer) -> None:
    given = event()
    holder: dict[Any, Any] = given if where == "event" else given["meta"]
    holder[Odd()] = 1
    with pytest.raises(ZeroDivisionError):
        warm(conformer, given)


def test_memory_does_not_grow(conformer: Conformer) -> None:
    """Here no stock of ids comes and goes, which would be 20 KB."""
    cases = [*MAKES.values(), *((given, None, None) for given in LEAVES.values() if type(given) is dict)]

    def all_cases() -> None:
        for given, event_time, bound in cases:
            warm(conformer, given, event_time, bound)
            selected(given, dict.fromkeys(given, True))

    all_cases()
    tracemalloc.start()
    try:
        for _ in range(20):
            all_cases()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            all_cases()
        assert tracemalloc.get_traced_memory()[0] - before < 200 * 8
    finally:
        tracemalloc.stop()


def test_references_are_given_back(conformer: Conformer) -> None:
    shared = {name: object() for name in ("$schema", "other")}
    given, bound = event(page=PAGE, stream="test.keyed"), {"name": "x"}
    parts = [given, given["meta"], PAGE, bound, None, True, *shared.values()]
    before = list(map(sys.getrefcount, parts))
    for _ in range(100):
        warm(conformer, given, None, bound)
        warm(conformer, shared)
        selected(shared, {"$schema": True, "other": False})
    after = list(map(sys.getrefcount, parts))
    assert all(abs(one - other) < 50 for one, other in zip(before, after, strict=True)), (before, after)


def test_selected() -> None:
    wanted = {"a": True, "b": False}
    assert selected({"a": 1, "b": 2}, wanted) == {"a": 1}
    assert selected({}, wanted) == {}
    assert selected({"a": 1, "c": 2}, wanted) is None
    assert selected({1: 1}, wanted) is None  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="two dicts"):
        selected([], wanted)  # type: ignore[arg-type]


def test_wrong_calls_are_told(conformer: Conformer) -> None:
    assert conformer.warm is not None
    with pytest.raises(TypeError, match="conform takes"):
        conformer.warm(event())  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        WarmPath()  # type: ignore[call-arg]


def test_python_does_without() -> None:
    program = "from eplogging.conformance.accelerated import WarmPath, selected; print(WarmPath, selected)"
    environment = {**os.environ, PURE_PYTHON: "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout == "None None\n", done.stderr
