"""The listener alone: what the handler's tests can not reach through logging calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from eplogging.budget import Budget
from eplogging.conformance import Conformer, Message
from eplogging.ledger import Ledger
from eplogging.listener import Listener
from eplogging.metrics import Counters
from eplogging.reports import REPORTS
from eplogging.sinks import MemorySink
from tests.support.application import SCHEMAS, STREAMS, Collected, keywords, wait_until
from tests.support.sinks import RaisingSink


class Alone:
    """A listener with its counters, budget and sink, and nothing of logging before it."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink
        self.counters = Counters()
        self.budget = Budget(self.counters, 1000, 10**6)
        options = keywords()
        options.pop("topic_prefix")
        ledger = Ledger(self.counters, self.budget, lambda message, reason, error: None)
        self.listener = Listener(Conformer(**options), sink, ledger, lambda item, error: None)

    def put(self, number: int) -> None:
        message = Message("topic", None, b"%d" % number, 0, "stream")
        assert self.budget.take(message.size)
        self.counters.accepted.add(1)
        self.listener.put(message)


@pytest.fixture
def alone() -> Iterator[Alone]:
    assert SCHEMAS.is_dir() and STREAMS.is_file()
    made = Alone(MemorySink())
    yield made
    made.listener.close(1)


def test_it_starts_with_the_first_item_and_keeps_order(alone: Alone) -> None:
    assert not alone.listener.is_alive
    for number in range(2000):
        while alone.counters.pending.value > 900:
            assert alone.listener.flush(5)
        alone.put(number)
    assert alone.listener.is_alive
    assert alone.listener.flush(5)
    assert [int(message.value) for message in alone.sink.messages] == [*range(2000)]


def test_flush_of_nothing_starts_nothing(alone: Alone) -> None:
    assert alone.listener.flush(0)
    assert not alone.listener.is_alive


def test_many_threads_flush_and_put_at_once(alone: Alone) -> None:
    def work(number: int) -> bool:
        alone.put(number)
        return alone.listener.flush(10)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(300)))
    assert alone.counters.delivered.value == 300


def test_where_no_thread_can_be_started_close_does_the_work(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P16: what every Python from 3.12 on does at interpreter shutdown."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    alone.put(1)
    assert not alone.listener.is_alive
    assert not alone.listener.flush(5), "no thread, no wait"
    alone.put(2)
    alone.listener.close(5)
    assert [message.value for message in alone.sink.messages] == [b"1", b"2"]
    monkeypatch.undo()


def test_closing_gives_up_flushes_under_way() -> None:
    class Never(MemorySink):
        def send(self, message: Message, mark: Any = None) -> None:
            self.messages.append(message)

        def flush(self, timeout: float) -> bool:
            threading.Event().wait(timeout)
            return False

        def is_past(self, barrier: Any) -> bool:
            return False

        def close(self) -> list[tuple[Message, Any]]:
            return [(message, None) for message in self.messages]

    alone = Alone(Never())
    alone.put(1)
    wait_until(lambda: alone.sink.messages, "it is sent")
    results: list[bool] = []
    flushing = threading.Thread(target=lambda: results.append(alone.listener.flush(30)))
    flushing.start()
    alone.listener.close(0.2)
    flushing.join(5)
    assert results == [False]
    assert (alone.counters.pending.value, alone.counters.dropped()) == (0, {("not_delivered", "stream"): 1})


def test_errors_that_repeat_are_told_once(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = Collected()
    from eplogging.reports import REPORTS

    REPORTS.addHandler(reports)
    failing = []

    def fail() -> None:
        failing.append(1)
        raise OSError("again and again")

    alone.put(1)
    assert alone.listener.flush(5)
    monkeypatch.setattr(alone.sink, "poll", fail)
    wait_until(lambda: len(failing) > 3, "it failed often")
    monkeypatch.undo()
    alone.put(2)
    assert alone.listener.flush(5)
    assert [line for line in reports.lines if "again" in line] == [
        "the listener goes on after OSError: again and again"
    ]


def test_what_is_put_after_the_end_is_dropped_and_counted(alone: Alone) -> None:
    alone.put(1)
    alone.listener.close(5)
    alone.put(2)
    assert alone.counters.pending.value == alone.counters.pending_bytes.value == 0
    assert alone.counters.dropped() == {("closed", "stream"): 1}
    assert [message.value for message in alone.sink.messages] == [b"1"]


def test_a_sink_that_always_raises_is_told_of_once() -> None:
    REPORTS.addHandler(reports := Collected())
    alone = Alone(RaisingSink("send", "poll"))
    for number in range(50):
        alone.put(number)
        wait_until(lambda: alone.counters.pending.value == 0, "it is given up")
    alone.listener.close(1)
    assert sum(alone.counters.dropped().values()) == 50
    assert len([line for line in reports.lines if "goes on after" in line]) <= 1
    assert len([line for line in reports.lines if "dropped" in line]) == 2


def test_callers_that_outrun_it_give_way(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda thread: None)
    waits: list[float] = []
    monkeypatch.setattr(alone.listener, "_sleep", waits.append)
    alone.budget = Budget(alone.counters, 10**6, 10**9)
    for number in range(3000):
        alone.put(number)
    assert waits == [0.002] * 8  # at 1,024, 1,280 ... 2,816 queued, and never below a thousand
    alone.listener._thread = None
