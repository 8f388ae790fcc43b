"""What keeps the spool from being used: remembered until it is over, tried again, told once a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..drops import INTERVAL
from ..reports import REPORTS, report
from .directory import SpoolError

_RETRY_AFTER = 1.0


class Trouble:
    """The trouble of one spool, by what could not be done: it can not be `written`."""

    def __init__(self) -> None:
        self._now = time.monotonic  # bound here: module globals may be gone at shutdown
        self._reasons: dict[str, str] = {}
        self._again_at: dict[str, float] = {}
        self._told_at = float("-inf")

    def __str__(self) -> str:
        """The reason; empty if there is no trouble."""
        return next(iter(self._reasons.values()), "")

    @contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Remembers what a `SpoolError` within the block says, or that there was none."""
        try:
            yield
        except SpoolError as error:
            self.met(what, str(error))
        else:
            self.over(what)

    def met(self, what: str, reason: str) -> None:
        """Something could not be done."""
        now = self._now()
        self._reasons[what] = reason
        self._again_at[what] = now + _RETRY_AFTER
        if now - self._told_at >= INTERVAL:
            self._told_at = now
            report(
                REPORTS,
                logging.ERROR,
                f"spool: it can not be {what} now: {reason}; messages stay in memory, "
                "within the bound, until it can; look at the disk's free space and spool_bytes",
            )

    def over(self, what: str) -> None:
        """It could be done."""
        self._reasons.pop(what, None)

    def has(self, what: str) -> bool:
        """Whether something could not be done when it was tried last."""
        return what in self._reasons

    def is_fresh(self, what: str) -> bool:
        """Whether it failed a moment ago, so that it need not be tried again yet."""
        return what in self._reasons and self._now() < self._again_at[what]

    def forget(self) -> None:
        """Has everything tried again at once."""
        self._reasons.clear()
