"""Sinks that fail in the ways that Kafka can, at the moment a test asks for."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from eplogging.conformance import Message
from eplogging.sinks import MemorySink, Outcomes, SinkFull


class RaisingSink(MemorySink):
    """Raises from the methods named."""

    def __init__(self, *methods: str, error: BaseException | None = None) -> None:
        super().__init__()
        self.methods = set(methods)
        self.error = error or RuntimeError("told to raise")
        self.raised = 0

    def _raise_in(self, method: str) -> None:
        if method in self.methods:
            self.raised += 1
            raise self.error

    def open(self, outcomes: Outcomes) -> None:
        self._raise_in("open")
        super().open(outcomes)

    def send(self, message: Message, mark: Any = None) -> None:
        self._raise_in("send")
        super().send(message, mark)

    def poll(self) -> None:
        self._raise_in("poll")

    def flush(self, timeout: float) -> bool:
        self._raise_in("flush")
        return super().flush(timeout)

    def barrier(self) -> object:
        self._raise_in("barrier")
        return super().barrier()

    def close(self) -> list[tuple[Message, Any]]:
        self._raise_in("close")
        return []


class HeldSink(MemorySink):
    """Takes messages, at most `room` at a time, and acknowledges none before `release`."""

    def __init__(self, room: int = 1_000_000) -> None:
        super().__init__()
        self.room = room
        self.held: deque[tuple[Message, Any]] = deque()
        self.released = threading.Event()
        self.refused = 0
        self.threads: set[str] = set()

    def send(self, message: Message, mark: Any = None) -> None:
        self.threads.add(threading.current_thread().name)
        if len(self.held) >= self.room:
            self.refused += 1
            raise SinkFull
        self.held.append((message, mark))

    def poll(self) -> None:
        if self.released.is_set():
            while self.held:
                super().send(*self.held.popleft())

    def flush(self, timeout: float) -> bool:
        self.released.wait(timeout)
        self.poll()
        return not self.held

    def is_past(self, barrier: Any) -> bool:
        return not self.held

    def close(self) -> list[tuple[Message, Any]]:
        left = list(self.held)
        self.held.clear()
        return left

    def forked(self) -> None:
        super().forked()
        self.held.clear()
