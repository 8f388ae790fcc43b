"""What objects, sizes and names an event may hold (rows E8 to E11)."""

from __future__ import annotations

import logging
import time
import uuid
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest

from eplogging.conformance import ConfigurationError, Conformer, MessageTooLargeError, ValidationError
from eplogging.conformance.message import OVERHEAD
from eplogging.sinks import MemorySink
from tests.hostile.outcomes import outcome
from tests.support.application import Application, basic, keywords, page
from tests.unit.conformance.world import both_validators


class Hostile:
    """Fails, logs, sleeps and counts whatever method is called."""

    calls: list[str] = []  # noqa: RUF012 - shared on purpose

    def _called(self, *_args: object) -> Any:
        Hostile.calls.append("called")
        logging.getLogger("app").info("from within", extra=basic(1))
        while True:
            time.sleep(10)

    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = _called  # type: ignore[assignment]
    __index__ = __int__ = __float__ = __format__ = __getitem__ = __contains__ = __reduce_ex__ = _called  # type: ignore[assignment]


class HostileDict(dict[str, Any]):
    items = keys = values = __iter__ = __getitem__ = get = Hostile._called  # type: ignore[assignment]


class HostileText(str):
    __str__ = __repr__ = __len__ = encode = isascii = Hostile._called  # type: ignore[assignment]
    __slots__ = ()


class HostileZone(tzinfo):
    def utcoffset(self, _when: datetime | None) -> timedelta:
        raise RuntimeError("no offset")


@pytest.mark.parametrize("where", ["value", "key", "dict", "text", "meta"])
def test_e8_no_method_of_a_foreign_class_is_called(where: str, app: Application, sink: MemorySink) -> None:
    Hostile.calls.clear()
    event = basic()
    if where == "meta":
        event["meta"]["id"] = Hostile()
    else:
        event["x"] = {"value": [Hostile()], "key": {HostileText("k"): Hostile()}, "dict": HostileDict(a=1),
                      "text": HostileText("abc")}[where]  # fmt: skip
    reason, sent = outcome(app, sink, event)
    assert Hostile.calls == []
    if where in ("dict", "text"):
        assert (reason, sent["x"]) == (None, {"a": 1} if where == "dict" else "abc")
    else:
        assert reason == "not_json"


def test_e8_a_time_zone_that_raises(app: Application, sink: MemorySink) -> None:
    reason, _ = outcome(app, sink, {**basic(), "dt": datetime(2024, 1, 1, tzinfo=HostileZone())})
    assert reason == "not_json"


def test_e8_a_conversion_that_logs_itself_again_ends(app: Application, sink: MemorySink) -> None:
    class Logs(tzinfo):
        """A `datetime` asks its time zone, which is code of others."""

        def utcoffset(self, dt: datetime | None) -> timedelta:
            app.logger.info("x", extra=basic(99, x=datetime(2020, 1, 1, tzinfo=self)))
            return timedelta(0)

    reason, sent = outcome(app, sink, basic(x=datetime(2020, 1, 1, tzinfo=Logs())))
    assert reason is None and sent["x"] == "2020-01-01T00:00:00+00:00"
    assert app.stats.accepted == app.stats.delivered <= 20


@pytest.mark.parametrize("filler", ["a", "é", "\U0001f600"])
@pytest.mark.parametrize("stream", ["sample.basic", "sample.page"])
def test_e9_the_size_is_that_of_the_bytes(filler: str, stream: str) -> None:
    def size(limit: int, text: str) -> int:
        conformer = Conformer(**keywords(max_message_bytes=limit))
        event = {"sample.basic": basic(text=text), "sample.page": page(note=text)}[stream]
        event["dt"] = event["meta"]["dt"] = "2024-01-01T00:00:00Z"
        event["meta"]["id"] = str(uuid.UUID(int=7))
        message = conformer.conform(event)
        assert message.size == len(message.value) + len(message.key or b"")
        assert bool(message.key) == (stream == "sample.page")
        return message.size

    text = filler * 1000
    bare = size(1_000_000, text)
    exact = bare + OVERHEAD
    assert size(exact + 1, text) == size(exact, text) == bare
    with pytest.raises(MessageTooLargeError):
        size(exact - 1, text)


@both_validators
@pytest.mark.parametrize("length", [5_000_000, 500_000])
def test_e10_a_large_value_is_not_echoed(length: int, validator: Any) -> None:
    conformer = Conformer(**keywords(validator=validator, max_message_bytes=10**8))
    large = "secret" * (length // 6)
    for wrong in (
        basic(number=large),
        basic(text={large: large}),
        basic(options={"depth": [large]}),
        basic(items=[{"kind": {large: 1}}] * 3),
        basic(level=[large], text=[large], number=[large]),
        {**basic(), "dt": large},
    ):
        with pytest.raises(ValidationError) as caught:
            conformer.conform(wrong)
        assert len(str(caught.value).encode()) <= 2000
        assert sum(len(one.path) + len(one.message) for one in caught.value.violations) < 50_000
        assert "secret" * 20 not in str(caught.value)


def test_e10_a_path_of_large_keys_is_cut(app: Application, sink: MemorySink) -> None:
    reason, error = outcome(app, sink, basic(x={"k" * 1_000_000: float("nan")}))
    assert reason == "not_json"
    assert len(error["raw_event"]) < 250_000


@pytest.mark.parametrize(
    "name", ["__class__", "__dict__", "__proto__", "constructor", "msg", "levelno", "name"]
)
def test_e11_keys_that_mean_something_elsewhere_are_data(
    name: str, app: Application, sink: MemorySink
) -> None:
    reason, sent = outcome(app, sink, basic(**{name: {"$schema": "/x/1.0.0", "meta": {"stream": "x"}}}))
    assert reason is None
    assert sent[name] == {"$schema": "/x/1.0.0", "meta": {"stream": "x"}}
    assert sent["$schema"] == "/sample/basic/1.0.0"
    assert sent["meta"]["stream"] == "sample.basic"


@pytest.mark.parametrize("name", ["message", "asctime", "args", "name"])
def test_e11_names_that_logging_keeps_can_not_be_set_side_by_side(name: str, app: Application) -> None:
    """Logging itself refuses them, for any handler."""
    with pytest.raises(KeyError, match="overwrite"):
        app.logger.info("x", extra={**basic(), name: "user"})
    assert app.stats.accepted == 0


def test_e11_nothing_bound_or_static_is_overridden_by_nested_fields(
    app: Application, sink: MemorySink
) -> None:
    from eplogging import bind_event_fields

    for evil in (
        {"$schema": "/evil/1.0.0"},
        {"dt": "x"},
        *({"meta": {n: "x"}} for n in ("stream", "id", "dt")),
    ):
        with pytest.raises(ConfigurationError, match="can not be bound"):
            bind_event_fields(**evil)
    with bind_event_fields(meta={"request_id": "r"}):
        reason, sent = outcome(app, sink, basic(1))
    assert reason is None
    assert (sent["$schema"], sent["meta"]["stream"]) == ("/sample/basic/1.0.0", "sample.basic")
    assert sent["meta"]["request_id"] == "r"
