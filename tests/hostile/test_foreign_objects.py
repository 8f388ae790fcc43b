"""No method of a class of others is called when an event is taken and made JSON (row E8)."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import ipaddress
import logging
import pathlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest

from eplogging import EventFormatter, bind_event_fields
from eplogging.conformance import NotJSONError
from eplogging.conformance.conversions import class_name
from eplogging.conformance.jsondata import plain
from eplogging.errorevents import raw_event
from eplogging.redaction import Redaction
from eplogging.sinks import MemorySink
from tests.hostile.outcomes import outcome
from tests.support.application import Application, application, basic, keywords

CALLED: list[str] = []
ARMED: list[bool] = []
"""Not empty while classes tell of calls that Python itself needs to make their objects."""


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


class OfSpyingMeta(type):
    """Answers for its classes, whatever is asked of them."""

    def __getattribute__(cls, name: str) -> Any:
        if ARMED:
            CALLED.append(f"metaclass {name}")
        return super().__getattribute__(name)

    def __hash__(cls) -> int:
        if ARMED:
            CALLED.append("metaclass hash")
        return super().__hash__()


@dataclasses.dataclass
class Plane(metaclass=OfSpyingMeta):
    x: int = 1


@dataclasses.dataclass
class Worked:
    """A dataclass with a field that its class works out."""

    x: int

    @property  # type: ignore[no-redef]
    def x(self) -> int:
        CALLED.append("property")
        return 1

    @x.setter
    def x(self, value: int) -> None:
        pass


@dataclasses.dataclass(slots=True)
class Slotted:
    x: int = 1
    y: dataclasses.InitVar[int] = 2
    Z: ClassVar[int] = 3


class Name(str):
    """A text that tells when it is looked up, shown or compared."""

    def _called(self, *_args: Any) -> Any:
        if ARMED:
            CALLED.append("key")
        return str.__hash__(self)

    __hash__ = _called  # type: ignore[assignment]
    __str__ = __format__ = encode = _called  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if ARMED:
            CALLED.append("key")
        return str.__eq__(self, other)


class Foreign(Mapping[str, Any]):
    """A mapping that is no dict: whoever wants to know what is in it must ask it."""

    def _called(self, *_args: Any) -> Any:
        CALLED.append("mapping")
        raise RuntimeError

    __getitem__ = __iter__ = __len__ = __contains__ = keys = items = get = _called  # type: ignore[assignment]


class Zone(datetime.tzinfo):
    """A zone whose exception tells when it is shown."""

    def utcoffset(self, _when: datetime.datetime | None) -> datetime.timedelta:
        raise spying(RuntimeError, "__str__", "__repr__")(Member())


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
    "a dataclass of a metaclass": (Plane(), {"x": 1}),
    "a dataclass with slots": (Slotted(), {"x": 1}),
    "a frozenset": (
        spying(frozenset, "__iter__", "__len__", "__contains__", "__repr__")({7}),
        "frozenset({7})",
    ),
    "bytes": (spying(bytes, "__bytes__", "__iter__", "__getitem__", "__len__")(b"abc"), "YWJj"),
    "a duration": (spying(datetime.timedelta, "__str__", "total_seconds")(seconds=5), "0:00:05"),
    "an IP address": (spying(ipaddress.IPv4Address, "__str__")("10.0.0.1"), "10.0.0.1"),
    "a subclass that changes nothing": (type("P", (type(pathlib.Path()),), {})("/a"), "/a"),
}
REFUSED: dict[str, Any] = {
    "a liar": Liar(),
    "of a metaclass": OfMeta(),
    "a set of objects": {Member()},
    "a UUID of its own number": object.__new__(type("U", (uuid.UUID,), {"int": property(Member.__repr__)})),
    "a path of its own parts": spying(pathlib.PurePosixPath, "_format_parsed_parts", "drive")("a"),
    "an IP address of its own": spying(ipaddress.IPv4Address, "_string_from_ip_int")("10.0.0.1"),
    "a field that is worked out": Worked(1),
    "a mapping": Foreign(),
}


@pytest.fixture(autouse=True)
def _nothing_called() -> Iterator[None]:
    CALLED.clear()
    ARMED.append(True)
    yield
    ARMED.clear()
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


def disarmed(make: Callable[[], Any]) -> Any:
    """What is made while Python may call what it must."""
    ARMED.clear()
    try:
        return make()
    finally:
        ARMED.append(True)


OwnDict = spying(dict, "items", "keys", "values", "__iter__", "__getitem__", "get", "__contains__", "copy")


def event_of_keys(**fields: Any) -> Any:
    """An event of a class of its own, with a key of a class of its own."""
    return disarmed(lambda: OwnDict({**basic(1, **fields), Name("own"): {Name("k"): 1}}))


@pytest.mark.parametrize("state", ["cold", "warm"])
@pytest.mark.parametrize("how", ["event", "message"])
@pytest.mark.parametrize("with_fields", ["bound", "static", "nothing"])
def test_e8_an_event_and_its_keys_may_be_of_any_class(
    with_fields: str, how: str, state: str, app: Application, sink: MemorySink
) -> None:
    if state == "warm":
        app.logger.info("x", extra=basic(2))
        assert app.handler.flush()
    options = {"options": {"depth": 3}}
    if with_fields == "static":
        app.handler.setFormatter(EventFormatter(static_fields=options))
    event = event_of_keys(options=OwnDict(a=1))
    with bind_event_fields(**(options if with_fields == "bound" else {})):
        if how == "event":
            app.logger.info("x", extra={"event": event})
        else:
            app.logger.info(event)
    assert app.handler.flush()
    assert app.reports.lines == []
    assert b'"own":{"k":1}' in sink.messages[-1].value
    assert b'"a":1' in sink.messages[-1].value


@pytest.mark.parametrize("state", ["cold", "warm"])
@pytest.mark.parametrize("with_fields", ["bound", "static", "nothing"])
def test_e8_a_key_that_is_no_text_is_refused(
    with_fields: str, state: str, app: Application, sink: MemorySink
) -> None:
    if with_fields == "static":
        app.handler.setFormatter(EventFormatter(static_fields={"options": {"depth": 3}, "text": "t"}))
    for event in (basic(1, options=OwnDict({1: 2})), OwnDict({**basic(1), 1: 2}), {**basic(1), 1: 2}):
        if state == "warm":
            app.logger.info("x", extra=basic(2))
            assert app.handler.flush()
        with bind_event_fields(**({"options": {"depth": 3}} if with_fields == "bound" else {})):
            app.logger.info("x", extra={"event": event})
        assert app.handler.flush()
        assert "has a key of type int" in app.reports.lines.pop()
    assert dict(app.stats.dropped) == {}


def test_e8_an_attribute_whose_name_is_no_text_is_refused(app: Application) -> None:
    app.logger.info("x", extra={**basic(1), 1: 2})  # type: ignore[dict-item]
    assert app.handler.flush()
    assert "has a key of type int" in app.reports.lines[-1]
    assert dict(app.stats.dropped) == {}


def test_e8_a_mapping_that_must_be_asked_is_no_event(app: Application) -> None:
    app.logger.info("x", extra={"event": Foreign()})
    assert app.stats.accepted == 0


def test_e8_what_a_time_zone_raises_is_not_shown(app: Application, sink: MemorySink) -> None:
    reason, error = outcome(app, sink, {**basic(1), "dt": datetime.datetime(2020, 1, 1, tzinfo=Zone())})
    assert reason == "not_json"
    assert "/dt: <Member>" in error["message"]


def test_e8_bound_fields_are_asked_nothing() -> None:
    with bind_event_fields(meta=OwnDict(request_id="r")):
        pass
    with pytest.raises(NotJSONError):
        bind_event_fields(meta=Liar())


def test_e8_what_goes_wrong_within_shows_nothing_of_the_message(
    app: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`logging.Handler.handleError` shows the `repr` of message and arguments."""

    def fail(*_args: Any, **_others: Any) -> Any:
        raise spying(RuntimeError, "__str__", "__repr__")("broken", Member())

    monkeypatch.setattr(app.handler._conformer, "conform", fail)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    monkeypatch.setattr(app.handler._conformer, "conforms_fast", True)
    extra = {"event": basic(1)}
    app.handler.handle(app.logger.makeRecord("app", 20, __file__, 7, Member(), (Member(),), None, "f", extra))
    told = capsys.readouterr().err
    assert "OwnRuntimeError: broken, <Member>" in told
    assert "in fail" in told and f"Logged by {__file__}:7 in f" in told
    assert sum(app.stats.dropped.values()) == 1


def test_e8_the_name_of_a_class_is_a_text() -> None:
    class Own:
        pass

    Own.__name__ = disarmed(lambda: Name("Own"))
    assert type(class_name(Own())) is str
    with pytest.raises(NotJSONError, match="is of type Own"):
        plain({"x": Own()})


def test_e8_a_value_that_leads_to_itself() -> None:
    class Own(enum.Enum):
        ONE = 1

    Own.ONE.__dict__["_value_"] = Own.ONE
    with pytest.raises(NotJSONError, match=r"nested too deep|RecursionError"):  # the latter from 3.12
        plain({"x": Own.ONE})
