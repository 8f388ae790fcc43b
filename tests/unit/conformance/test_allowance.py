"""So many tries at once, and as many in each period: neither more nor, after a pause, fewer."""

from __future__ import annotations

from eplogging.conformance.allowance import Allowance


def spent(allowance: Allowance, now: float) -> int:
    """How many tries are to be had at one moment."""
    tries = 0
    while not allowance.is_spent(now):
        allowance.spend(now)
        tries += 1
    return tries


def test_tries_come_back_steadily() -> None:
    allowance = Allowance(10, 60.0)
    assert spent(allowance, 1000.0) == 10
    assert spent(allowance, 1000.0) == 0
    assert spent(allowance, 1005.0) == 0
    assert spent(allowance, 1006.5) == 1
    assert spent(allowance, 1030.5) == 4
    assert spent(allowance, 9999.0) == 10  # no more are saved up
