"""A sink that keeps messages in a list, for tests."""

from __future__ import annotations

from typing import Any

from ..conformance import Message
from .base import Outcomes


class MemorySink:
    """Keeps every message.

    Attributes:
        messages: the messages, in the order they were sent.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._outcomes: Outcomes | None = None

    def open(self, outcomes: Outcomes) -> None:
        """See `Sink`."""
        self._outcomes = outcomes

    def send(self, message: Message, mark: Any = None) -> None:
        """Keeps the message and reports it as delivered at once."""
        self.messages.append(message)
        if self._outcomes is not None:
            self._outcomes.delivered(1, message.size, () if mark is None else (mark,))

    def poll(self) -> None:
        """Has nothing to serve."""

    def flush(self, timeout: float) -> bool:
        """Has nothing to wait for."""
        return True

    def barrier(self) -> object:
        """Every message is reported when it is taken."""
        return None

    def is_past(self, barrier: Any) -> bool:
        """See `barrier`."""
        return True

    def close(self) -> list[tuple[Message, Any]]:
        """Keeps the messages, for a test to look at."""
        return []

    def forked(self) -> None:
        """A child process starts empty."""
        self.messages = []
