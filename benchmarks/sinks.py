"""Sinks that lead nowhere, to measure eplogging without Kafka."""

from __future__ import annotations

import threading
from typing import Any

from eplogging.conformance import Message
from eplogging.sinks import MemorySink, Outcomes


class NullSink(MemorySink):
    """Reports each message as delivered at once, and keeps none."""

    def send(self, message: Message, mark: Any = None) -> None:
        super().send(message, mark)
        self.messages.clear()


class HeldSink(NullSink):
    """Holds the listener, with its first message, until it is released."""

    def __init__(self, release: threading.Event) -> None:
        super().__init__()
        self._release = release

    def open(self, outcomes: Outcomes) -> None:
        self._release.wait()
        super().open(outcomes)
