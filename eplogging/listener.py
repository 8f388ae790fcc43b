"""The background queue listener: the only code that talks to the sink.

It takes what logging calls put on the queue, has it delivered, serves delivery reports, and ends within a
deadline. No exception ends it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from .awaited import Awaited, InterruptedPut
from .conformance import Conformer, Message
from .delivery import Delivery, Rejected
from .drops import INTERVAL
from .ending import at_child_end
from .flushes import Flush, Flushes
from .guard import enter_own_thread
from .items import Item
from .ledger import Ledger
from .reports import REPORTS, described, report
from .sinks import Sink

if TYPE_CHECKING:
    from .sinks.spooled import SpooledSink

_TURN = 500
"""Items handled between two looks at everything else."""

_PAUSE = 0.003
"""Seconds between turns under load: a sleeping reader that must be woken costs each caller 6 µs or more."""

CROWDED = 1000
YIELD_EVERY = 256
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
        self._ident, self._is_finalizing = threading.get_ident, sys.is_finalizing
        self.queue: deque[Item | Flush | Awaited] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._sleeping = False
        self._spooled = spooled
        self._delivery = Delivery(conformer, sink, ledger, rejected, self.wake, spooled)
        self._awaited: list[Awaited] = []
        self._flushes = Flushes(self._delivery, ledger, self.queue.append)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._deadline: float | None = None
        self._finished = False
        self._can_not_start = ""
        self._raised_at = float("-inf")

    def put(self, item: Item) -> None:
        """Queues an item for which the budget has given room.

        Takes no lock, and waits only where callers outrun the listener: one call in 256 then, for 2 ms.
        """
        self.queue.append(item)
        self.attend()

    def attend(self) -> None:
        """What is to be done once an item is queued.

        Raises:
            InterruptedPut: something was raised meanwhile.
        """
        try:
            self._attend()
            waiting = len(self.queue)
            if waiting > CROWDED and waiting % YIELD_EVERY == 0:
                self._sleep(_YIELD)
        except BaseException as error:  # of a signal handler, say
            raise InterruptedPut from error

    def put_durably(self, item: Item, timeout: float) -> bool:
        """Queues an item, and waits until it is on disk, or can not be put there.

        Args:
            item: the item.
            timeout: seconds to wait at most.

        Returns:
            Whether it is on disk.

        Raises:
            InterruptedPut: it is queued, and something was raised while this waited.
        """
        awaited = Awaited(item)
        self.queue.append(awaited)
        try:
            self._attend()
            return awaited.wait(timeout, lambda: self._has_no_thread)  # close() sees to it then
        except BaseException as error:
            raise InterruptedPut from error

    def _attend(self) -> None:
        """Sees that somebody takes what was queued."""
        if self._finished:
            self._give_up()
            return
        if self._sleeping:
            self._sleeping = False
            self._wake.put(None)
        if self._thread is None:
            self.start()

    @property
    def _has_no_thread(self) -> bool:
        """Whether there is none and will be none; not so while another thread starts it."""
        thread = self._thread
        if thread is None:
            return bool(self._can_not_start)
        return thread.ident is not None and not thread.is_alive()

    def wake(self) -> None:
        """Ends the listener's pause."""
        self._wake.put(None)

    @property
    def is_alive(self) -> bool:
        """Whether the listener's thread is running."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def trouble(self) -> str:
        """Why nobody takes what is queued; empty if somebody does, or nothing is."""
        if self._can_not_start:
            return f"the listener's thread can not be started: {self._can_not_start}"
        return "the listener's thread has ended" if self._has_no_thread and not self._finished else ""

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
                self._can_not_start = ""
                at_child_end(self._child_ends)
        except RuntimeError as error:  # shutting down: close() will send what is queued
            self._thread = None
            self._can_not_start = str(error) or "no thread can be started"
        finally:
            self._starting.release()

    def flush(self, timeout: float) -> bool:
        """Waits until everything put before is settled: delivered, rejected or dropped.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether everything is.
        """
        if self._is_own_thread:
            return False  # it would wait for itself
        request = Flush(self._now() + timeout, self._ledger.rejections)
        if not self.is_alive:
            if self._counters.pending.value + self._counters.spooled.value == 0:
                return True
            self.start(wait=min(timeout, 1.0))
        self.queue.append(request)
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
        # While the interpreter is finalized, no other thread runs any more, whatever it says of itself.
        if thread is not None and self.is_alive and not self._is_finalizing() and not self._is_own_thread:
            # Better late than lost: the spool takes what it takes.
            thread.join(timeout + _CLOSE_TIME + self.keeping_time)
        if thread is None or not thread.is_alive() or self._is_finalizing():
            self._finish(deadline)
        elif not self._is_own_thread:
            self._leave(thread)

    @property
    def _is_own_thread(self) -> bool:
        return self._thread is not None and self._thread.ident == self._ident()

    def _leave(self, thread: threading.Thread) -> None:
        """The sink, or the disk, holds the thread up: without a spool, what is queued still is given up."""
        if self._spooled is None:
            self._finished = True
            self._give_up()
        self._ledger.report_drops(now=True)
        report(
            REPORTS,
            40,
            f"the listener did not end in time, since {self._delivery.sink!r} holds it up; "
            f"{self._counters.pending.value} events are pending, and lost if the process ends now",
        )

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
        except BaseException as error:  # a panic of a library in Rust is no Exception
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise
            now = self._now()
            if now - self._raised_at >= INTERVAL:
                self._raised_at = now
                report(REPORTS, 40, f"the listener goes on after {described(error)}")
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
            if self._awaited and not (self._spooled is not None and self._spooled.owes):
                self._release()
        if self._flushes:
            self._guarded(lambda: self._delivery.flush(_HURRY if self.queue else _WAITING_PAUSE))
            self._flushes.look()
            moved = True  # and be back soon
        return moved

    def _take(self) -> bool:
        """Handles one turn's share of the queue; whether there was anything."""
        popleft, take = self.queue.popleft, self._delivery.take
        for taken in range(_TURN):
            try:
                item = popleft()
            except IndexError:
                return taken > 0
            if type(item) is Message:
                take(item)
            elif isinstance(item, Flush):
                self._flushes.add(item)
            elif isinstance(item, Awaited):
                self._awaited.append(item)
                take(item.item)
            else:
                take(item)
        return True

    def _release(self) -> None:
        """Lets the logging calls return whose events are on disk now, or in memory if the disk takes none."""
        awaited, self._awaited = self._awaited, []
        is_on_disk = self._spooled is not None and self._spooled.is_writable
        for one in awaited:
            one.release(is_on_disk)

    def _breathe(self) -> None:
        """Lets other threads run between two turns, without being woken by each event."""
        if self._spooled is not None and self._spooled.is_durable:
            self._pause()  # callers wait, so they leave it the GIL
        elif len(self.queue) < _TURN or self._delivery.is_congested:
            self._sleep(_PAUSE)

    def _pause(self) -> None:
        """Waits for the next event, or for the next thing that is due."""
        waiting = self._counters.pending.value + self._counters.spooled.value > 0
        self._sleeping = True
        try:
            if not self.queue:
                self._wake.get(timeout=_WAITING_PAUSE if waiting else _IDLE_PAUSE)
        except Empty:
            pass
        finally:
            self._sleeping = False

    def _finish(self, deadline: float) -> None:
        """Sends what is left until the deadline, then gives the rest up and says so once."""
        deadline -= min(self.keeping_time, max(0.0, (deadline - self._now()) / 2))
        while self._now() < deadline:
            self._guarded(self._turn)
            if not self.queue and not self._delivery.is_waiting:
                break
            self._sleep(_PAUSE)
        while (left := deadline - self._now()) > 0:
            # One flush may end early, with messages that librdkafka gave up and that are to be sent again.
            if self._guarded(lambda left=left: self._delivery.flush(left)) is not False:  # type: ignore[misc]
                break
            self._sleep(_PAUSE)
        self._flushes.give_up()
        self._guarded(lambda: self._delivery.give_up(self._rest()))
        self._release()
        self._finished = True  # from here on, who puts an item gives it up
        self._give_up()
        self._ledger.report_drops(now=True)

    def _rest(self) -> Iterator[Item]:
        """What is queued still."""
        while True:
            try:
                item = self.queue.popleft()
            except IndexError:
                return
            if isinstance(item, Flush):
                item.done.set()
            elif isinstance(item, Awaited):
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
