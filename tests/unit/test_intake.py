"""The shortest way into the queue, in C: which records take it, and that the others lose nothing by it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from eplogging import EventFormatter, EventPlatformHandler, bind_event_fields
from eplogging.conformance import instants
from eplogging.guard import STATE
from eplogging.intake import Intake, make_intake
from eplogging.listener import Listener
from eplogging.sinks import MemorySink
from tests.support.application import Application, application, assert_balanced, basic, keywords, page
from tests.support.sinks import HeldSink
from tests.unit.conformance.world import needs_fast

pytestmark = [
    needs_fast,
    pytest.mark.skipif(Intake is None, reason="what is written in C was not built, or is left out"),
]


def record(message: Any = "x", name: str = "application", **extra: Any) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, 20, __file__, 7, message, (), None, extra=extra)


@pytest.fixture
def app() -> Iterator[Application]:
    """One that has sent an event, so that all is known that the next ones need."""
    with application(sink=MemorySink(), **keywords()) as app:
        app.logger.info("x", extra=basic(0))
        app.logger.info("x", extra=page())
        assert app.handler.flush()
        yield app


def takes(app: Application, record: Any) -> bool:
    """Whether a record is handled in C, and nothing of it left to Python."""
    left: list[Any] = []
    handler = app.handler
    handle = make_intake(
        handler._conformer,
        handler.formatter,
        handler._listener,
        handler._counters,
        handler._budget,
        pid=os.getpid(),
        otherwise=left.append,
        raised=pytest.fail,
    )
    assert handle is not None
    assert handle(record) is (None if left else True)
    return not left


def sent(app: Application) -> list[dict[str, Any]]:
    assert app.handler.flush()
    sink = app.handler._sink
    assert isinstance(sink, MemorySink)
    return [json.loads(message.value) for message in sink.messages][2:]


@pytest.mark.parametrize(
    "given",
    [record(**basic(1)), record(event=basic(1)), record(**page())],
    ids=["side by side", "whole", "with a key"],
)
def test_records_that_take_it(given: logging.LogRecord, app: Application) -> None:
    before = app.stats
    attributes = dict(vars(given))
    assert takes(app, given) is True
    assert app.stats.accepted == before.accepted + 1
    assert vars(given) == attributes
    [event] = sent(app)
    assert event["meta"]["stream"] in ("sample.basic", "sample.page")
    assert_balanced(app.stats)


@pytest.mark.parametrize("given", [record(), record("%s", other=7), record(stream="x")])
def test_records_that_carry_no_event_are_done_with(given: logging.LogRecord, app: Application) -> None:
    before = app.stats
    assert takes(app, given) is True
    assert app.stats == before


class Odd:
    """A record of its own kind."""

    __dict__ = property(lambda self: 1 / 0)  # type: ignore[assignment]


@pytest.mark.parametrize(
    "given",
    [
        record(name="eplogging", **basic()),
        record(name="eplogging.kafka", **basic()),
        record(name="eplogging-like", **basic()),
        record(basic()),
        record(event=None),
        record(event=[basic()]),
        record(7),
        record(**basic(number=1.5)),  # type: ignore[arg-type]
        record(**basic(stream="sample.unknown")),
        record(**{**basic(), "$schema": "/sample/basic/9.0.0"}),
        Odd(),
    ],
    ids=lambda given: None,
)
def test_records_that_are_python_s(given: Any, app: Application) -> None:
    before = app.stats
    assert takes(app, given) is False
    assert app.stats == before


def test_what_is_logged_within_is_python_s(app: Application) -> None:
    STATE.depth = 1
    try:
        assert takes(app, record(**basic())) is False
    finally:
        STATE.depth = 0


def test_bound_fields_are_set(app: Application) -> None:
    with bind_event_fields(text="bound"):
        assert takes(app, record(**basic(1))) is True
    assert [event["text"] for event in sent(app)] == ["bound"]


@pytest.mark.parametrize("limit", [{"queue_size": 3}, {"queue_bytes": 2_500}])
def test_a_full_queue_is_python_s(limit: dict[str, int]) -> None:
    with application(sink=HeldSink(), **keywords(flush_timeout=0.1, **limit)) as app:
        app.logger.info("x", extra=basic(0))
        app.handler._conformer.look_up(basic())
        taken = [takes(app, record(**basic(number))) for number in range(20)]
        assert taken == sorted(taken, reverse=True) and True in taken and False in taken
        before = app.stats
        assert takes(app, record(**basic())) is False
        after = app.stats
        assert (after.accepted, after.pending) == (before.accepted, before.pending)
        assert after.pending_bytes == before.pending_bytes


@pytest.mark.parametrize("limit", [{"queue_size": 3}, {"queue_bytes": 2_500}])
def test_in_a_full_queue_no_message_is_made_twice(limit: dict[str, int]) -> None:
    with application(sink=HeldSink(), **keywords(flush_timeout=0.1, **limit)) as app:
        app.handler._conformer.look_up(basic())
        warm, made = app.handler._conformer.warm, list[int]()
        assert warm is not None

        def counting(*arguments: Any) -> Any:
            made.append(1)
            return warm(*arguments)

        app.handler._conformer.warm = counting
        app.handler._shorten()
        for number in range(50):
            app.logger.info("x", extra=basic(number))
        assert sum(app.stats.dropped.values()) >= 45
        assert len(made) <= 50 + 1  # the first that did not fit


@pytest.mark.parametrize("method", ["_attend", "attend"])
def test_an_event_is_counted_once_that_was_queued_when_something_was_raised(
    method: str, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler may raise while a logging call makes way for the listener."""

    def interrupted(self: Listener) -> None:
        raise KeyboardInterrupt

    assert app.handler.flush()
    monkeypatch.setattr(Listener, method, interrupted)
    app.handler._listener._sleeping = True
    with pytest.raises(KeyboardInterrupt):
        app.logger.info("x", extra=basic(1))
    monkeypatch.undo()
    assert [event["number"] for event in sent(app)] == [1]
    assert app.stats.accepted == 3 and not app.stats.dropped


def test_an_event_is_counted_once_that_something_was_raised_before(
    app: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (KeyboardInterrupt, ZeroDivisionError):

        def raises(*_: Any, error: type[BaseException] = error) -> None:
            raise error("x")

        monkeypatch.setattr(instants, "clock", raises)
        if error is KeyboardInterrupt:
            with pytest.raises(KeyboardInterrupt):
                app.logger.info("x", extra=basic(1))
        else:
            app.logger.info("x", extra=basic(1))
            assert "ZeroDivisionError: x" in capsys.readouterr().err
        monkeypatch.undo()
    assert sent(app) == []
    assert app.stats.accepted == 4
    assert dict(app.stats.dropped) == {("interrupted", ""): 1, ("internal_error", ""): 1}


def test_in_a_child_that_was_forked_without_hooks_it_starts_anew(app: Application) -> None:
    """What tells such a child is that it is not the process in which the listener was made."""
    listener = app.handler._listener
    app.handler._pid = 0
    app.handler.setFormatter(EventFormatter())
    for number in range(3):
        app.logger.info("x", extra=basic(number))
    listener.close(1.0)
    assert app.handler.flush() and app.handler._pid == os.getpid()
    assert app.handler._listener is not listener
    assert (app.stats.accepted, app.stats.delivered) == (3, 3)


class Emitting(EventPlatformHandler):
    """One whose `emit` is its own."""

    emitted = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.emitted += 1
        super().emit(record)


def test_an_emit_of_one_s_own_is_called() -> None:
    handler = Emitting(sink=MemorySink(), **keywords())
    assert handler._short is None
    for _ in range(3):
        handler.handle(record(**basic()))
    handler.close()
    assert (handler.emitted, handler.stats().delivered) == (3, 3)


def test_an_emit_that_is_put_into_a_handler_is_called(app: Application) -> None:
    emitted: list[logging.LogRecord] = []
    app.handler.emit = emitted.append  # type: ignore[method-assign]
    app.logger.info("x", extra=basic(1))
    del app.handler.emit
    assert len(emitted) == 1 and sent(app) == []


def test_a_formatter_that_is_put_into_a_handler_is_used(app: Application) -> None:
    app.handler.formatter = EventFormatter(static_fields={"text": "static"})
    app.logger.info("x", extra=basic(1))
    assert [event["text"] for event in sent(app)] == ["static"]


def test_what_asks_for_more_does_not_take_it(app: Application, tmp_path: Any) -> None:
    app.handler.setFormatter(EventFormatter(static_fields={"text": "static"}))
    assert app.handler._short is None
    app.handler.setFormatter(EventFormatter())
    assert app.handler._short is not None
    app.handler.close()
    assert app.handler._short is None
    for options in ({"on_rejected": "raise"}, {"durable": True, "spool": str(tmp_path)}):
        handler = EventPlatformHandler(sink=MemorySink(), **keywords(**options))
        assert handler._short is None
        handler.close()


def test_references_are_given_back(app: Application) -> None:
    good, bad, none = record(**basic(1)), record(**basic(number=1.5)), record()  # type: ignore[arg-type]
    meta = vars(good)["meta"]
    parts = [good, bad, none, meta, vars(good)]
    before = list(map(sys.getrefcount, parts))
    for _ in range(100):
        for one in (good, bad, none):
            takes(app, one)
        del one
    assert list(map(sys.getrefcount, parts)) == before


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(TypeError):
        Intake()  # type: ignore[call-arg]
