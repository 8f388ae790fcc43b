"""Counters of what became of every event: the proof that none was lost in silence.

Whenever nothing is in motion, accepted + taken_over = delivered + rejected + dropped + spooled + pending; the
right side is never larger, as `snapshot` reads it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from .conformance.accelerated import is_pure

MAX_STREAMS = 1000
OTHER_STREAMS = "other"
"""Stands for every stream past the first thousand, so that hostile names can not fill the memory."""

MAX_NAME = 250
"""Characters of a stream's name that are kept: those of a rejected event may be any."""


class PythonCounter:
    """A sum that any thread may add to without a lock; where C was built, `AtomicCounter` is one in C.

    `+=` on an attribute loses updates between threads, and a lock on the warm path could deadlock
    with a signal handler that logs. Moving a stream's position is one call into C, which adds and
    returns the sum in one step.
    """

    __slots__ = ("_seek",)

    def __init__(self) -> None:
        self._seek = BytesIO().seek

    def add(self, number: int) -> int:
        """Adds a number, negative too, and returns the new sum; the sum never falls below zero."""
        return self._seek(number, 1)

    @property
    def value(self) -> int:
        """The sum."""
        return self._seek(0, 1)


try:
    if is_pure:
        raise ImportError
    from ._intake import Counter as AtomicCounter
except ImportError:
    AtomicCounter = PythonCounter  # type: ignore[assignment,misc]


@dataclass(frozen=True)
class Stats:
    """What became of the events of one handler in this process, at one moment.

    Attributes:
        accepted: events taken from log records.
        delivered: events acknowledged by the sink.
        rejected: events that can never be sent, by (reason, stream).
        dropped: events that could be sent and were not, by (reason, stream).
        spooled: messages in the spool, not acknowledged yet.
        pending: events in memory alone: waiting for a look-up, to be sent, or to be acknowledged.
        pending_bytes: the bytes of what is in memory.
        error_events: error events accepted on `error_stream`; they are among `accepted` too.
        taken_over: messages that other processes had left in the spool.
        oldest: seconds that the oldest event waits which is spooled or pending; right to about a second.
        undurable: events that were not on disk when their logging call returned, although `durable` is set.
        last_delivery: when a message was last acknowledged, in seconds since the epoch; None if none was.
        last_error: what was last said of the brokers, or of a message that was not delivered; empty if
            nothing was.
    """

    accepted: int
    delivered: int
    rejected: Mapping[tuple[str, str], int]
    dropped: Mapping[tuple[str, str], int]
    spooled: int
    pending: int
    pending_bytes: int
    error_events: int
    taken_over: int
    undurable: int
    oldest: float
    last_delivery: float | None
    last_error: str


class Ages:
    """How long the oldest event waits, from a look at the counters now and then.

    `look` is called by the listener, `oldest` from any thread.
    """

    _MOST = 512

    def __init__(self) -> None:
        self._now = time.monotonic
        self._looks: deque[tuple[int, float]] = deque()

    def look(self, accepted: int, settled: int) -> None:
        """Notes how many events had been accepted by now, if half a second has passed since the last look.

        Args:
            accepted: events so far.
            settled: those of them that wait no more; taken for the oldest ones.
        """
        looks, now = self._looks, self._now()
        if looks and now - looks[-1][1] < 0.5:
            return
        looks.append((accepted, now))
        while len(looks) > 1 and looks[1][0] <= settled:
            looks.popleft()
        if len(looks) > self._MOST:
            self._looks = deque(list(looks)[::2])

    def oldest(self, settled: int) -> float:
        """Seconds since the oldest event that is not settled was accepted, at most."""
        looks = tuple(self._looks)
        since = [when for accepted, when in looks if accepted <= settled]
        return self._now() - (since[-1] if since else looks[0][1]) if looks else 0.0


class Counters:
    """The counters of one handler; every method may be called from any thread and takes no lock.

    Attributes:
        last_delivery: when a message was last acknowledged, in seconds since the epoch.
        last_delivery_tick: the same on the clock of `time.monotonic`.
        last_error: what was last said of the brokers, or of a message that was not delivered.
        oldest_spooled: when the oldest message in the spool was written, in seconds since the epoch.
    """

    def __init__(self) -> None:
        self.last_delivery: float | None = None
        self.last_delivery_tick: float | None = None
        self.last_error = ""
        self.oldest_spooled: float | None = None
        self.spooled = AtomicCounter()
        self.taken_over = AtomicCounter()
        self.undurable = AtomicCounter()
        self._ages = Ages()
        self.accepted = AtomicCounter()
        self.delivered = AtomicCounter()
        self.pending = AtomicCounter()
        self.pending_bytes = AtomicCounter()
        self.error_events = AtomicCounter()
        self._rejected: dict[tuple[str, str], AtomicCounter] = {}
        self._dropped: dict[tuple[str, str], AtomicCounter] = {}

    def reject(self, reason: str, stream: str | None) -> None:
        """Counts an event that can never be sent."""
        _count(self._rejected, reason, stream)

    def drop(self, reason: str, stream: str | None, count: int = 1) -> None:
        """Counts an event that could be sent and is not, or several."""
        _count(self._dropped, reason, stream, count)

    def dropped(self) -> dict[tuple[str, str], int]:
        """Dropped events by (reason, stream)."""
        return {key: counter.value for key, counter in self._dropped.copy().items()}

    def look(self) -> None:
        """Takes note of how long events wait; called by the listener at each turn."""
        waiting = self.pending.value + self.spooled.value
        accepted = self.accepted.value + self.taken_over.value
        self._ages.look(accepted, accepted - waiting)

    def snapshot(self) -> Stats:
        """All counters; `accepted` is read last, so that it is never behind the others."""
        delivered = self.delivered.value
        rejected = {key: counter.value for key, counter in self._rejected.copy().items()}
        dropped = self.dropped()
        spooled, pending = self.spooled.value, self.pending.value
        taken_over, accepted = self.taken_over.value, self.accepted.value
        return Stats(
            accepted=accepted,
            delivered=delivered,
            rejected=rejected,
            dropped=dropped,
            spooled=spooled,
            pending=pending,
            pending_bytes=self.pending_bytes.value,
            error_events=self.error_events.value,
            taken_over=taken_over,
            undurable=self.undurable.value,
            oldest=self._oldest(accepted + taken_over, spooled, pending),
            last_delivery=self.last_delivery,
            last_error=self.last_error,
        )

    def _oldest(self, all_in: int, spooled: int, pending: int) -> float:
        waits = self._ages.oldest(all_in - spooled - pending) if spooled or pending else 0.0
        since = self.oldest_spooled
        return max(waits, time.time() - since) if spooled and since else waits


def _count(
    counters: dict[tuple[str, str], AtomicCounter], reason: str, stream: str | None, count: int = 1
) -> None:
    key = (reason, (stream or "")[:MAX_NAME])
    counter = counters.get(key)
    if counter is None:
        if len(counters) >= MAX_STREAMS:
            key = (reason, OTHER_STREAMS)
        counter = counters.setdefault(key, AtomicCounter())
    counter.add(count)
