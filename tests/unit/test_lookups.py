"""Parked streams: kept in order, looked up beside the listener, and tried again with growing pauses."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from eplogging.conformance import SchemaUnavailableError
from eplogging.items import Deferred, Item, defer
from eplogging.lookups import MAX_THREADS, Lookups
from eplogging.reports import REPORTS, CallSite
from tests.support.application import Collected, basic, wait_until


class Conformer:
    """Looks up nothing, but counts who asks, and waits or fails as a test says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failing = 0
        self.error: BaseException = SchemaUnavailableError("no answer")
        self.refreshed = 0
        self.due = False

    def look_up(self, event: dict[str, Any]) -> None:
        self.asked.append(event["meta"]["stream"])
        assert self.gate.wait(10)
        if self.failing > 0:
            self.failing -= 1
            raise self.error

    def refresh_due(self) -> bool:
        return self.due

    def refresh(self) -> None:
        self.refreshed += 1
        self.due = False


def item(stream: str, number: int = 0) -> Deferred:
    return defer(basic(number, stream=stream), {}, 0.0, CallSite())


@pytest.fixture
def conformer() -> Conformer:
    return Conformer()


@pytest.fixture
def lookups(conformer: Conformer, monkeypatch: pytest.MonkeyPatch) -> Lookups:
    monkeypatch.setattr("eplogging.lookups.FIRST_PAUSE", 0.01)
    return Lookups(conformer, lambda: None)  # type: ignore[arg-type]


class Passed:
    """Takes what is passed on."""

    def __init__(self) -> None:
        self.numbers: list[tuple[str, int]] = []
        self.given_up: list[tuple[str, str]] = []

    def __call__(self, one: Item) -> bool:
        assert isinstance(one, Deferred)
        self.numbers.append((one.stream, one.event()["number"]))
        return True

    def give_up(self, one: Item, error: str) -> None:
        self.given_up.append((one.stream, error))


def test_a_stream_s_items_are_passed_on_in_order_after_one_look_up(
    lookups: Lookups, conformer: Conformer
) -> None:
    passed = Passed()
    for number in range(5):
        lookups.park(item("a", number))
    assert list(lookups.parked) == ["a"] and len(lookups.parked["a"].items) == 5

    def settled() -> bool:
        lookups.turn(passed, passed.give_up)
        return not lookups.parked

    wait_until(settled, "the look-up has ended")
    assert passed.numbers == [("a", number) for number in range(5)]
    assert conformer.asked == ["a"]


def test_at_most_so_many_look_ups_run_at_once(lookups: Lookups, conformer: Conformer) -> None:
    conformer.gate.clear()
    for number in range(3 * MAX_THREADS):
        lookups.park(item(f"s{number}"))
    passed = Passed()
    for _ in range(5):
        lookups.turn(passed, passed.give_up)
    wait_until(lambda: len(conformer.asked) == MAX_THREADS, "the first ones ask")
    lookups.turn(passed, passed.give_up)
    assert len(conformer.asked) == MAX_THREADS
    conformer.gate.set()

    def settled() -> bool:
        lookups.turn(passed, passed.give_up)
        return not lookups.parked

    wait_until(settled, "all are looked up")
    assert len(passed.numbers) == len(conformer.asked) == 3 * MAX_THREADS


def test_one_without_an_answer_is_tried_again_and_told(lookups: Lookups, conformer: Conformer) -> None:
    reports = Collected()
    REPORTS.addHandler(reports)
    conformer.failing = 3
    passed = Passed()
    lookups.park(item("a"))

    def settled() -> bool:
        lookups.turn(passed, passed.give_up)
        return not lookups.parked

    wait_until(settled, "the fourth look-up has an answer")
    assert len(conformer.asked) == 4
    assert passed.numbers == [("a", 0)]
    assert "no answer" in reports.lines


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(3)])
def test_one_that_raises_what_nobody_expects_is_given_up_in_the_end(
    lookups: Lookups, conformer: Conformer, error: BaseException
) -> None:
    """What waits behind it must not wait for ever."""
    conformer.failing, conformer.error = 3, error
    passed = Passed()
    lookups.park(item("a", 0))
    lookups.park(item("a", 1))

    def settled() -> bool:
        lookups.turn(passed, passed.give_up)
        return not lookups.parked

    wait_until(settled, "the second is passed on")
    assert passed.given_up == [("a", f"{type(error).__name__}: {error}")]
    assert passed.numbers == [("a", 1)]


def test_a_flood_of_names_is_no_flood_of_requests(lookups: Lookups, conformer: Conformer) -> None:
    conformer.failing = 10_000
    passed = Passed()
    for number in range(1000):
        lookups.park(item(f"made.up.{number}"))
    for _ in range(300):
        lookups.turn(passed, passed.give_up)
        time.sleep(0.001)
    assert 10 <= len(conformer.asked) <= 40
    assert len(lookups.parked) == 1000


def test_draining_gives_every_item_back(lookups: Lookups, conformer: Conformer) -> None:
    items = [item("a", 1), item("b", 2), item("a", 3)]
    for one in items:
        lookups.park(one)
    assert sorted(one.event()["number"] for one in lookups.drain() if isinstance(one, Deferred)) == [1, 2, 3]
    assert not lookups.parked and lookups.drain() == []


def test_a_refresh_that_is_due_is_made_once(lookups: Lookups, conformer: Conformer) -> None:
    conformer.due = True
    for _ in range(5):
        lookups.refresh_if_due()
    wait_until(lambda: conformer.refreshed, "it is refreshed")
    assert conformer.refreshed == 1


def test_where_no_thread_can_be_started_the_caller_asks(
    lookups: Lookups, conformer: Conformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    passed = Passed()
    lookups.park(item("a"))
    lookups.turn(passed, passed.give_up)
    lookups.turn(passed, passed.give_up)
    assert passed.numbers == [("a", 0)]
