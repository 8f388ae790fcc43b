"""What a sink behind a spool holds at most, and holds: the rest waits on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..conformance import Message


class Window:
    """Counts messages; used by one thread at a time.

    A mark says where a message stands on the disk; one without is in memory alone.

    Args:
        messages: at most in the sink, or on their way there from the disk.
        size: bytes of those in the sink at most.

    Attributes:
        out: messages in the sink.
        out_unkept: those of them that are not on the disk.
        loaded: messages read from the disk that are on their way to the sink.
    """

    def __init__(self, messages: int, size: int) -> None:
        self._messages, self._size = max(1, messages), max(1, size)
        self.out = self.out_unkept = self.loaded = self._out_bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether the sink may be given more."""
        return self.room > 0 and self._out_bytes < self._size

    @property
    def room(self) -> int:
        """How many messages more."""
        return self._messages - self.out - self.loaded

    @property
    def kept(self) -> int:
        """Messages in memory that are on the disk, too."""
        return self.loaded + self.out - self.out_unkept

    def is_full(self, messages: int, size: int) -> bool:
        """Whether memory is as full as it may be, sink and queue together.

        Args:
            messages: in memory, those on the disk left out.
            size: bytes of all that is in memory.
        """
        return messages + self.kept >= 2 * self._messages or size >= 2 * self._size

    def sent(self, message: Message, mark: Any) -> None:
        """The sink took a message."""
        self.out += 1
        self.out_unkept += mark is None
        self._out_bytes += message.size

    def delivered(self, count: int, size: int, marks: Sequence[Any]) -> None:
        """The sink told of messages."""
        self.out -= count
        self.out_unkept -= count - len(marks)
        self._out_bytes -= size

    def settled(self, message: Message, mark: Any) -> None:
        """The sink told of a message."""
        self.out -= 1
        self.out_unkept -= mark is None
        self._out_bytes -= message.size
