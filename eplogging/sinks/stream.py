"""NDJSON instead of Kafka: one event a line on stdout, stderr or in a file, as EventGate's `output` does."""

from __future__ import annotations

import sys
from io import FileIO
from typing import Any

from ..conformance import Message
from .base import Outcomes


class StreamSink:
    """Writes each event as a line of JSON.

    Args:
        output: `stdout`, `stderr` or the path of a file, which is appended to.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        self._file: FileIO | None = None
        self._outcomes: Outcomes | None = None
        self._is_torn = False

    def open(self, outcomes: Outcomes) -> None:
        """Opens the file; stdout and stderr are looked up at each write, as they may be replaced.

        Raises:
            OSError: the file can not be opened.
        """
        self._outcomes = outcomes
        if self._output not in ("stdout", "stderr"):
            # Unbuffered: a line is written whole, and a forked child inherits no half-written rest.
            self._file = open(self._output, "ab", buffering=0)  # noqa: SIM115 - closed in close()

    def send(self, message: Message, mark: Any = None) -> None:
        """Writes the event's bytes and a line feed, and reports the message."""
        assert self._outcomes is not None
        try:
            self._write(message.value + b"\n")
        except (OSError, ValueError) as error:
            self._outcomes.failed(message, f"{self._output}: {error}", mark)
        else:
            self._outcomes.delivered(1, message.size, () if mark is None else (mark,))

    def _write(self, line: bytes) -> None:
        if self._file is not None:
            self._append(self._file, line)
            return
        stream = sys.stdout if self._output == "stdout" else sys.stderr
        if stream is None:
            raise ValueError("there is no such stream in this process")
        binary = getattr(stream, "buffer", None)
        if binary is None:
            stream.write(line.decode())
            return
        stream.flush()  # what was printed before stands before
        binary.write(line)

    def _append(self, file: FileIO, line: bytes) -> None:
        """Writes a whole line; after one that was cut short (a full disk), the next begins a new one."""
        left = memoryview(b"\n" + line if self._is_torn else line)
        try:
            while left:
                left = left[file.write(left) :]
                self._is_torn = True
        finally:
            self._is_torn = self._is_torn and bool(left)

    def poll(self) -> None:
        """Makes what was written visible to readers."""
        self.flush(0)

    def flush(self, timeout: float) -> bool:
        """Hands what was written to the operating system."""
        stream = self._file or (sys.stdout if self._output == "stdout" else sys.stderr)
        if stream is None:
            return False
        try:
            stream.flush()
        except (OSError, ValueError):
            return False
        return True

    def barrier(self) -> object:
        """Every message is reported when it is taken."""
        return None

    def is_past(self, barrier: Any) -> bool:
        """See `barrier`."""
        return True

    def close(self) -> list[tuple[Message, Any]]:
        """Closes the file; stdout and stderr stay open."""
        self.flush(0)
        if self._file is not None:
            self._file.close()
            self._file = None
        return []

    def forked(self) -> None:
        """Each process opens the file for itself, and appends whole lines."""
        if self._file is not None:
            self._file.close()  # unbuffered: nothing of the parent's is written by this
            self._file = None
