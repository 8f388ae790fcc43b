"""A deadline for a whole HTTP answer, status line and headers included.

A timeout of `requests` starts anew with each byte that arrives, so a server that sends one byte a
second would hold a look-up for hours.
"""

from __future__ import annotations

import io
import time
from typing import Any

from requests.adapters import HTTPAdapter


class DeadlineAdapter(HTTPAdapter):
    """Makes connections that read nothing after a point in time, and raise `TimeoutError` then.

    Args:
        deadline: that point, on the clock of `time.monotonic`.
    """

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool that the connection to a server is taken from."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _bounded(pool.ConnectionCls, self._deadline)
        return pool


def _bounded(connection: Any, deadline: float) -> Any:
    class Bounded(connection):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            self.sock: Any = _Socket(self.sock, deadline)

    return Bounded


class _Socket:
    """A socket whose files read until a deadline."""

    def __init__(self, sock: Any, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def makefile(self, mode: str, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        """The file that `http.client` reads an answer from."""
        return io.BufferedReader(_File(self._sock, self._sock.makefile(mode, buffering=0), self._deadline))


class _File(io.RawIOBase):
    def __init__(self, sock: Any, file: Any, deadline: float) -> None:
        self._sock = sock
        self._file = file
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        count: int | None = self._file.readinto(buffer)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
