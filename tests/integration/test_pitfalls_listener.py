"""What ends, blocks or floods a background listener elsewhere (P1 to P4, P20 to P22, P26)."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka import KafkaError

from eplogging.ledger import Ledger
from eplogging.sinks import MemorySink
from eplogging.testing import MockKafka
from tests.support.application import Application, application, basic, keywords, to_kafka, wait_until
from tests.support.sinks import HeldSink, RaisingSink

PRODUCE = 0


def listener_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "eplogging-listener"]


@pytest.mark.parametrize("method", ["open", "send", "poll", "flush", "close"])
def test_a_sink_that_raises_ends_nothing(method: str) -> None:
    """P1: an exception does not end the thread, and what it cost is counted and told."""
    sink = RaisingSink(method)
    with application(sink=sink, **keywords(flush_timeout=2)) as app:
        app.logger.info("first", extra=basic(1))
        wait_until(lambda: app.stats.pending == 0, "the first event is settled")
        app.handler.flush(0.2)
        wait_until(lambda: sink.raised or method == "close", f"{method} raised")
        assert len(listener_threads()) == 1
        sink.methods.clear()
        app.logger.info("second", extra=basic(2))
        assert app.handler.flush()
        assert json.loads(sink.messages[-1].value)["number"] == 2
        sink.methods.add(method)
    lost = method in ("open", "send")
    assert sink.raised
    assert sum(app.stats.dropped.values()) == lost
    assert any("told to raise" in line for line in app.reports.lines)


def test_closing_while_the_queue_is_full_raises_nothing() -> None:
    """P2: stopping is no item of the bounded queue."""
    sink = HeldSink()
    with application(sink=sink, **keywords(queue_size=3, flush_timeout=0.3)) as app:
        warm_up(app, sink)
        for number in range(10):
            app.logger.info("too many", extra=basic(number))
        assert app.stats.pending == 3
        app.handler.close()
    assert dict(app.stats.dropped) == {
        ("queue_full", "sample.basic"): 7,
        ("not_delivered", "sample.basic"): 3,
    }


def warm_up(app: Application, sink: HeldSink) -> None:
    """Look up what the events need, so that the next ones are settled in the caller's thread."""
    sink.released.set()
    app.logger.info("first", extra=basic(0))
    assert app.handler.flush()
    sink.released.clear()


def test_drops_are_one_line_and_a_count(capfd: pytest.CaptureFixture[str]) -> None:
    """P3: whatever the number of drops and threads, one line until the next minute, none on stderr."""
    sink = HeldSink()
    with application(sink=sink, **keywords(queue_size=1)) as app:
        warm_up(app, sink)
        app.logger.info("fills the queue", extra=basic())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: app.logger.info("dropped", extra=basic(n)), range(1000)))
        assert dict(app.stats.dropped) == {("queue_full", "sample.basic"): 1000}
        assert len([line for line in app.reports.lines if "dropped" in line]) == 1
        sink.released.set()
    [first, last] = app.reports.lines
    assert "of sample.basic (queue_full)" in first
    assert number_of(first) + number_of(last) == 1000
    assert capfd.readouterr() == ("", "")


def number_of(line: str) -> int:
    return int(line.removeprefix("events dropped: ").split(" ")[0])


def test_start_and_close_twice() -> None:
    """P4: starting twice makes one thread; closing twice, and flushing after it, does nothing."""
    with application(sink=MemorySink(), **keywords()) as app:
        assert listener_threads() == []
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: app.handler.start(), range(50)))
        assert len(listener_threads()) == 1
        app.logger.info("one", extra=basic())
        app.handler.close()
        app.handler.close()
        assert app.handler.flush()
        assert listener_threads() == []
        app.handler.start()
        app.logger.info("late", extra=basic())
        assert listener_threads() == []
    assert app.stats.delivered == 1
    assert dict(app.stats.dropped) == {("closed", "sample.basic"): 1}


def test_an_error_in_a_delivery_report_s_callback_is_counted(
    kafka: MockKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P20: what a callback raises comes out of `poll`, and must neither end the listener nor lose events."""
    count, raised = Ledger.delivered, []

    def raise_once(ledger: Ledger, *arguments: Any) -> None:
        count(ledger, *arguments)
        if not raised:
            raised.append(arguments)
            raise RuntimeError("in the callback")

    monkeypatch.setattr(Ledger, "delivered", raise_once)
    with application(**keywords(**to_kafka(kafka))) as app:
        app.logger.info("first", extra=basic(1))
        wait_until(lambda: raised, "the callback raised")
        app.logger.info("second", extra=basic(2))
        assert app.handler.flush()
        assert app.stats.delivered == 2
    assert any("in the callback" in line for line in app.reports.lines)


def test_a_delivery_that_fails_for_good_is_counted_with_its_error(kafka: MockKafka) -> None:
    """P20: the delivery report says it, by stream and with librdkafka's words."""
    kafka.create_topic("eqiad.sample.basic", 1)
    kafka.push_request_errors(PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE)
    with application(**keywords(**to_kafka(kafka, enable_idempotence=False))) as app:
        app.logger.info("refused", extra=basic(1))
        assert app.handler.flush()
        app.logger.info("taken", extra=basic(2))
        assert app.handler.flush()
        assert dict(app.stats.rejected) == {("message_too_large", "sample.basic"): 1}
        assert app.stats.delivered == 1
    assert "size" in app.reports.lines[0]


def test_librdkafka_s_full_queue_only_delays(kafka: MockKafka) -> None:
    """P21: `BufferError` means later, under the one bound, in order."""
    options = to_kafka(kafka, queue_buffering_max_messages=5, linger_ms=50)
    kafka.create_topic("sample.bare", 1)
    with application(**keywords(**options)) as app:
        for number in range(100):
            app.logger.info("many", extra=basic(number, stream="sample.bare"))
        assert app.handler.flush()
        assert app.stats.delivered == 100
    numbers = [json.loads(one.value() or b"")["number"] for one in kafka.consume("sample.bare")]
    assert numbers == list(range(100))


def test_a_full_sink_keeps_order() -> None:
    """P21: what the sink can not take is offered again, before everything after it."""
    sink = HeldSink(room=2)
    with application(sink=sink, **keywords()) as app:
        for number in range(20):
            app.logger.info("many", extra=basic(number))
        wait_until(lambda: sink.refused, "the sink refused one")
        sink.released.set()
        assert app.handler.flush()
    assert [json.loads(one.value)["number"] for one in sink.messages] == list(range(20))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_flush_and_close_do_not_wait_for_a_dead_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """P22: a listener that died in spite of all is seen, and close does its work."""

    def end(step: object) -> None:
        raise SystemExit

    sink = RaisingSink()
    with application(sink=sink, **keywords(flush_timeout=30)) as app:
        app.logger.info("before", extra=basic(1))
        assert app.handler.flush()
        with monkeypatch.context() as broken:
            broken.setattr(app.handler._listener, "_guarded", end)
            wait_until(lambda: not listener_threads(), "the thread is dead")
        assert "the listener's thread has ended" in app.handler.health().problems[0]
        app.logger.info("after", extra=basic(2))
        closing = threading.Thread(target=lambda: (app.handler.flush(), app.handler.close()))
        closing.start()
        closing.join(5)
        assert not closing.is_alive()
        assert app.stats.delivered == 2


def test_an_idle_listener_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """P26: an empty queue is a turn, not the end."""
    monkeypatch.setattr("eplogging.listener._IDLE_PAUSE", 0.01)
    turns: list[bool] = []
    with application(sink=MemorySink(), **keywords()) as app:
        app.handler.start()
        monkeypatch.setattr(
            app.handler._listener._delivery._lookups, "refresh_if_due", lambda: turns.append(True)
        )
        wait_until(lambda: len(turns) > 5, "the listener took turns without events")
        app.logger.info("after a while", extra=basic())
        assert app.handler.flush()
        assert app.stats.delivered == 1
