"""No method of a class of others is called when an event is taken and made JSON (row E8)."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from eplogging import EventFormatter
from eplogging.conformance.jsondata import plain
from eplogging.errorevents import raw_event
from eplogging.redaction import Redaction
from eplogging.sinks import MemorySink
from tests.hostile.outcomes import outcome
from tests.support.application import Application, application, basic, keywords

CALLED: list[str] = []


def spying(base: type, *names: str) -> type:
    """A subclass each of whose named methods tells that it was called, and then fails."""

    def method(name: str) -> Any:
        def called(self: Any, *_args: Any) -> Any:
            CALLED.append(f"{base.__name__}.{name}")
            raise RuntimeError("called")

        return called

    return type(f"Own{base.__name__}", (base,), {name: method(name) for name in names})


class Liar:
    @property
    def __class__(self) -> type:  # type: ignore[override]
        CALLED.append("__class__")
        return dict


class Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        CALLED.append("__name__")
        return "no"


class OfMeta(metaclass=Meta):
    pass


@dataclasses.dataclass
class Point:
    x: int = 1

    def __getattribute__(self, name: str) -> Any:
        CALLED.append(name)
        raise RuntimeError("called")


class Member:
    def __repr__(self) -> str:
        CALLED.append("repr")
        return "member"

    __str__ = __repr__


class Colour(enum.Enum):
    RED = "red"


OBJECTS: dict[str, tuple[Any, Any]] = {
    "a path": (spying(pathlib.PurePosixPath, "__str__", "__fspath__")("/a/b"), "/a/b"),
    "a Decimal": (spying(decimal.Decimal, "__str__", "__repr__", "__format__")("1.5"), "1.5"),
    "a UUID": (spying(uuid.UUID, "__str__")(int=7), str(uuid.UUID(int=7))),
    "a date": (spying(datetime.date, "isoformat", "__str__")(2020, 1, 2), "2020-01-02"),
    "a datetime": (spying(datetime.datetime, "isoformat", "__str__")(2020, 1, 2), "2020-01-02T00:00:00"),
    "a text": (spying(str, "__str__", "encode", "isascii", "__eq__")("text"), "text"),
    "an integer": (spying(int, "__int__", "__str__", "__index__")(7), 7),
    "a dict": (spying(dict, "items", "keys", "__iter__", "__getitem__", "get")({"a": 1}), {"a": 1}),
    "a list": (spying(list, "__iter__", "__len__", "__getitem__")([1, 2]), [1, 2]),
    "an exception": (spying(ValueError, "__str__", "__repr__")("why"), "OwnValueError: why"),
    "an exception of objects": (ValueError(Member()), "ValueError: <Member>"),
    "a set": ({7}, "{7}"),
    "an enum": (Colour.RED, "red"),
    "a dataclass": (Point(), {"x": 1}),
}
REFUSED: dict[str, Any] = {"a liar": Liar(), "of a metaclass": OfMeta(), "a set of objects": {Member()}}


@pytest.fixture(autouse=True)
def _nothing_called() -> Iterator[None]:
    CALLED.clear()
    yield
    assert CALLED == []


@pytest.mark.parametrize("name", OBJECTS)
def test_e8_it_is_converted_by_pythons_own_method(name: str) -> None:
    value, expected = OBJECTS[name]
    assert plain({"x": value, "y": [value]}) == {"x": expected, "y": [expected]}


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def app(sink: MemorySink) -> Iterator[Application]:
    with application(sink=sink, **keywords(error_stream="sample.errors")) as app:
        yield app


@pytest.mark.parametrize("name", [*OBJECTS, *REFUSED])
def test_e8_cold_and_warm(name: str, app: Application, sink: MemorySink) -> None:
    for _ in range(2):
        value = OBJECTS[name][0] if name in OBJECTS else REFUSED[name]
        reason, _ = outcome(app, sink, basic(1, x=value))
        assert reason == (None if name in OBJECTS else "not_json")
    app.logger.info("x", extra=basic(2))
    assert app.handler.flush()
    assert b'"number":2' in sink.messages[-1].value


def test_e8_a_record_that_is_no_event_is_asked_nothing(app: Application) -> None:
    for message in (Liar(), OfMeta()):
        app.logger.info(message)
    assert app.stats.accepted == 0


def test_e8_an_ordinary_record_shows_the_class(app: Application) -> None:
    record = app.logger.makeRecord("app", 20, "f", 1, "x", (), None, "f", {"own": Liar(), "of": OfMeta()})
    event = EventFormatter(static_fields={"$schema": "/log/1.0.0", "meta": {"stream": "s"}}).event(record)
    assert event is not None
    assert (event["own"], event["of"]) == ("<Liar>", "<OfMeta>")


def test_a_key_of_a_class_of_its_own_hides_nothing_from_redaction() -> None:
    class Field(str):
        pass

    for event in (
        {"author": {Field("name"): "hunter2"}},
        {"author": {Field("name"): "hunter2"}, "n": float("nan")},
    ):
        assert "hunter2" not in raw_event(event, redaction=Redaction(["author.name"]))
