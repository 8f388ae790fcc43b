"""What the listener does with an item: conforms what was deferred, parks what must wait, sends the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .conformance import Conformer, Message, RejectedError, UnavailableError
from .items import Deferred, Item, Kept
from .ledger import Ledger
from .lookups import Lookups
from .reports import described
from .sinks import Sink, SinkFull

if TYPE_CHECKING:
    from .sinks.spooled import SpooledSink

Rejected = Callable[[Deferred, RejectedError], None]


class Delivery:
    """Takes items to the sink, in order within each stream.

    Only the listener's thread calls its methods, or the one that closes the handler after it.

    Args:
        conformer: conforms deferred events.
        sink: takes the messages.
        ledger: where every outcome is counted.
        rejected: called with a deferred event that was rejected.
        wake: called from other threads when there is something to do.
        spooled: the sink, if it is one that owns a spool.
    """

    def __init__(
        self,
        conformer: Conformer,
        sink: Sink,
        ledger: Ledger,
        rejected: Rejected,
        wake: Callable[[], None],
        spooled: SpooledSink | None = None,
    ) -> None:
        self._conformer = conformer
        self.sink = self._sink = sink
        self._ledger = ledger
        self._rejected = rejected
        self._lookups = Lookups(conformer, wake)
        self._backlog: deque[tuple[Message, Any]] = deque()
        self._is_open = False
        self.spooled = spooled
        if spooled is not None:
            spooled.hand_back(self._handle)

    def start(self) -> None:
        """Starts the look-ups that the configuration asks for, and takes over what is in the spool."""
        self._lookups.precache()
        if self.spooled is not None:
            self._open()

    def _open(self) -> None:
        if not self._is_open:
            self._sink.open(self._ledger)
            self._is_open = True

    def take(self, item: Item) -> None:
        """Sends an item, or settles it otherwise, or keeps it until that can be done."""
        if self._lookups.parked or self._backlog or type(item) is not Message:
            self._handle(item)
        elif not self._send(item):
            self._backlog.append((item, None))

    def _handle(self, item: Item) -> None:
        if item.stream in self._lookups.parked or not self._pass_on(item):
            self._park(item)

    def _park(self, item: Item) -> None:
        """Keeps an item behind the others of its stream: in memory, or all of those on the disk."""
        spooled = self.spooled
        if spooled is None or isinstance(item, Kept) or not (spooled.spills and spooled.comes_first):
            self._lookups.park(item)
            return
        self._open()
        for one in (*self._lookups.take_unkept(item.stream), item):
            kept = spooled.keep(one)
            if kept is not None:
                self._lookups.park(kept)

    def _pass_on(self, item: Item) -> bool:
        """Sends an item or settles it otherwise; False if it needs a look-up first."""
        row = None
        if isinstance(item, Kept):
            item, row = item
        if isinstance(item, Deferred):
            try:
                message = self._conform(item, row)
            except UnavailableError:
                return False
            if message is None:
                return True
        else:
            message = item
        # What is on disk is older than what waits here, and the sink takes it always.
        if (self._backlog and row is None) or not self._send(message, row):
            self._backlog.append((message, row))
        return True

    def _conform(self, item: Deferred, row: Any) -> Message | None:
        try:
            message = self._conformer.conform(
                item.event(),
                event_time=item.event_time,
                event_id=item.event_id,
                bound=item.bound,
                cached_only=True,
            )
        except UnavailableError:
            raise
        except RejectedError as error:
            self._ledger.settled(item.size, row)
            self._ledger.rejections += 1
            self._forget(row)
            self._rejected(item, error)
            return None
        except BaseException as error:  # a panic of a library in Rust is no Exception
            self._ledger.dropped("internal_error", item.stream, item.size, described(error), row)
            self._forget(row)
            if isinstance(error, KeyboardInterrupt):
                raise
            return None
        # The room was taken for the snapshot; from here on the message is what is held.
        self._ledger.resized(message.size - item.size)
        return message

    def _give_up(self, item: Item, error: str) -> None:
        """Drops an item whose look-up fails for a reason that is no answer and no outage."""
        row = None
        if isinstance(item, Kept):
            item, row = item
        self._ledger.dropped("internal_error", item.stream, item.size, error, row)
        self._forget(row)

    def _forget(self, row: Any) -> None:
        if row is not None and self.spooled is not None:
            self.spooled.forget(row)

    def _send(self, message: Message, row: Any = None) -> bool:
        """Hands a message to the sink; False if it must wait."""
        try:
            if not self._is_open:
                self._open()
            self._sink.send(message, row)
        except SinkFull:
            return False
        except Exception as error:
            self._ledger.failed(message, described(error), row)
            self._forget(row)
        return True

    def send_backlog(self) -> None:
        """Sends what the sink had no room for."""
        while self._backlog:
            if not self._send(*self._backlog[0]):
                return
            self._backlog.popleft()

    @property
    def is_congested(self) -> bool:
        """Whether the sink has no room for what there is."""
        return bool(self._backlog)

    @property
    def is_waiting(self) -> bool:
        """Whether something can not be sent yet."""
        return bool(self._lookups.parked or self._backlog)

    @property
    def is_to_be_written(self) -> bool:
        """Whether something waits in memory for the disk, which takes nothing now."""
        return self.spooled is not None and self.spooled.has_fresh

    def turn(self) -> None:
        """Moves on what waits, where that is possible now; does not wait."""
        self.send_backlog()
        self._lookups.turn(self._pass_on, self._give_up)
        self._lookups.refresh_if_due()
        if self._is_open:
            self._sink.poll()

    def flush_begins(self) -> None:
        """Has what comes from now on kept on the disk, where there is one, behind what is waited for."""
        if self.spooled is not None and self.spooled.spills:
            self.spooled.holds = True

    def flush_ends(self) -> None:
        """Undoes `flush_begins`."""
        if self.spooled is not None:
            self.spooled.holds = False

    def barrier(self) -> object:
        """Stands for everything taken until now, none of which may be waiting; see `is_past`."""
        return self._sink.barrier()

    def is_past(self, barrier: object) -> bool:
        """Whether everything that was taken before the barrier is delivered, rejected or dropped."""
        return self._sink.is_past(barrier)

    def flush(self, timeout: float) -> bool:
        """Waits until everything that was sent is settled."""
        return not self._is_open or self._sink.flush(max(timeout, 0))

    def give_up(self, queued: Iterable[Item]) -> None:
        """Ends: what is not delivered goes to the spool, or is dropped and counted.

        Args:
            queued: what was not taken yet.
        """
        backlog = [message if row is None else Kept(message, row) for message, row in self._backlog]
        items: list[Item] = [*backlog, *self._lookups.drain(), *queued]
        self._backlog.clear()
        if self.spooled is not None and (items or self._is_open):
            self._open()
            items = self.spooled.keep_all(items)
        left = self._sink.close() if self._is_open else []
        self._is_open = False
        for message, row in left:
            error = "it was not acknowledged before the handler was closed"
            self._ledger.dropped("not_delivered", message.stream, message.size, error, row)
        for item in items:
            error = "the handler was closed before it could be sent"
            self._ledger.dropped("closed", item.stream, item.size, error)
