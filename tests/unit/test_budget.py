"""The one bound on memory: never exceeded, and whole again when everything is given back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from eplogging.budget import OVERHEAD, Budget
from eplogging.metrics import Counters


def test_messages_and_bytes_are_bounded() -> None:
    counters = Counters()
    budget = Budget(counters, 3, 100 + 2 * OVERHEAD)
    assert [budget.take(40), budget.take(60)] == [True, True]
    assert not budget.take(1), "no bytes left"
    assert (counters.pending.value, counters.pending_bytes.value) == (2, 100 + 2 * OVERHEAD)
    budget.give_back(60)
    assert [budget.take(1), budget.take(1)] == [True, False], "each takes something beside its own bytes"
    assert (counters.pending.value, counters.pending_bytes.value) == (2, 41 + 2 * OVERHEAD)


def test_messages_are_counted() -> None:
    counters = Counters()
    budget = Budget(counters, 3, 10**6)
    assert [budget.take(1) for _ in range(4)] == [True, True, True, False]
    budget.give_back(2, 2)
    assert (counters.pending.value, counters.pending_bytes.value) == (1, 1 + OVERHEAD)


def test_what_fits_exactly_is_taken_and_what_never_fits_is_not() -> None:
    counters = Counters()
    budget = Budget(counters, 1, 100 + OVERHEAD)
    assert not budget.take(101)
    assert budget.take(100)
    assert counters.pending_bytes.value == 100 + OVERHEAD


def test_it_is_whole_again_after_many_threads() -> None:
    counters = Counters()
    budget = Budget(counters, 20, 10_000)

    def work(size: int) -> int:
        taken = 0
        for _ in range(5000):
            if budget.take(size):
                taken += 1
                budget.give_back(size)
        return taken

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(1, 9)))
    assert (counters.pending.value, counters.pending_bytes.value) == (0, 0)
