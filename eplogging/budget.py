"""The one bound over everything that is held in memory, from the logging call to the acknowledgement."""

from __future__ import annotations

from .metrics import Counters

OVERHEAD = 512
"""Bytes that a message takes beside its own, in librdkafka and here: measured with messages of 300 bytes."""


class Budget:
    """Room for messages and bytes; taken in the caller's thread, given back when a message is settled.

    Every method may be called from any thread and takes no lock.

    Args:
        counters: whose `pending` and `pending_bytes` are what is taken.
        max_messages: messages that fit.
        max_bytes: bytes that fit.
    """

    def __init__(self, counters: Counters, max_messages: int, max_bytes: int) -> None:
        self._messages = counters.pending.add
        self._bytes = counters.pending_bytes.add
        self.max_messages = max_messages
        self.max_bytes = max_bytes

    def take(self, size: int) -> bool:
        """Takes room for one message of `size` bytes; False if there is none."""
        if self._messages(1) > self.max_messages:
            self._messages(-1)
            return False
        if self._bytes(size + OVERHEAD) > self.max_bytes:
            self.give_back(size)
            return False
        return True

    def give_back(self, size: int, count: int = 1) -> None:
        """Gives back what `take` took for one message, or for several of that size together."""
        self._messages(-count)
        self._bytes(-size - OVERHEAD * count)
