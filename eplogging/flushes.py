"""Those that wait in `flush`, each until all that was put before is settled; everything else goes on."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from .delivery import Delivery
from .ledger import Ledger


class Flush:
    """Asks the listener to settle everything that was put before it.

    Args:
        deadline: on the clock of `time.monotonic`; nobody waits any more after it.
        rejections: `Ledger.rejections` when it was asked for.

    Attributes:
        settled: whether everything is; only when `done` is set.
    """

    __slots__ = ("barrier", "deadline", "done", "rejections", "settled")

    def __init__(self, deadline: float, rejections: int) -> None:
        self.deadline = deadline
        self.rejections: int | None = rejections
        self.barrier: tuple[object] | None = None
        self.done = threading.Event()
        self.settled = False


class Flushes:
    """The requests that are not answered yet; one after the other.

    Only the listener's thread calls its methods, or the one that closes the handler after it.

    Args:
        delivery: knows what is settled.
        ledger: knows whether events were rejected meanwhile.
        again: queues a request once more.
    """

    def __init__(self, delivery: Delivery, ledger: Ledger, again: Callable[[Flush], object]) -> None:
        self._delivery = delivery
        self._ledger = ledger
        self._again = again
        self._now = time.monotonic  # bound here: module globals may be gone at shutdown
        self._waiting: deque[Flush] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, request: Flush) -> None:
        """Takes a request: everything that was put before it has been taken."""
        self._waiting.append(request)
        self._delivery.flush_begins()

    def look(self) -> None:
        """Answers what can be answered; does not wait."""
        while self._waiting:
            request = self._waiting[0]
            settled = self._is_settled(request)
            if not settled and self._now() < request.deadline:
                return
            self._waiting.popleft()
            self._answer(request, settled)
        self._delivery.flush_ends()

    def _is_settled(self, request: Flush) -> bool:
        if request.barrier is None:
            if self._delivery.is_waiting or self._delivery.is_to_be_written:
                return False
            request.barrier = (self._delivery.barrier(),)  # only now is all of it in the sink or on the disk
        return self._delivery.is_past(*request.barrier)

    def _answer(self, request: Flush, settled: bool) -> None:
        if settled and request.rejections not in (None, self._ledger.rejections):
            # Once more: rejecting may have put error events behind it.
            request.rejections = request.barrier = None
            self._again(request)
            return
        request.settled = settled
        request.done.set()

    def give_up(self) -> None:
        """Lets those that wait return: the handler is being closed."""
        for request in self._waiting:
            request.done.set()
        self._waiting.clear()
