"""What eplogging says must be one bounded line, whatever is in it, and must never raise or wait."""

from __future__ import annotations

import logging
import threading

import pytest

from eplogging.reports import KAFKA_LOG, MAX_TEXT, REPORTS, CallSite, KafkaLog, report
from tests.support.application import Collected


@pytest.fixture
def collected() -> Collected:
    handler = Collected()
    REPORTS.addHandler(handler)
    return handler


def test_a_report_stands_where_its_cause_was_logged(collected: Collected) -> None:
    report(REPORTS, logging.ERROR, "text", CallSite("/a/file.py", 7, "f"), reason="r")
    [record] = collected.records
    assert (record.pathname, record.lineno, record.funcName) == ("/a/file.py", 7, "f")
    assert (record.getMessage(), record.levelno, vars(record)["reason"]) == ("text", logging.ERROR, "r")
    assert str(CallSite("/a/file.py", 7, "f")) == "/a/file.py:7 in f"


def test_control_characters_are_escaped_and_the_length_is_bounded(collected: Collected) -> None:
    report(REPORTS, logging.ERROR, "a\r\nb\x1b[31m%s {} \x7f" + "x" * 10_000)
    [line] = collected.lines
    assert line.startswith("a\\x0d\\x0ab\\x1b[31m%s {} \\x7fxx")
    assert len(line) <= MAX_TEXT + 3


def test_levels_and_filters_apply_and_a_disabled_logger_does_not(collected: Collected) -> None:
    REPORTS.setLevel(logging.ERROR)
    report(REPORTS, logging.WARNING, "below")
    REPORTS.disabled = True  # as dictConfig leaves loggers that it does not name
    report(REPORTS, logging.ERROR, "told all the same")
    REPORTS.addFilter(lambda record: False)
    report(REPORTS, logging.ERROR, "filtered")
    logging.disable(logging.CRITICAL)
    report(REPORTS, logging.ERROR, "disabled altogether")
    REPORTS.filters.clear()
    assert collected.lines == ["told all the same"]


def test_a_handler_that_raises_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Raising(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("told to raise")

    REPORTS.addHandler(Raising())
    report(REPORTS, logging.ERROR, "text")
    assert "told to raise" in capsys.readouterr().err
    logging.raiseExceptions = False
    report(REPORTS, logging.ERROR, "text")
    assert capsys.readouterr().err == ""


def test_it_waits_for_no_lock_of_logging(collected: Collected) -> None:
    done = threading.Event()
    REPORTS.manager._clear_cache()  # type: ignore[attr-defined]
    with logging._lock:  # type: ignore[attr-defined]
        thread = threading.Thread(target=lambda: (report(REPORTS, logging.ERROR, "text"), done.set()))
        thread.start()
        assert done.wait(5)
    thread.join()
    assert collected.lines == ["text"]


def test_librdkafka_s_lines() -> None:
    handler = Collected()
    KAFKA_LOG.addHandler(handler)
    KafkaLog().log(logging.WARNING, "%s [%s] 100%%", "FAIL", "thrd")
    KafkaLog().log(logging.WARNING, "100%")
    assert handler.lines == ["FAIL [thrd] 100%", "100%"]


def test_a_report_that_only_the_events_handler_would_hear_goes_to_the_last_resort(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(logging.Handler):
        takes_reports = False

        def handle(self, record: logging.LogRecord) -> bool:
            return False

    monkeypatch.setattr(logging.getLogger(), "handlers", [Deaf()])
    report(REPORTS, logging.INFO, "below")
    report(REPORTS, logging.ERROR, "a loss")
    assert capsys.readouterr().err == "a loss\n"
    logging.getLogger().addHandler(told := Collected())
    report(REPORTS, logging.ERROR, "another")
    assert (told.lines, capsys.readouterr().err) == (["another"], "")


def test_librdkafka_repeats_itself_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Collected()
    KAFKA_LOG.addHandler(handler)
    log, now = KafkaLog(), [0.0]
    monkeypatch.setattr(log._throttled, "_now", lambda: now[0])
    for _ in range(5):
        log.log(logging.ERROR, "%s [%s] %s", "FAIL", "rdkafka#producer-1", "connection refused")
        log.log(logging.DEBUG, "%s [%s] %s", "SEND", "rdkafka#producer-1", "each of these is wanted")
    log.log(logging.WARNING, "%s [%s] %s", "MAXPOLL", "rdkafka#producer-1", "another kind")
    now[0] = 61.0
    log.log(logging.ERROR, "%s [%s] %s", "FAIL", "rdkafka#producer-1", "connection refused")
    told = [line for line in handler.lines if "each of these" not in line]
    assert [line.partition(" ")[0] for line in told] == ["FAIL", "MAXPOLL", "FAIL"]
    assert told[2].endswith("connection refused (4 more like this since the last one told)")
