"""The spool as a sink uses it: what fails is remembered, told and tried again, what it holds is counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from ..conformance import Message
from ..items import Deferred
from ..ledger import Ledger
from ..reports import REPORTS, report
from ..spool import CHUNK, Row, Spool, SpoolError, Trouble, encode, stored_at

_AT_ONCE = 200
_BYTES_AT_ONCE = 1024 * 1024
_LOOK_FOR_ORPHANS, _LOOK_AGAIN = 60.0, 10.0


class Disk:
    """A spool that raises nothing.

    Used by one thread at a time, as the spool is; each call takes as long as the disk does.

    Args:
        spool: where messages are kept.

    Attributes:
        trouble: what can not be done now.
        done: what can be removed, when that is possible.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._now = time.monotonic
        self._ledger: Ledger | None = None
        self.trouble = Trouble()
        self.reset()

    def reset(self) -> None:
        """Forgets what was, for a spool that is closed or left to another process."""
        self.trouble.forget()
        self.done: list[Row] = []
        self._next_look = float("-inf")
        self._taken_over = self._damaged = self._not_removed = 0

    @property
    def books(self) -> Ledger:
        """Where everything is counted."""
        assert self._ledger is not None
        return self._ledger

    def open(self, ledger: Ledger) -> None:
        """Says where everything is counted."""
        self._ledger = ledger

    def look_for_orphans(self, in_memory: int) -> None:
        """Takes over what other processes left behind, if it is time to.

        Args:
            in_memory: see `account`.
        """
        if self._now() < self._next_look:
            return
        with self.trouble.watched("read"):
            self._spool.take_over()
        again = _LOOK_AGAIN if self.trouble.has("read") else _LOOK_FOR_ORPHANS
        self._next_look = self._now() + again
        self.account(in_memory)

    def account(self, in_memory: int) -> None:
        """Takes what the spool found, or found missing, into the books.

        Args:
            in_memory: messages that were read from the spool and are not settled.
        """
        books, spool = self.books, self._spool
        books.counters.taken_over.add(spool.taken_over - self._taken_over)
        if spool.damaged > self._damaged:
            books.drop("spool_damaged", "", spool.damage, spool.damaged - self._damaged)
        if (spool.taken_over, spool.damaged) != (self._taken_over, self._damaged) and spool.damage:
            report(REPORTS, logging.ERROR, f"spool: a file is damaged: {spool.damage}")
            spool.damage = ""
        self._taken_over, self._damaged = spool.taken_over, spool.damaged
        kept = spool.unread + in_memory
        books.counters.spooled.add(kept - books.counters.spooled.value)

    def store(self, items: Sequence[Message | Deferred], read: int = 0) -> list[Row]:
        """Writes some items, or as many of them as fit, from the first; `read` of them count as read."""
        reason = ""
        for most in (len(items), 32, 1):  # less may fit still
            try:
                rows = self._spool.write([encode(one) for one in items[:most]], read=min(read, most))
            except SpoolError as error:
                reason = str(error)
            except Exception:  # a deferred event that is no JSON: it will be rejected
                return []
            else:
                self.trouble.over("written")
                return rows
        self.trouble.met("written", reason)
        return []

    def store_before(self, messages: Sequence[Message]) -> int:
        """Writes messages before all that is on the disk; returns how many it took, from the last one."""
        stored = 0
        try:
            for end in range(len(messages), 0, -CHUNK):  # each chunk goes before the one before
                self._spool.write_before([encode(one) for one in messages[max(0, end - CHUNK) : end]])
                stored = len(messages) - max(0, end - CHUNK)
        except SpoolError as error:
            self.trouble.met("written", str(error))
        return stored

    def read(self, room: int) -> list[tuple[Row, bytes]] | None:
        """Reads what comes next, as much as there is room for; None where that can not be done now."""
        found = None
        if not self.trouble.is_fresh("read"):
            with self.trouble.watched("read"):
                found = self._spool.read(min(_AT_ONCE, room), _BYTES_AT_ONCE)
        if found:
            self.books.counters.oldest_spooled = stored_at(found[0][1])
        return found

    def remove_if_due(self) -> None:
        """Removes what is done; where that failed a moment ago, only if with it a whole file can go."""
        all_done = len(self.done) == self._spool.stored != self._not_removed
        if self.done and (all_done or not self.trouble.is_fresh("emptied")):
            self.remove()

    def remove(self) -> None:
        """Removes what is done."""
        with self.trouble.watched("emptied"):
            self._spool.delete(self.done)
        self._not_removed = len(self.done)

    def close(self) -> None:
        """Removes what is done, closes the spool, and counts what it lost by that."""
        if self.done:
            self.remove()
        self._spool.close()
        missing = self._spool.damaged - self._damaged
        if missing > 0:
            self.books.counters.spooled.add(-missing)
            self.books.drop("spool_damaged", "", self._spool.damage, missing)
        self.reset()

    def forked(self) -> None:
        """Leaves the spool files to the parent."""
        self._spool.forked()
        self.reset()
