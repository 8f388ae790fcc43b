"""Delivery reports of messages that were delivered, added up; written in C where a compiler was there.

confluent-kafka calls back for each message, so this is done as often as anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..conformance.accelerated import is_pure

Otherwise = Callable[[int, Any, str, Any, Any], None]


class PythonTally:
    """The sums of what was delivered, and which messages are to be delivered still before a barrier.

    Used in the listener's thread.

    Args:
        otherwise: called with the number, mark and stream of a message that was not delivered, the error and
            confluent-kafka's message.

    Attributes:
        count: messages delivered since `take`.
        barrier: the number of the first message that came after it.
        left_before: messages before the barrier of which nothing was told yet.
    """

    def __init__(self, otherwise: Otherwise) -> None:
        self._otherwise = otherwise
        self.count = self.barrier = self.left_before = 0
        self._size = 0
        self._marks: list[Any] = []

    def report(self, number: int, mark: Any, stream: str, size: int) -> Callable[[Any, Any], None]:
        """What confluent-kafka is to call with a message's delivery report.

        Args:
            number: which message it is; they are numbered in the order in which they are sent.
            mark: what the sink was given with it.
            stream: its stream.
            size: bytes of its key and value.
        """
        return partial(self._reported, number, mark, stream, size)

    def _reported(self, number: int, mark: Any, stream: str, size: int, error: Any, message: Any) -> None:
        if error is not None:
            self._otherwise(number, mark, stream, error, message)
            return
        self.count += 1
        self._size += size
        if number < self.barrier:
            self.left_before -= 1
        if mark is not None:
            self._marks.append(mark)

    def take(self) -> tuple[int, int, list[Any]]:
        """What was delivered since it was asked last: how many messages, their bytes, and their marks."""
        taken = self.count, self._size, self._marks
        self.count = self._size = 0
        self._marks = []
        return taken


try:
    if is_pure:
        raise ImportError
    from ._tally import Tally as Tally
except ImportError:
    Tally = PythonTally  # type: ignore[assignment,misc]
