"""A number of tries per time, so that a flood of hostile input can not become a flood of requests."""

from __future__ import annotations


class Allowance:
    """So many tries at once, which come back steadily over a period (a token bucket).

    Any thread may use it without a lock: threads that spend in the same moment may spend one for
    both, which is no harm.

    Args:
        tries: how many may be spent at once, and within each period.
        period: seconds.
    """

    def __init__(self, tries: int, period: float) -> None:
        self._tries = tries
        self._pause = period / tries
        self._spent_until = float("-inf")

    def is_spent(self, now: float) -> bool:
        """Whether no try is left at this time, in seconds."""
        return self._spent_until - now > self._pause * (self._tries - 1)

    def spend(self, now: float) -> None:
        """Takes one."""
        self._spent_until = max(self._spent_until, now) + self._pause
