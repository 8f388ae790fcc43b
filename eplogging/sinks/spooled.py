"""A sink in front of another one: it keeps on disk what that one can not take, or, if asked to, everything.

Messages go through in one order: what is on disk is older than what comes, so while something on disk
is unread, what comes goes to the disk behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ..conformance import Message
from ..items import Deferred, Item, Kept
from ..ledger import Ledger
from ..reports import described
from ..spool import Row, Spool, SpoolError, decode, first_chunk, is_storable, with_identity
from .base import Outcomes, Sink, SinkFull
from .disk import Disk
from .window import Window

_READS = 5


class SpooledSink:
    """Sends through another sink, and owns the spool.

    Args:
        sink: where messages go.
        spool: where they are kept.
        durable: whether each is on disk before it is sent.
        spills: whether what the sink can not take goes to the disk; else it stays in the listener's memory.
        window: messages that the sink holds at most.
        window_bytes: their bytes.

    Attributes:
        holds: whether what comes goes to the disk, behind what is being waited for.
    """

    def __init__(
        self, sink: Sink, spool: Spool, *, durable: bool, spills: bool, window: int, window_bytes: int
    ) -> None:
        self._sink = sink
        self._spool = spool
        self._durable = durable
        self._spills = spills or durable
        self._limits = window, window_bytes
        self._again: Callable[[Kept], None] | None = None
        self._disk = Disk(spool)
        self._trouble = self._disk.trouble
        self._reset()

    def _reset(self) -> None:
        self.holds = False
        self._is_open = False
        self._window = Window(*self._limits)
        self._waiting: deque[tuple[Message, Row]] = deque()
        self._fresh: deque[Message] = deque()

    def __repr__(self) -> str:
        return repr(self._sink)

    @property
    def trouble(self) -> str:
        """Why the spool can not be used now; empty if it can."""
        return str(self._trouble)

    @property
    def is_writable(self) -> bool:
        """Whether the disk took what it was last given."""
        return not self._trouble.has("written")

    @property
    def has_fresh(self) -> bool:
        """Whether something is to be written."""
        return bool(self._fresh)

    @property
    def owes(self) -> bool:
        """Whether something is to be written that the disk may take."""
        return bool(self._fresh) and self.is_writable

    @property
    def is_durable(self) -> bool:
        """Whether each message is on disk before it is sent."""
        return self._durable

    @property
    def spills(self) -> bool:
        """Whether what the sink can not take goes to the disk."""
        return self._spills

    @property
    def comes_first(self) -> bool:
        """Whether the disk is where an item must wait: always, or behind what is on it."""
        return self._durable or bool(self._fresh) or self._spool.unread > 0

    def hand_back(self, again: Callable[[Kept], None]) -> None:
        """Says who takes what is read from the disk: it may wait for a look-up, as others do."""
        self._again = again

    def open(self, outcomes: Outcomes) -> None:
        """Takes over what other processes left behind."""
        assert isinstance(outcomes, Ledger)
        self._disk.open(outcomes)
        self._disk.look_for_orphans(self._window.kept)

    @property
    def _books(self) -> Ledger:
        return self._disk.books

    def send(self, message: Message, mark: Any = None) -> None:
        """Passes a message on, or takes it for the disk, where the next `poll` writes it.

        Raises:
            SinkFull: it must wait in the listener's memory; never for what is on disk, and has a mark.
        """
        if mark is not None:
            self._waiting.append((message, mark))
            if len(self._waiting) == 1:
                self._send_waiting()
            return
        is_behind = bool(self._waiting or self._fresh or self._spool.unread)
        if self._spills and (self._durable or self.holds or is_behind):
            self._fresh.append(message)
            return
        if is_behind:
            raise SinkFull
        try:
            self._pass_on(message, None)
        except SinkFull:
            if not self._spills:
                raise
            self._fresh.append(message)

    def _send_waiting(self) -> None:
        while self._waiting:
            message, row = self._waiting[0]
            try:
                self._pass_on(message, row)
            except SinkFull:
                return
            except Exception as error:
                self._books.failed(message, described(error), row)
                self._disk.done.append(row)
            self._waiting.popleft()
            self._window.loaded -= 1

    def _pass_on(self, message: Message, mark: Row | None) -> None:
        if mark is None and not self._window.has_room:
            raise SinkFull
        if not self._is_open:
            self._sink.open(self)
            self._is_open = True
        self._sink.send(message, mark)
        self._window.sent(message, mark)

    def keep(self, item: Message | Deferred) -> Message | Deferred | Kept | None:
        """Puts an item on the disk that can not be sent yet.

        Returns:
            The item as it is to be handled from here on; None if it will be read from the disk.
        """
        self._write_fresh()  # it is older
        if self._fresh or self._trouble.is_fresh("written"):
            return item
        if isinstance(item, Deferred):
            item = with_identity(item)
        is_next = not self._spool.unread
        rows = self._disk.store([item], int(is_next))
        if not rows:
            return item
        self._books.spooled(1, 0 if is_next else item.size)
        if not is_next:
            return None
        self._window.loaded += 1
        return Kept(item, rows[0])

    def forget(self, row: Row) -> None:
        """An item that was read from the disk, and settled otherwise, can be removed."""
        self._window.loaded -= 1
        self._disk.done.append(row)

    def delivered(self, count: int, size: int, marks: Sequence[Any] = ()) -> None:
        """See `Outcomes`: what the sink tells."""
        self._window.delivered(count, size, marks)
        self._disk.done.extend(marks)
        self._books.delivered(count, size, marks)

    def failed(self, message: Message, error: str, mark: Any = None) -> None:
        """See `Outcomes`: what the sink tells."""
        self._settled(message, mark)
        self._books.failed(message, error, mark)

    def troubled(self, error: str) -> None:
        """See `Outcomes`: what the sink tells."""
        self._books.troubled(error)

    def refused(self, message: Message, reason: str, error: str, mark: Any = None) -> None:
        """See `Outcomes`: what the sink tells."""
        self._settled(message, mark)
        self._books.refused(message, reason, error, mark)

    def _settled(self, message: Message, mark: Any) -> None:
        self._window.settled(message, mark)
        if mark is not None:
            self._disk.done.append(mark)

    def poll(self) -> None:
        """Serves the sink, and moves messages between it, memory and the disk."""
        try:
            if self._is_open:
                self._sink.poll()
        finally:  # logging calls may wait for the disk
            self._send_waiting()
            self._write_fresh()
        if not self._fresh and not self._trouble.is_fresh("written"):
            self._trouble.over("written")  # nothing is held up by it any more
        self._disk.remove_if_due()
        if self._spool.unread:
            self._read()
        elif not self._spool.stored:
            self._books.counters.oldest_spooled = None
        self._disk.look_for_orphans(self._window.kept)

    def _write_fresh(self) -> None:
        while self._fresh and not self._trouble.is_fresh("written"):
            is_full = self._spool.unread or self._waiting or not self._window.has_room
            room = 0 if is_full else self._window.room
            messages = first_chunk(self._fresh)
            rows = self._disk.store(messages, room)
            self._books.spooled(len(rows), sum(one.size for one in messages[room : len(rows)]))
            self._window.loaded += min(room, len(rows))
            for index, row in enumerate(rows):
                self._fresh.popleft()
                if index < room:
                    self.send(messages[index], row)
        if self._fresh:
            self._pass_on_from_memory()

    def _pass_on_from_memory(self) -> None:
        """The disk takes nothing: what can be sent is, without it."""
        while self._fresh and not (self._spool.unread or self._waiting):
            message = self._fresh[0]
            try:
                self._pass_on(message, None)
            except SinkFull:
                return
            except Exception as error:
                self._books.failed(message, described(error))
            self._fresh.popleft()

    @property
    def _may_load(self) -> bool:
        """Whether memory has room for more of what is on the disk; always for a little."""
        pending, size = self._books.counters.pending.value, self._books.counters.pending_bytes.value
        window = self._window
        return window.has_room and not (window.loaded and window.is_full(pending, size))

    def _read(self) -> None:
        for _ in range(_READS):
            if not (self._spool.unread and self._may_load):
                break
            found = self._disk.read(self._window.room)
            if found is None:
                break
            self._window.loaded += len(found)
            for row, record in found:
                self._hand_back(row, record)
            if self._spool.damage:
                self._disk.account(self._window.kept)

    def _hand_back(self, row: Row, record: bytes) -> None:
        try:
            kept = Kept(decode(record), row)
        except Exception as error:  # of another version, or written by somebody else
            self._books.dropped("spool_damaged", "", 0, described(error), row)
            self.forget(row)
            return
        self._books.loaded(kept.size)
        assert self._again is not None
        self._again(kept)

    def flush(self, timeout: float) -> bool:
        """Waits until everything is delivered, what is on disk included."""
        self.poll()
        done = self._sink.flush(timeout) if self._is_open else True
        self.poll()
        return done and not (self._fresh or self._window.out or self._spool.stored)

    def barrier(self) -> object:
        """Stands for everything taken until now; see `is_past`."""
        self._write_fresh()
        return self._sink.barrier(), self._spool.end()

    def is_past(self, barrier: Any) -> bool:
        """Whether everything that was taken before the barrier is delivered, rejected or dropped."""
        try:
            passed_on, stored = barrier
            return not (self._fresh or self._spool.has_before(stored)) and self._sink.is_past(passed_on)
        except SpoolError:
            return False

    def keep_all(self, items: Sequence[Item]) -> list[Item]:
        """Puts on the disk what the listener still holds; returns what the disk does not take."""
        self._trouble.forget()
        self._books.resized(-sum(item.size for item in items if isinstance(item, Kept)))
        left: deque[Message | Deferred] = deque(self._fresh)
        self._fresh.clear()
        lost: list[Item] = []
        for item in items:
            if isinstance(item, Deferred):
                (left if is_storable(item) else lost).append(with_identity(item))
            elif isinstance(item, Message):
                left.append(item)
        while left:
            chunk = first_chunk(left)
            rows = self._disk.store(chunk)
            if not rows:
                break
            self._books.spooled(len(rows), sum(one.size for one in chunk[: len(rows)]))
            for _ in rows:
                left.popleft()
        return [*lost, *left]

    def close(self) -> list[tuple[Message, Any]]:
        """Keeps on disk what is not delivered; returns what the disk does not take."""
        left = self._sink.close() if self._is_open else []
        lost = self._keep_before(left)
        lost += [(message, None) for message in self._fresh]
        self._books.resized(-sum(message.size for message, _ in self._waiting))
        self._disk.close()
        self._reset()
        return lost

    def _keep_before(self, left: list[tuple[Message, Any]]) -> list[tuple[Message, Any]]:
        """Puts what the sink gave up before everything else; that with a mark is on disk already."""
        books = self._books
        rows = [mark for _, mark in left if mark is not None and mark.file.is_open]
        if len(rows) == len(left):
            books.resized(-sum(message.size for message, _ in left))
            return []
        stored = self._disk.store_before([message for message, _ in left])
        lost, kept = left[: len(left) - stored], left[len(left) - stored :]
        fresh = [message for message, mark in kept if mark is None]
        books.spooled(len(fresh), sum(message.size for message in fresh))
        self._disk.done += [mark for _, mark in kept if mark is not None]
        marked = [message for message, mark in kept if mark is not None]
        marked += [message for message, mark in lost if mark is not None and mark.file.is_open]
        books.resized(-sum(message.size for message in marked))
        return [(message, mark) for message, mark in lost if mark is None or not mark.file.is_open]

    def forked(self) -> None:
        """Leaves the spool files to the parent."""
        self._sink.forked()
        self._disk.forked()
        self._reset()
