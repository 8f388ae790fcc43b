"""Sums must hold between threads without a lock, and hostile names must not fill the memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from eplogging.metrics import MAX_STREAMS, OTHER_STREAMS, AtomicCounter, Counters, PythonCounter

both = pytest.mark.parametrize("kind", [AtomicCounter, PythonCounter], ids=["as it is", "Python"])


@both
def test_no_addition_is_lost_between_threads(kind: type[PythonCounter]) -> None:
    counter = kind()

    def add(_: int) -> None:
        for _ in range(20_000):
            counter.add(3)
            counter.add(-1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert counter.value == 8 * 20_000 * 2


@both
def test_add_returns_the_new_sum(kind: type[PythonCounter]) -> None:
    counter = kind()
    assert (counter.add(5), counter.add(-2), counter.value) == (5, 3, 3)
    assert (counter.add(-9), counter.value) == (0, 0)
    counter.add(3)
    with pytest.raises(TypeError):
        counter.add("x")  # type: ignore[arg-type]
    assert counter.add(2**40) == 2**40 + 3


def test_counts_by_reason_and_stream() -> None:
    counters = Counters()
    for stream in ("a", "a", "b", None):
        counters.reject("bad", stream)
    counters.drop("full", "a")
    stats = counters.snapshot()
    assert dict(stats.rejected) == {("bad", "a"): 2, ("bad", "b"): 1, ("bad", ""): 1}
    assert dict(stats.dropped) == counters.dropped() == {("full", "a"): 1}


def test_streams_past_the_first_thousand_share_one_count() -> None:
    counters = Counters()
    for number in range(3 * MAX_STREAMS):
        counters.reject("bad", f"s{number}")
    rejected = counters.snapshot().rejected
    assert sum(rejected.values()) == 3 * MAX_STREAMS
    assert len(rejected) <= MAX_STREAMS + 1
    assert rejected["bad", OTHER_STREAMS] == 2 * MAX_STREAMS


def test_a_snapshot_does_not_change() -> None:
    counters = Counters()
    counters.accepted.add(1)
    stats = counters.snapshot()
    counters.accepted.add(1)
    counters.reject("bad", "a")
    assert (stats.accepted, dict(stats.rejected)) == (1, {})
