"""What a logging call puts on the queue: and, with `durable`, how it waits until that is on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .items import Item

_SLICE = 0.1
"""Seconds after which who waits looks whether there is still somebody who writes to the disk."""


class InterruptedPut(BaseException):
    """Something was raised in a logging call after its item had been queued; it is the cause."""


class Awaited:
    """An item whose logging call waits until it is on disk.

    Attributes:
        item: the item.
    """

    __slots__ = ("_is_on_disk", "_now", "_released", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self._is_on_disk = False
        self._now = time.monotonic
        self._released = threading.Lock()
        self._released.acquire()

    def release(self, is_on_disk: bool) -> None:
        """Lets the logging call return; called in the listener's thread."""
        self._is_on_disk = is_on_disk
        self._released.release()

    def wait(self, timeout: float, is_in_vain: Callable[[], bool]) -> bool:
        """Waits in the caller's thread.

        Args:
            timeout: seconds to wait at most.
            is_in_vain: whether nobody will write to the disk any more.

        Returns:
            Whether the item is on disk.
        """
        deadline = self._now() + timeout
        while not self._released.acquire(timeout=max(0.0, min(deadline - self._now(), _SLICE))):
            if self._now() >= deadline or is_in_vain():
                return False
        return self._is_on_disk
