"""The background queue listener: the only code that talks to the sink.

It takes what logging calls put on the queue, has it delivered, serves delivery reports, and ends within a
deadline. No exception ends it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from .conformance import Conformer
from .delivery import Delivery, Rejected
from .drops import INTERVAL
from .ending import at_child_end
from .guard import enter_own_thread
from .items import Item
from .ledger import Ledger
from .reports import REPORTS, report
from .sinks import Sink

if TYPE_CHECKING:
    from .sinks.spooled import SpooledSink

_TURN = 500
"""Items handled between two looks at everything else."""

_PAUSE = 0.003
"""Seconds between turns under load: a sleeping reader that must be woken costs each caller 6 µs or more."""

_CROWDED = 1000
_YIELD_EVERY = 256
_YIELD = 0.002
"""A thread that logs without pause leaves the listener no GIL: each delivery report must then wait 5 ms
for it, and a queue would fill up before a healthy broker. So when more than a thousand items are queued,
one call in 256 lets the listener run, for seconds as given here."""

_HURRY = 0.001
"""Seconds in which the sink sends what it may still collect, while somebody waits in `flush`."""

_IDLE_PAUSE = 0.5
_WAITING_PAUSE = 0.02
_CLOSE_TIME = 0.4
"""Seconds past its deadline that `close` waits for what was given up to be counted and reported."""

_KEEPING, _PER_MESSAGE, _PER_BYTE = 0.1, 50e-6, 20e-9
"""Seconds that it takes to put what is in memory into the spool: at all, for each message, for each byte."""


class _Flush:
    """Asks the listener to settle everything that was put before it."""

    __slots__ = ("barrier", "deadline", "done", "rejections", "settled")

    def __init__(self, deadline: float, rejections: int) -> None:
        self.deadline = deadline
        self.rejections: int | None = rejections
        self.barrier: tuple[object] | None = None
        self.done = threading.Event()
        self.settled = False


class _Awaited:
    """An item whose logging call waits until it is on disk."""

    __slots__ = ("item", "kept")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.kept = threading.Lock()
        self.kept.acquire()


class Listener:
    """A queue, and the thread that empties it into a sink.

    `put`, `flush` and `close` may be called from any thread; `put` takes no lock.
    The thread is a daemon, started by `start`; at interpreter shutdown, when no thread can be
    started any more, `close` does its work in the calling thread.

    Args:
        conformer: conforms deferred events.
        sink: takes the messages.
        ledger: where every outcome is counted.
        rejected: called in the listener's thread with a deferred event that was rejected.
        flush_timeout: seconds that the end of a child process may take.
        spooled: the sink, if it is one that owns a spool.
    """

    def __init__(
        self,
        conformer: Conformer,
        sink: Sink,
        ledger: Ledger,
        rejected: Rejected,
        flush_timeout: float = 10.0,
        spooled: SpooledSink | None = None,
    ) -> None:
        self._conformer = conformer
        self._ledger = ledger
        self._counters = ledger.counters
        self._flush_timeout = flush_timeout
        # Bound here, since module globals may be gone when the last turn runs at shutdown.
        self._now = time.monotonic
        self._sleep = time.sleep
        self._queue: deque[Item | _Flush | _Awaited] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._sleeping = False
        self._spooled = spooled
        self._delivery = Delivery(conformer, sink, ledger, rejected, self.wake, spooled)
        self._awaited: list[_Awaited] = []
        self._flushes: deque[_Flush] = deque()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._deadline: float | None = None
        self._finished = False
        self._raised_at = float("-inf")

    def put(self, item: Item) -> None:
        """Queues an item for which the budget has given room.

        Takes no lock, and waits only where callers outrun the listener: one call in 256 then, for 2 ms.
        """
        self._put(item)
        waiting = len(self._queue)
        if waiting > _CROWDED and waiting % _YIELD_EVERY == 0:
            self._sleep(_YIELD)

    def put_durably(self, item: Item, timeout: float) -> None:
        """Queues an item, and waits until it is on disk, or can not be put there.

        Args:
            item: the item.
            timeout: seconds to wait at most.
        """
        awaited = _Awaited(item)
        self._put(awaited)
        if self.is_alive:  # else close() sees to it
            awaited.kept.acquire(timeout=timeout)

    def _put(self, item: Item | _Awaited) -> None:
        self._queue.append(item)
        if self._finished:
            self._give_up()
            return
        if self._sleeping:
            self._sleeping = False
            self._wake.put(None)
        if self._thread is None:
            self.start()

    def wake(self) -> None:
        """Ends the listener's pause."""
        self._wake.put(None)

    @property
    def is_alive(self) -> bool:
        """Whether the listener's thread is running."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def was_started(self) -> bool:
        """Whether there is, or was, a thread."""
        return self._thread is not None

    def start(self, *, wait: float = 0) -> None:
        """Starts the thread, once; does nothing at interpreter shutdown.

        Args:
            wait: seconds to wait at most for another thread that does it.
        """
        if not self._starting.acquire(timeout=wait):
            return
        try:
            if self._thread is None and self._deadline is None:
                thread = threading.Thread(target=self._run, name="eplogging-listener", daemon=True)
                self._thread = thread
                thread.start()
                at_child_end(self._child_ends)
        except RuntimeError:  # shutting down: close() will send what is queued
            self._thread = None
        finally:
            self._starting.release()

    def flush(self, timeout: float) -> bool:
        """Waits until everything put before is settled: delivered, rejected or dropped.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether everything is.
        """
        if self._thread is threading.current_thread():
            return False  # it would wait for itself
        request = _Flush(self._now() + timeout, self._ledger.rejections)
        if not self.is_alive:
            if self._counters.pending.value + self._counters.spooled.value == 0:
                return True
            self.start(wait=min(timeout, 1.0))
        self._queue.append(request)
        self.wake()
        while not request.done.is_set() and self.is_alive:
            remaining = request.deadline - self._now()
            if remaining <= 0:
                break
            request.done.wait(min(remaining, 0.1))
        return request.settled

    def close(self, timeout: float) -> None:
        """Sends what is queued, then ends; what is not acknowledged by then is dropped and counted.

        Does nothing when it is called again.

        Args:
            timeout: seconds it may take.
        """
        if self._deadline is not None:
            return
        deadline = self._now() + timeout
        self._conformer.hurry(deadline)
        self._deadline = deadline
        self.wake()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            # Better late than lost: the spool takes what it takes.
            thread.join(timeout + _CLOSE_TIME + self.keeping_time)
        if thread is None or not thread.is_alive():
            self._finish(deadline)

    @property
    def keeping_time(self) -> float:
        """Seconds that putting what is in memory into the spool may take; 0 without one."""
        if self._spooled is None:
            return 0.0
        counters = self._counters
        return _KEEPING + _PER_MESSAGE * counters.pending.value + _PER_BYTE * counters.pending_bytes.value

    def _child_ends(self) -> None:
        """At the end of a child of `multiprocessing`, which runs no `logging.shutdown`."""
        if not self.flush(self._flush_timeout - min(self.keeping_time, self._flush_timeout / 2)):
            self.close(0)

    def _run(self) -> None:
        enter_own_thread()
        self._guarded(self._delivery.start)
        while self._deadline is None:
            self._guarded(self._pause if self._guarded(self._turn) is False else self._breathe)
        self._finish(self._deadline)

    def _guarded(self, step: Callable[[], object]) -> object:
        """One step, whatever it raises: a listener that ends would lose everything after it."""
        try:
            return step()
        except Exception as error:
            now = self._now()
            if now - self._raised_at >= INTERVAL:
                self._raised_at = now
                report(REPORTS, 40, f"the listener goes on after {type(error).__name__}: {error}")
            self._sleep(_PAUSE)
            return None

    def _turn(self) -> bool:
        """Handles what is there; whether there was anything."""
        try:
            moved = self._take()
            self._counters.look()
            self._ledger.report_drops()
            self._delivery.turn()
        finally:
            self._release()
        if self._flushes:
            self._look_at_flushes()
            moved = True  # and be back soon
        return moved

    def _take(self) -> bool:
        """Handles one turn's share of the queue; whether there was anything."""
        popleft, take = self._queue.popleft, self._delivery.take
        for taken in range(_TURN):
            try:
                item = popleft()
            except IndexError:
                return taken > 0
            if isinstance(item, _Flush):
                self._flushes.append(item)
                self._delivery.flush_begins()
            elif isinstance(item, _Awaited):
                self._awaited.append(item)
                take(item.item)
            else:
                take(item)
        return True

    def _release(self) -> None:
        """Lets the logging calls return whose events are on disk now, or in memory if the disk takes none."""
        awaited, self._awaited = self._awaited, []
        for one in awaited:
            one.kept.release()

    def _breathe(self) -> None:
        """Lets other threads run between two turns, without being woken by each event."""
        if self._spooled is not None and self._spooled.is_durable:
            self._pause()  # callers wait, so they leave it the GIL
        elif len(self._queue) < _TURN or self._delivery.is_congested:
            self._sleep(_PAUSE)

    def _pause(self) -> None:
        """Waits for the next event, or for the next thing that is due."""
        waiting = self._counters.pending.value + self._counters.spooled.value > 0
        self._sleeping = True
        try:
            if not self._queue:
                self._wake.get(timeout=_WAITING_PAUSE if waiting else _IDLE_PAUSE)
        except Empty:
            pass
        finally:
            self._sleeping = False

    def _look_at_flushes(self) -> None:
        """Answers those that wait in `flush`, one after the other, while everything else goes on."""
        delivery = self._delivery
        self._guarded(lambda: delivery.flush(_HURRY if self._queue else _WAITING_PAUSE))
        while self._flushes:
            request = self._flushes[0]
            if request.barrier is None and not delivery.is_waiting:
                request.barrier = (delivery.barrier(),)  # only now is all of it in the sink or on the disk
            settled = request.barrier is not None and delivery.is_past(*request.barrier)
            if not settled and self._remaining(request) > 0:
                return
            self._flushes.popleft()
            self._answer(request, settled)
        delivery.flush_ends()

    def _answer(self, request: _Flush, settled: bool) -> None:
        if settled and request.rejections not in (None, self._ledger.rejections):
            request.rejections = request.barrier = None
            self._queue.append(request)  # once more: rejecting may have put error events behind it
            return
        request.settled = settled
        request.done.set()

    def _remaining(self, request: _Flush) -> float:
        deadline = request.deadline if self._deadline is None else min(request.deadline, self._deadline)
        return deadline - self._now()

    def _finish(self, deadline: float) -> None:
        """Sends what is left until the deadline, then gives the rest up and says so once."""
        deadline -= min(self.keeping_time, max(0.0, (deadline - self._now()) / 2))
        while self._now() < deadline:
            self._guarded(self._turn)
            if not self._queue and not self._delivery.is_waiting:
                break
            self._sleep(_PAUSE)
        while (left := deadline - self._now()) > 0:
            # One flush may end early, with messages that librdkafka gave up and that are to be sent again.
            if self._guarded(lambda left=left: self._delivery.flush(left)) is not False:  # type: ignore[misc]
                break
            self._sleep(_PAUSE)
        for request in self._flushes:
            request.done.set()
        self._guarded(lambda: self._delivery.give_up(self._rest()))
        self._release()
        self._finished = True  # from here on, who puts an item gives it up
        self._give_up()
        self._ledger.report_drops(now=True)

    def _rest(self) -> Iterator[Item]:
        """What is queued still."""
        while True:
            try:
                item = self._queue.popleft()
            except IndexError:
                return
            if isinstance(item, _Flush):
                item.done.set()
            elif isinstance(item, _Awaited):
                self._awaited.append(item)
                yield item.item
            else:
                yield item

    def _give_up(self) -> None:
        """Drops and counts what is queued; from any thread."""
        for item in self._rest():
            self._ledger.dropped(
                "closed", item.stream, item.size, "the handler was closed before it could be sent"
            )
        self._release()
