"""The books of one handler: every outcome of a message is counted here once, and gives its room back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from .budget import Budget
from .conformance import Message
from .drops import DropReports
from .metrics import Counters

Refused = Callable[[Message, str, str], None]


class Ledger:
    """Settles messages; `sinks.Outcomes` for a sink.

    Its methods are called in the listener's thread, except `drop` and `report_drops`: from any.

    Args:
        counters: where every outcome is counted.
        budget: given back what is settled.
        refused: called with a message that a broker will never take, the reason and what was said.

    Attributes:
        counters: as given.
        rejections: how many events were rejected, each of which may have put an error event on the queue.
    """

    def __init__(self, counters: Counters, budget: Budget, refused: Refused) -> None:
        self.counters = counters
        self._budget = budget
        self._refused = refused
        self._drops = DropReports(counters)
        self._now, self._tick = time.time, time.monotonic  # bound here: globals may be gone at shutdown
        self.rejections = 0

    def delivered(self, count: int, size: int, marks: Sequence[Any] = ()) -> None:
        """See `Outcomes`; messages with a mark are in the spool, and count there."""
        self._budget.give_back(size, count - len(marks))
        if marks:
            self.counters.spooled.add(-len(marks))
        self.counters.delivered.add(count)
        self.counters.last_delivery = self._now()
        self.counters.last_delivery_tick = self._tick()

    def failed(self, message: Message, error: str, mark: Any = None) -> None:
        """See `Outcomes`."""
        self._give_back(message.size, mark)
        self.drop("not_delivered", message.stream, error)

    def refused(self, message: Message, reason: str, error: str, mark: Any = None) -> None:
        """See `Outcomes`."""
        self._give_back(message.size, mark)
        self.counters.last_error = error
        self.rejections += 1
        self._refused(message, reason, error)

    def troubled(self, error: str) -> None:
        """See `Outcomes`."""
        self.counters.last_error = error

    def settled(self, size: int, mark: Any = None) -> None:
        """Gives back the room of what was counted elsewhere."""
        self._give_back(size, mark)

    def dropped(self, reason: str, stream: str, size: int, error: str, mark: Any = None) -> None:
        """An item is given up."""
        self._give_back(size, mark)
        self.drop(reason, stream, error)

    def _give_back(self, size: int, mark: Any) -> None:
        self._budget.give_back(size, 1 if mark is None else 0)
        if mark is not None:
            self.counters.spooled.add(-1)

    def spooled(self, count: int, size: int = 0) -> None:
        """Messages in memory are in the spool now.

        Args:
            count: how many.
            size: the bytes of those that are not in memory any more.
        """
        self._budget.give_back(size, count)  # first, lest a snapshot counts them twice
        self.counters.spooled.add(count)

    def loaded(self, size: int) -> None:
        """A message of the spool is in memory, too."""
        self.counters.pending_bytes.add(size)

    def resized(self, difference: int) -> None:
        """What is held for an item changed its size."""
        self.counters.pending_bytes.add(difference)

    def drop(self, reason: str, stream: str, error: str = "", count: int = 1) -> None:
        """Counts a drop, or several, whose room is not given back here."""
        if error:
            self.counters.last_error = error
        self.counters.drop(reason, stream, count)

    def report_drops(self, *, now: bool = False) -> None:
        """Tells what was dropped since it was told last; see `DropReports`."""
        self._drops.tell(self.counters.last_error, now=now)
