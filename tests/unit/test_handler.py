"""The handler as `logging` meets it: what it takes, what it lets pass, and that it never raises."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from eplogging import EventFormatter, EventPlatformHandler
from eplogging.conformance import ConfigurationError
from eplogging.conformance.conformer import Conformer
from eplogging.sinks import MemorySink
from tests.support.application import application, assert_balanced, basic, keywords, wait_until
from tests.support.sinks import HeldSink


def test_it_is_a_plain_handler_without_a_lock() -> None:
    """P6, P7: no QueueHandler, and nothing that could be held while `close` waits."""
    handler = EventPlatformHandler(sink=MemorySink(), **keywords())
    assert EventPlatformHandler.__bases__ == (logging.Handler,)
    assert handler.lock is None
    handler.acquire()
    handler.release()
    handler.close()


def test_filters_may_stop_or_replace_a_record() -> None:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:

        def replacing(record: logging.LogRecord) -> Any:
            if vars(record).get("number") == 1:
                return False
            copied = logging.makeLogRecord(vars(record) | {"text": "replaced"})
            return copied if hasattr(logging, "getHandlerNames") else True  # from 3.12

        app.handler.addFilter(replacing)
        for number in range(3):
            app.logger.info("x", extra=basic(number, text="own"))
        assert app.handler.flush()
    events = [json.loads(message.value) for message in sink.messages]
    assert [event["number"] for event in events] == [0, 2]
    assert {event["text"] for event in events} == {
        "replaced" if hasattr(logging, "getHandlerNames") else "own"
    }


def test_only_an_event_formatter_is_taken() -> None:
    with application(sink=MemorySink(), **keywords()) as app:
        with pytest.raises(ConfigurationError, match=r"formatter must be an eplogging\.EventFormatter"):
            app.handler.setFormatter(logging.Formatter())
        app.handler.setFormatter(None)
        app.logger.info("x", extra=basic())
        assert app.handler.flush()
        assert app.stats.delivered == 1


@pytest.mark.parametrize("where", ["formatter", "conformer", "intake"])
def test_an_error_of_our_own_is_counted_and_never_raised(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        app.logger.info("first", extra=basic(0))
        assert app.handler.flush()
        monkeypatch.setattr(app.handler, "_short", None)
        if where == "intake":
            monkeypatch.setattr(app.handler._conformer, "warm", broken)
            app.handler._shorten()
        if where == "formatter":
            monkeypatch.setattr(EventFormatter, "event", broken)
        elif where == "conformer":
            monkeypatch.setattr(Conformer, "conform", broken)
        app.logger.info("x", extra=basic(1))
        assert app.handler.flush()
        monkeypatch.undo()
        app.logger.info("next", extra=basic(2))
        assert app.handler.flush()
        assert {reason for reason, _ in app.stats.dropped} == {"internal_error"}
        assert app.stats.accepted == 3
        assert_balanced(app.stats)
        told = capsys.readouterr().err + "".join(app.reports.lines)
    told += "".join(app.reports.lines)
    assert "a mistake of ours" in told
    assert [json.loads(message.value)["number"] for message in sink.messages] == [0, 2]


def test_arguments_that_do_not_fit_the_message_are_no_event_s_loss() -> None:
    """The message is formatted only where `fmt` asks for it."""
    with application(sink=MemorySink(), **keywords()) as app:
        app.logger.info("%d and %d", "text", extra=basic())
        assert app.handler.flush()
        assert app.stats.delivered == 1


def test_records_of_our_own_are_no_events() -> None:
    with application(root=True, sink=MemorySink(), **keywords()) as app:
        for name in ("eplogging", "eplogging.kafka", "eplogging.conformance.compiled"):
            logging.getLogger(name).error("x", extra=basic())
        assert app.stats.accepted == 0


def test_an_application_s_handler_may_log_events_about_reports() -> None:
    """A handler on `eplogging` that logs a bad event for each report does not recurse for ever."""
    with application(sink=MemorySink(), **keywords()) as app:

        class Echo(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                logging.getLogger("app").error("echo", extra={**basic(), "number": "bad"})

        app.logger.info("first", extra=basic())
        assert app.handler.flush()
        echo = Echo()
        logging.getLogger("eplogging").addHandler(echo)
        app.logger.info("bad", extra={**basic(), "number": "bad"})
        assert app.handler.flush()
        logging.getLogger("eplogging").removeHandler(echo)
        assert 1 <= sum(app.stats.rejected.values()) <= 3


def test_stats_while_events_flow_never_show_more_fates_than_events() -> None:
    with application(sink=MemorySink(), **keywords()) as app:
        for number in range(2000):
            app.logger.info("x", extra=basic(number if number % 7 else "bad"))  # type: ignore[arg-type]
            if number % 50 == 0:
                stats = app.stats
                assert stats.delivered + sum(stats.rejected.values()) <= stats.accepted
        assert app.handler.flush()
        assert_balanced(app.stats)
        assert app.stats.pending == 0


def test_start_looks_up_before_the_first_event() -> None:
    with application(sink=MemorySink(), schema_precache_uris=["/sample/basic/1.0.0"], **keywords()) as app:
        app.handler.start()
        conformer = app.handler._conformer
        wait_until(lambda: "/sample/basic/1.0.0" in conformer._schemas.known, "the schema is there")


def test_repr() -> None:
    handler = EventPlatformHandler(level="INFO", output="stdout", **keywords())
    assert repr(handler).startswith("<EventPlatformHandler to ") and "(INFO)" in repr(handler)
    handler.close()


def test_a_flush_in_vain_is_forgotten_when_events_come_after_it() -> None:
    sink = HeldSink()
    with application(sink=sink, **keywords(flush_timeout=0.3)) as app:
        app.logger.info("held", extra=basic(1))
        assert not app.handler.flush()
        app.logger.info("later", extra=basic(2))
        sink.released.set()
        app.handler.close()
        assert (app.stats.delivered, app.stats.dropped) == (2, {})
